"""Mixtures of experts of transformers are traced in a static form, dense or gathered, and compute what they compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import DeepseekV3Config, GptOssConfig, MixtralConfig, Qwen3MoeConfig
from transformers.integrations import moe
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3MoE
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssMLP
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeSparseMoeBlock

import ttc
from tests.cards import swept
from ttc.frontend.export import experts

SIZES: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_experts_per_tok": 2}


def block(name: str, count: int = 6) -> Any:
    """Build a layer of `count` experts, two for each token."""
    torch.manual_seed(0)
    built = {
        "mixtral": lambda: MixtralSparseMoeBlock(MixtralConfig(**SIZES, num_local_experts=count)),
        "qwen3": lambda: Qwen3MoeSparseMoeBlock(Qwen3MoeConfig(**SIZES, num_experts=count, moe_intermediate_size=16)),
        "gpt_oss": lambda: GptOssMLP(GptOssConfig(**SIZES, num_local_experts=count)),
        "deepseek_v3": lambda: DeepseekV3MoE(
            DeepseekV3Config(**SIZES, n_routed_experts=count, moe_intermediate_size=16, n_group=2, topk_group=1)
        ),
    }[name]()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.normal_(std=0.3)
    return built.eval()


def first(found: Any) -> Tensor:
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize("tokens", [1, 9])
@pytest.mark.parametrize("name", ["mixtral", "gpt_oss", *map(swept, ("qwen3", "deepseek_v3"))])
def test_a_layer_of_experts(name: str, tokens: int):
    layer = block(name)
    x = torch.randn(1, tokens, 32, generator=torch.Generator().manual_seed(tokens))
    with torch.no_grad():
        wanted = first(layer(x))
    found = first(ttc.compile(layer, x, dtype="fp32")(x))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["mixtral", "gpt_oss"])
def test_dense_experts_compute_what_gathered_ones_do(name: str):
    """With a bias, gates side by side or in turn, and weights either way round."""
    layer = block(name).experts
    tokens = torch.randn(7, 32, generator=torch.Generator().manual_seed(1))
    index = torch.stack([torch.randperm(6, generator=torch.Generator().manual_seed(n))[:2] for n in range(7)])
    weights = torch.rand(7, 2, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        wanted = moe.batched_mm_experts_forward(layer, tokens, index, weights)
        found = experts.dense(layer, tokens, index, weights)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("count", "form"), [(6, "gathered"), (5, "dense")])
def test_matrices_are_gathered_where_they_are_few(count: int, form: str, monkeypatch: pytest.MonkeyPatch):
    """Two experts for one token are six passes over a matrix."""
    taken = []
    forms = {"dense": experts.dense, "gathered": moe.batched_mm_experts_forward}
    for name, owner, attribute in (
        ("dense", experts, "dense"),
        ("gathered", moe, "batched_mm_experts_forward"),
    ):
        monkeypatch.setattr(owner, attribute, lambda *args, name=name: (taken.append(name), forms[name](*args))[1])
    with experts.static_experts(), torch.no_grad():
        block("mixtral", count)(torch.randn(1, 1, 32))
    assert taken == [form]


def test_experts_are_themselves_again_after_a_trace():
    before = moe.ExpertsInterface.get_interface
    with pytest.raises(ZeroDivisionError), experts.static_experts():
        raise ZeroDivisionError
    assert moe.ExpertsInterface.get_interface is before


def test_modules_without_experts_need_no_transformers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(experts, "MODULE", "transformers.no_such_module")
    x = torch.randn(2, 3)
    torch.testing.assert_close(ttc.compile(nn.ReLU(), x, dtype="fp32")(x), x.relu())
