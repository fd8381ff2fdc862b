"""Attention to pools of blocks: the real library takes each form, in the memory that is predicted; what is no block."""

from __future__ import annotations

import pytest
import torch

from tests.calls.programs import BF16, I32, ROWS, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.attention import SDPAProgramConfig
from ttc.calls.paged_attention import ChunkedScaledDotProductAttention, PagedScaledDotProductAttentionDecode
from ttc.calls.target import TARGETS
from ttc.errors import InputError
from ttc.ir import DType, Spec
from ttc.runtime.emulator.device import EmulatorDevice

DECODES = [
    # sequences, heads, heads of keys, rows of a block, pages, size of a head, keys of a chunk, window
    (1, 4, 2, 32, 8, 64, 32, None),
    (3, 4, 2, 64, 3, 64, 64, 70),
    (4, 32, 8, 64, 256, 128, 64, None),
    (8, 12, 12, 128, 8, 64, 128, None),
    (1, 64, 8, 96, 8, 128, 32, 1),
    (32, 32, 8, 64, 8, 128, 256, None),
    (64, 2, 1, 32, 1, 32, 32, None),
]
PROMPTS = [
    # queries, heads, heads of keys, rows of a block, pages, size of a head, chunk, window
    (32, 4, 2, 32, 8, 64, 32, None),
    (40, 4, 4, 32, 8, 96, 32, 50),
    (128, 32, 8, 64, 256, 128, 64, None),
    (2048, 32, 8, 128, 64, 128, 128, None),
    (64, 71, 1, 64, 8, 64, 64, None),
]


def tables(sequences: int, pages: int) -> tuple[Spec, Spec]:
    return spec(I32, sequences, pages, layout=ROWS), spec(I32, sequences, layout=ROWS)


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_attends_as_predicted(target: str):
    programs, grid = [], TARGETS[target].grid
    for dtype in (BF16, DType.bfp8):
        for batch, heads, groups, block, pages, size, chunk, window in DECODES:
            config, pool = SDPAProgramConfig(grid, 32, chunk, False), spec(dtype, 300, groups, block, size)

            def decode(q, k, v, table, places, config=config, window=window):
                return PagedScaledDotProductAttentionDecode(
                    q, k, v, table, cur_pos_tensor=places, program_config=config, scale=0.3, sliding_window_size=window
                )

            programs.append(one(decode, spec(BF16, 1, batch, heads, size), pool, pool, *tables(batch, pages)))
        for queries, heads, groups, block, pages, size, chunk, window in PROMPTS:
            config, pool = SDPAProgramConfig(grid, chunk, chunk, False), spec(dtype, 300, groups, block, size)

            def attend(q, k, v, table, start, config=config, window=window):
                return ChunkedScaledDotProductAttention(
                    q, k, v, table, chunk_start_idx_tensor=start, program_config=config, sliding_window_size=window
                )

            programs.append(one(attend, spec(BF16, 1, heads, queries, size), pool, pool, *tables(1, pages)))
    assert_as_predicted(programs, target)


def test_cores_share_the_keys_of_a_head():
    pool = spec(BF16, 6, 2, 32, 32)
    q, k, table, places = values(spec(BF16, 1, 3, 4, 32), pool, *tables(3, 2))
    config = SDPAProgramConfig((8, 8), 32, 32, False)
    call = PagedScaledDotProductAttentionDecode(q, k, k, table, cur_pos_tensor=places, program_config=config)
    assert (call.groups, call.cores_per_head, call.cores, call.keys) == (6, 10, 60, 64)


def test_blocks_that_are_none_and_starts_inside_a_chunk():
    pool = spec(BF16, 6, 1, 32, 32)
    q, k, table, start = values(spec(BF16, 1, 1, 32, 32), pool, *tables(1, 8))
    config = SDPAProgramConfig((8, 8), 32, 32, False)
    call = ChunkedScaledDotProductAttention(q, k, k, table, chunk_start_idx_tensor=start, program_config=config)
    zeros = {"input_tensor_q": torch.zeros(1, 1, 32, 32), "input_tensor_k": torch.zeros(6, 1, 32, 32)}
    zeros |= {"input_tensor_v": torch.zeros(6, 1, 32, 32), "page_table_tensor": torch.zeros(1, 8, dtype=torch.int32)}
    given = {name: tensor.bfloat16() if tensor.is_floating_point() else tensor for name, tensor in zeros.items()}

    def run(first: int) -> None:
        EmulatorDevice().run(call, {**given, "chunk_start_idx_tensor": torch.tensor([first])}, (call.infer(),))

    run(32)
    for first in (33, -32):
        with pytest.raises(InputError, match=f"queries from row {first} on do not begin a chunk"):
            run(first)
    for block in (6, -1):
        given["page_table_tensor"] = torch.full((1, 8), block)
        with pytest.raises(InputError, match="names blocks that a pool of 6 blocks does not have"):
            run(0)
