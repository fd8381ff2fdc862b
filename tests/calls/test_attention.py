from dataclasses import replace

import pytest

from tests.calls.programs import BF16, F32, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.attention import (
    ConcatenateHeads,
    FillImplicitTilePadding,
    ScaledDotProductAttention,
    SDPAProgramConfig,
    SplitQueryKeyValueAndSplitHeads,
)
from ttc.calls.call import ComputeKernelConfig
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import L1

EXACT = ComputeKernelConfig()


def test_results_are_heads_or_rows():
    q, k = values(spec(BF16, 2, 4, 33, 64), spec(BF16, 2, 2, 50, 64))
    call = ScaledDotProductAttention(q, k, k, is_causal=False)
    assert call.infer() == q.type
    assert replace(call, output_concat_heads=True).infer() == spec(BF16, 2, 1, 33, 256)


def test_heads_split_and_join():
    x, y = values(spec(F32, 2, 197, 8 * 64), spec(F32, 2, 4, 33, 64))
    split = SplitQueryKeyValueAndSplitHeads(x, num_heads=4, num_kv_heads=2)
    q, k, v = split.infer()
    assert (q.shape, k.shape, v.shape) == ((2, 4, 197, 64), (2, 2, 64, 197), (2, 2, 197, 64))
    assert replace(split, transpose_key=False).infer()[1].shape == (2, 2, 197, 64)
    assert ConcatenateHeads(y).infer() == spec(F32, 2, 33, 256)


def test_padding_is_filled_in_place():
    (x,) = values(spec(BF16, 33, 33))
    assert FillImplicitTilePadding(x, -1.0).alias() is x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda q, k, m, s: ScaledDotProductAttention(s, s, s), "head dim 40 is no multiple of the tile"),
        (lambda q, k, m, s: ScaledDotProductAttention(q, k, q, is_causal=False), "do not fit"),
        (lambda q, k, m, s: ScaledDotProductAttention(q, k, k), "causal attention takes no mask, and as many keys"),
        (lambda q, k, m, s: ScaledDotProductAttention(q, k, k, attn_mask=m, is_causal=False), "does not fit scores"),
        (lambda q, k, m, s: ConcatenateHeads(s), "D a multiple of 32"),
        (lambda q, k, m, s: SplitQueryKeyValueAndSplitHeads(m, num_heads=2), r"does not split into 2 \+ 2 \* 2 heads"),
    ],
)
def test_refusals_name_the_culprit(make, message: str):
    specs = (spec(BF16, 2, 4, 33, 64), spec(BF16, 2, 2, 50, 64), spec(BF16, 2, 1, 1, 50), spec(BF16, 2, 4, 33, 40))
    with pytest.raises(Refusal, match=message):
        make(*values(*specs)).infer()


def test_fp32_and_masks_in_l1_are_refused():
    q, f, m = values(spec(BF16, 2, 4, 33, 64), spec(F32, 2, 4, 33, 64), replace(spec(BF16, 1, 1, 33, 33), memory=L1))
    with pytest.raises(Refusal, match="q, k and v is f32"):
        ScaledDotProductAttention(f, f, f).infer()
    with pytest.raises(Refusal, match="the mask must be in DRAM"):
        ScaledDotProductAttention(q, q, q, attn_mask=m, is_causal=False).infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_attends_as_predicted(target: str, ttnn_python: str):
    def attention(join: bool, causal: bool, chunks: tuple[int, int]):
        config = SDPAProgramConfig(TARGETS[target].grid, *chunks, False)
        return lambda q, k, mask=None: ScaledDotProductAttention(
            q, k, k, attn_mask=mask, is_causal=causal, scale=0.125, program_config=config,
            compute_kernel_config=EXACT, output_concat_heads=join,
        )  # fmt: skip

    programs = []
    for shape, groups, keys in (((1, 12, 197, 64), 12, 197), ((2, 8, 128, 128), 2, 128), ((1, 4, 7, 32), 4, 300)):
        q, k = spec(BF16, *shape), spec(BF16, shape[0], groups, keys, shape[3])
        for chunks in ((32, 32), (64, 224), (160, 96), (256, 128)):
            for join in (False, True):
                programs.append(one(attention(join, False, chunks), q, k))
                programs.append(one(attention(join, False, chunks), q, k, spec(BF16, 1, 1, shape[2], keys)))
                if keys == shape[2]:
                    programs.append(one(attention(join, True, chunks), q, k))
    for dtype in (BF16, F32):
        split = spec(dtype, 2, 197, 16 * 64)
        programs += [
            one(lambda x: SplitQueryKeyValueAndSplitHeads(x, num_heads=8, num_kv_heads=4), split),
            one(lambda x: SplitQueryKeyValueAndSplitHeads(x, num_heads=8, num_kv_heads=4, transpose_key=False), split),
            one(ConcatenateHeads, spec(dtype, 2, 12, 197, 64)),
            one(lambda x: FillImplicitTilePadding(x, -1.0), spec(dtype, 1, 1, 33, 33)),
        ]
    assert_as_predicted(programs, target)
