"""Heads of one token: the real library takes each form, and returns what is predicted."""

import pytest
import torch

from tests.calls.programs import BF16, F32, assert_as_predicted, one, spec
from tests.cards import EACH_CARD
from ttc.calls.attention import SDPAProgramConfig
from ttc.calls.attention_decode import ScaledDotProductAttentionDecode
from ttc.calls.convolution import CoreRectangle
from ttc.calls.heads_decode import NlpConcatHeadsDecode, NlpCreateQkvHeadsDecode, on_one_core
from ttc.calls.rotary import RotaryEmbeddingHf
from ttc.calls.shape import Reshape
from ttc.calls.shards import rectangle, width_shards
from ttc.calls.target import TARGETS
from ttc.ir import L1, MemoryConfig, Spec
from ttc.runtime.emulator.device import EmulatorDevice

COUNTS = [(4, 2, 32), (32, 8, 128), (28, 4, 128), (64, 8, 128), (12, 12, 64)]
"""Heads of queries, heads of keys, size of a head."""


def heads(count: int, size: int) -> Spec:
    return spec(BF16, 1, 1, count, size, memory=on_one_core(count, size))


@pytest.mark.parametrize("target", EACH_CARD)
def test_as_predicted(target: str, ttnn_python: str):
    card = TARGETS[target]
    programs = []
    for queries, keys, size in COUNTS:
        width = (queries + 2 * keys) * size
        memories: list[MemoryConfig | None] = [L1, width_shards(spec(BF16, 1, 1, 1, width), (4, 2))]
        programs += [
            one(lambda x, q=queries, k=keys: NlpCreateQkvHeadsDecode(x, num_heads=q, num_kv_heads=k), row)
            for row in (spec(BF16, 1, 1, 1, width, memory=memory) for memory in memories if memory)
        ]
        grid = rectangle(queries, card.grid)
        assert grid
        programs.append(
            one(
                lambda x, q=queries, grid=grid: NlpConcatHeadsDecode(
                    x, num_heads=q, sub_core_grids=CoreRectangle(*grid)
                ),
                heads(queries, size),
            )
        )
        if size % 64 == 0:
            programs.append(
                one(
                    lambda x, cos, sin: RotaryEmbeddingHf(x, cos, sin, is_decode_mode=True),
                    heads(queries, size),
                    heads(1, size),
                    heads(1, size),
                )
            )
        config = SDPAProgramConfig(card.grid, 32, 32, False)
        cache = spec(BF16, 1, keys, 64, size)
        programs.append(
            one(
                lambda q, k, v, config=config: ScaledDotProductAttentionDecode(
                    q, k, v, program_config=config, is_causal=False
                ),
                heads(queries, size),
                cache,
                cache,
            )
        )
    assert_as_predicted(programs, target)


def test_the_first_rows_of_tiles_are_a_view(ttnn_python: str):
    memory = width_shards(spec(BF16, 1, 1, 32, 256), (4, 2))
    assert memory
    shapes = [((1, 1, 32, 256), 1), ((1, 1, 32, 256), 31), ((2, 40, 64), 33)]
    programs = [
        one(
            lambda x, rows=rows: Reshape(x, (*x.shape[:-2], rows, x.shape[-1]), padded_shape=x.type.padded_shape),
            spec(BF16, *shape, memory=memory if len(shape) == 4 else L1),
        )
        for shape, rows in shapes
    ]
    programs.append(one(lambda x: Reshape(x, (1, 64), padded_shape=(32, 64)), spec(F32, 7, 64)))
    for program in programs:
        assert isinstance(program.call, Reshape)
        assert program.call.alias() is program.call.input_tensor
    assert_as_predicted(programs, "n150")


def test_other_rows_of_joined_heads_mean_nothing():
    call = one(lambda x: NlpConcatHeadsDecode(x, num_heads=4, sub_core_grids=CoreRectangle(4, 1)), heads(4, 32)).call
    x = torch.randn(1, 1, 4, 32).bfloat16()
    (found,) = EmulatorDevice().run(call, {"input_tensor": x}, (call.infer(),))  # type: ignore[arg-type]
    assert torch.equal(found[0, 0, 0], x.flatten())
    assert bool(found[0, 0, 1:].isnan().all())
