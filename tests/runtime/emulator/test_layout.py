import numpy as np
import pytest
import torch

from tests.runtime.emulator.emulated import emulated
from ttc.calls.layout import ToLayout, ToMemoryConfig, Typecast
from ttc.ir import L1, DType, Layout

FLOATS = [1.9, -1.9, 2.5, 3.5, -7.0, 1e12, -1e12, torch.inf, torch.nan]
LARGEST, SMALLEST = 2**31 - 1, -(2**31)


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        (DType.i32, [1, -1, 2, 3, -7, LARGEST, SMALLEST, LARGEST, LARGEST]),
        (DType.u32, [1, 0, 2, 3, 0, 2**32 - 1, 0, 2**32 - 1, 2**32 - 1]),
        (DType.u16, [2, 0, 2, 4, 0, 65535, 0, 65535, 65535]),
    ],
)
def test_floats_to_integers(dtype: DType, wanted: list[int]):
    assert emulated(lambda x: Typecast(x, dtype), torch.tensor(FLOATS))[0].tolist() == wanted


def test_signed_and_unsigned_share_their_bits():
    (y,) = emulated(lambda x: Typecast(x, DType.u32), torch.tensor([-1, 5], dtype=torch.int32))
    assert y.tolist() == [2**32 - 1, 5]
    (y,) = emulated(lambda x: Typecast(x, DType.i32), torch.tensor([2**32 - 1, 5]))
    assert y.tolist() == [-1, 5]


def test_bytes_wrap():
    assert emulated(lambda x: Typecast(x, DType.u8), torch.tensor([257, -1], dtype=torch.int32))[0].tolist() == [1, 255]


def test_large_integers_lose_digits_in_bf16():
    (y,) = emulated(lambda x: Typecast(x, DType.bf16), torch.tensor([257, 100_000], dtype=torch.int32))
    assert y.tolist() == [256.0, float(torch.tensor(1e5).bfloat16())]


def test_moves_keep_every_number():
    x = torch.randn(2, 33)
    assert np.array_equal(emulated(lambda x: ToLayout(x, Layout.ROW_MAJOR), x)[0], x.numpy())
    assert np.array_equal(emulated(lambda x: ToMemoryConfig(x, L1), x)[0], x.numpy())
