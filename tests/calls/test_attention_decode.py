"""Attention of one query: the real library takes each form, with the circular buffers that are predicted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.calls.programs import BF16, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.attention import SDPAProgramConfig
from ttc.calls.attention_decode import MOST_CORES, ScaledDotProductAttentionDecode
from ttc.calls.target import TARGETS
from ttc.ir import DType

FORMS = [
    # sequences, heads, heads of keys, keys, size of a head, keys of a chunk
    (1, 4, 2, 256, 64, 32),
    (1, 4, 2, 256, 64, 256),
    (1, 32, 8, 1024, 128, 128),
    (1, 64, 8, 256, 64, 64),
    (1, 128, 8, 256, 64, 32),
    (3, 4, 2, 64, 32, 64),
    (8, 12, 12, 512, 64, 128),
    (32, 32, 8, 96, 128, 32),
    (1, 12, 12, 64, 256, 64),
    (64, 2, 1, 64, 32, 32),
]


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_decodes_as_predicted(target: str, ttnn_python: str):
    programs = []
    for batch, heads, groups, keys, size, chunk in FORMS:
        config = SDPAProgramConfig(TARGETS[target].grid, 32, chunk, False)

        def decode(q, k, mask=None, config=config):
            return ScaledDotProductAttentionDecode(
                q, k, k, program_config=config, is_causal=False, attn_mask=mask, scale=0.125
            )

        q, k = spec(BF16, 1, batch, heads, size), spec(BF16, batch, groups, keys, size)
        programs += [
            one(decode, q, replace(k, dtype=DType.bfp8)),
            one(decode, q, k),
            one(decode, q, k, spec(BF16, batch, 1, heads, keys)),
        ]
    assert_as_predicted(programs, target)


@pytest.mark.parametrize(
    ("batch", "groups", "each", "cores"),
    [(1, 2, MOST_CORES, 2 * MOST_CORES), (1, 8, 8, 64), (1, 12, 5, 60), (3, 2, 10, 60), (32, 8, 1, 64)],
)
def test_cores_share_the_keys_of_a_head(batch: int, groups: int, each: int, cores: int):
    q, k = values(spec(BF16, 1, batch, groups, 32), spec(BF16, batch, groups, 32, 32))
    call = ScaledDotProductAttentionDecode(q, k, k, program_config=SDPAProgramConfig((8, 8), 32, 32), is_causal=False)
    assert (call.cores_per_head, call.cores) == (each, cores)
