import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.runtime.emulator.emulated import emulated
from ttc.calls.attention import (
    ConcatenateHeads,
    FillImplicitTilePadding,
    ScaledDotProductAttention,
    SplitQueryKeyValueAndSplitHeads,
)

GENERATOR = torch.Generator().manual_seed(0)


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR).bfloat16()


@pytest.mark.parametrize("mode", ["exact", "tensix"])
@pytest.mark.parametrize(("groups", "causal", "masked"), [(4, False, False), (2, True, False), (2, False, True)])
def test_attention(mode: str, groups: int, causal: bool, masked: bool):
    q, k, v, mask = numbers(2, 4, 33, 32), numbers(2, groups, 33, 32), numbers(2, groups, 33, 32), numbers(1, 4, 33, 33)
    tensors = (q, k, v, mask) if masked else (q, k, v)
    found = emulated(
        lambda q, k, v, m=None: ScaledDotProductAttention(q, k, v, attn_mask=m, is_causal=causal, scale=0.3),
        *tensors,
        mode=mode,
    )[0]
    expected = F.scaled_dot_product_attention(
        q.float(), k.float(), v.float(), mask.float() if masked else None, is_causal=causal, scale=0.3, enable_gqa=True
    )
    assert np.allclose(found, expected.numpy(), atol=2e-2 if mode == "tensix" else 1e-2)


def test_joined_heads_are_rows():
    q = numbers(2, 4, 33, 32)
    heads = emulated(lambda q: ScaledDotProductAttention(q, q, q), q)[0]
    rows = emulated(lambda q: ScaledDotProductAttention(q, q, q, output_concat_heads=True), q)[0]
    assert np.array_equal(rows, heads.transpose(0, 2, 1, 3).reshape(2, 1, 33, 128))
    joined = emulated(ConcatenateHeads, q)[0]
    assert np.array_equal(joined, q.float().transpose(1, 2).reshape(2, 33, 128).numpy())


def test_columns_become_heads():
    x = numbers(2, 5, 8 * 32)
    q, k, v = emulated(lambda x: SplitQueryKeyValueAndSplitHeads(x, num_heads=4, num_kv_heads=2), x)
    parts = x.float().unflatten(-1, (8, 32)).transpose(1, 2)
    assert np.array_equal(q, parts[:, :4].numpy())
    assert np.array_equal(k, parts[:, 4:6].mT.numpy())
    assert np.array_equal(v, parts[:, 6:].numpy())


def test_filling_padding_changes_no_number():
    x = numbers(1, 3, 5)
    assert np.array_equal(emulated(lambda x: FillImplicitTilePadding(x, 9.0), x)[0], x.float().numpy())
