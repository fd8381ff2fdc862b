"""bf16 programs lose what storing each op's result in bf16 loses, and no more: no call, fusion or order of calls adds.

A model may hold more precision in torch's own bf16, where its code promotes to float32 (integers times bf16 tensors,
`.float()` inside a norm): ZoeDepth's binomial logits are such. An exported float32 model does not say so.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.emulated import emulated
from ttc import ops
from ttc.calls.target import TARGETS
from ttc.frontend.export import export
from ttc.ir import Const, Graph, Input, Value
from ttc.pipeline import Options, compile_graph
from ttc.validation.accuracy import pcc

MORE = 1.5
"""How much larger the loss of correlation may be than that of rounding each result, the luck of single roundings."""


def evaluated(graph: Graph, inputs: dict[str, torch.Tensor], rounded: bool) -> np.ndarray:
    """The largest output of a graph of ops: in float64, or in float32 with each result rounded to bf16."""
    wide = torch.float32 if rounded else torch.float64

    def stored(tensor: torch.Tensor) -> torch.Tensor:
        if not tensor.is_floating_point():
            return tensor
        return tensor.bfloat16().to(wide) if rounded else tensor.to(wide)

    values = {}
    for node in graph.nodes:
        match node.op:
            case Input(name=name):
                results = (inputs[name],)
            case Const(ref=ref):
                results = (torch.from_numpy(graph.weights[ref].read()),)
            case op:
                results = ops.evaluate_op(op, values.__getitem__)
        values.update(zip(node.results, map(stored, results), strict=True))
    return values[largest(graph)[1]].double().numpy()


def largest(graph: Graph) -> tuple[str, Value]:
    """The output of most elements, of which a correlation says most."""
    return max(graph.outputs, key=lambda output: output[1].type.numel)


def seeded(model: torch.nn.Module) -> torch.nn.Module:
    """Weights of unit gain: the tiny ones of an untrained model leave an output that is nearly one number."""
    torch.manual_seed(1)
    for weight in model.parameters():
        if weight.ndim >= 2:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    return model.eval()


def zoedepth() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    from transformers import BeitConfig, ZoeDepthConfig, ZoeDepthForDepthEstimation

    backbone = BeitConfig(
        image_size=64, patch_size=16, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False,
        use_relative_position_bias=True,
    )  # fmt: skip
    config = ZoeDepthConfig(
        backbone_config=backbone, neck_hidden_sizes=[16, 16, 32, 32], fusion_hidden_size=16, bottleneck_features=16,
        num_attractors=[8, 4, 2, 1], bin_embedding_dim=16, num_relative_features=8,
        patch_transformer_hidden_size=16, patch_transformer_intermediate_size=32,
        patch_transformer_num_attention_heads=4, patch_transformer_num_hidden_layers=2,
    )  # fmt: skip
    model = seeded(ZoeDepthForDepthEstimation(config))
    return model, (torch.randn(1, 3, 64, 64),)


def sam() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

    vision = SamVisionConfig(
        hidden_size=32, output_channels=32, num_hidden_layers=2, num_attention_heads=4, image_size=64, patch_size=16,
        global_attn_indexes=[1], window_size=2, num_pos_feats=16, mlp_dim=64,
    )  # fmt: skip
    prompt = SamPromptEncoderConfig(hidden_size=32, image_size=64, patch_size=16, mask_input_channels=4)
    mask = SamMaskDecoderConfig(
        hidden_size=32, mlp_dim=64, num_hidden_layers=2, num_attention_heads=4, iou_head_hidden_dim=32
    )
    model = seeded(SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=mask)))
    return model, (torch.randn(1, 3, 64, 64), torch.tensor([[[[20.0, 30.0]]]]))


def kandinsky() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    from diffusers import Kandinsky3UNet

    model = Kandinsky3UNet(
        in_channels=4, time_embedding_dim=16, groups=4, attention_head_dim=8, layers_per_block=2,
        block_out_channels=(16, 32, 32, 64), cross_attention_dim=16, encoder_hid_dim=16,
    )  # fmt: skip
    args = (torch.randn(1, 4, 32, 32), torch.tensor([10]), torch.randn(1, 7, 16), torch.ones(1, 7))
    return seeded(model), args


@pytest.mark.parametrize(
    "make", [zoedepth, *(pytest.param(make, marks=pytest.mark.sweep) for make in (sam, kandinsky))]
)
def test_a_program_loses_what_rounding_each_result_loses(make):
    model, args = make()
    graph = export(model, args).graph
    inputs = dict(zip(graph.signature()[0], args, strict=True))
    exact, rounded = (evaluated(graph, inputs, rounded) for rounded in (False, True))
    build = compile_graph(graph, Options(TARGETS["n150"], "bf16"))
    found = emulated(build, {name: tensor.numpy() for name, tensor in inputs.items()})[largest(graph)[0]]
    assert 1 - pcc(found, exact) <= MORE * (1 - pcc(rounded, exact))
