"""Which calls pools become, and the matrices of linear resampling against torch."""

import pytest
import torch
import torch.nn.functional as F

from tests.backend.test_conv import mnemonics
from ttc.backend.resample import linear_weights, window_means
from ttc.ir import DType

MAX = """
  %x: f32[1,1,144,32] = input(name="x")
  %y: f32[1,1,36,32] = max_pool(x=%x, rows=[1, 12, 12], WINDOW)
  return "y"=%y""".replace("WINDOW", "kernel=[3, 3], stride=[2, 2], padding=[[1, 1], [1, 1]], dilation=[1, 1]")


def test_max_pool_in_bf16_is_one_call():
    assert mnemonics(MAX) == ["max_pool2d"]


def test_max_pool_in_fp32_is_maxima_of_slices_along_each_axis():
    found = mnemonics(MAX, dtype=DType.f32)
    assert found[:3] == ["to_layout", "reshape", "pad"]
    assert found[-2:] == ["reshape", "to_layout"]
    assert (found.count("slice"), found.count("maximum")) == (6, 4)


@pytest.mark.parametrize("dtype", [DType.bf16, DType.f32])
def test_average_pool_is_one_product_while_its_matrix_is_small(dtype):
    small = MAX.replace("max_pool", "avg_pool")
    assert mnemonics(small, dtype=dtype) == ["matmul"]
    large = small.replace("144", "36864").replace("36,32] = avg", "9216,32] = avg").replace("12, 12", "192, 192")
    assert mnemonics(large, dtype=dtype).count("matmul") == 2


@pytest.mark.parametrize(("size", "scale"), [(7, 2), (5, 3), (1, 4)])
def test_linear_weights_interpolate_as_torch_does(size, scale):
    x = torch.randn(1, 2, size, dtype=torch.float64)
    wanted = F.interpolate(x, scale_factor=float(scale), mode="linear")
    assert torch.allclose(x @ linear_weights(size, scale).T, wanted)


@pytest.mark.parametrize("count_padding", [True, False])
def test_window_means_average_as_torch_does(count_padding):
    x = torch.randn(1, 2, 11, dtype=torch.float64)
    wanted = F.avg_pool1d(x, 4, 3, 2, count_include_pad=count_padding)
    counted = (-2, 13) if count_padding else (0, 11)
    means = window_means(11, 4, 3, 2, 1, wanted.shape[-1], counted)
    assert torch.allclose(x @ means.T, wanted)
