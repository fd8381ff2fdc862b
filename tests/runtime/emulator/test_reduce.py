import numpy as np
import torch

from tests.runtime.emulator.emulated import emulated
from ttc.calls import reduce as calls
from ttc.calls.scan import Cumsum
from ttc.ir import Layout


def test_sums_are_accumulated_in_fp32():
    x = torch.full((1, 4096), 0.00390625, dtype=torch.bfloat16)
    assert emulated(lambda x: calls.Sum(x, (1,)), x)[0].tolist() == [16.0]


def test_tensix_reads_tf32_and_a_rounded_factor():
    x = torch.full((1, 8), 1 + 2**-11)
    assert emulated(lambda x: calls.Sum(x, (1,)), x)[0][0] == 8 * (1 + 2**-11)
    assert emulated(lambda x: calls.Sum(x, (1,)), x, mode="tensix")[0][0] == 8.0
    x = torch.ones(1, 197, dtype=torch.bfloat16)
    assert emulated(lambda x: calls.Mean(x, (1,)), x)[0][0] == 1.0
    factor = torch.tensor(1 / 197).bfloat16().float()
    assert emulated(lambda x: calls.Mean(x, (1,)), x, mode="tensix")[0][0] == (197 * factor).bfloat16().item()


def test_integers_are_summed_exactly():
    x = torch.tensor([[2**24, 1, 1]], dtype=torch.int32)
    assert emulated(lambda x: calls.Sum(x, (1,)), x)[0].tolist() == [2**24 + 2]


def test_extremes_and_products():
    x = torch.tensor([[1.0, -2.0], [3.0, 0.5]])
    assert emulated(lambda x: calls.Max(x, (0, 1)), x)[0].tolist() == 3.0
    assert emulated(lambda x: calls.Min(x, (1,), True), x)[0].tolist() == [[-2.0], [0.5]]
    assert emulated(lambda x: calls.Prod(x, 0), x)[0].tolist() == [3.0, -1.0]


def test_the_first_of_equals_is_taken():
    x = torch.tensor([[3.0, 5.0, 5.0, 1.0]])
    (index,) = emulated(lambda x: calls.Argmax(x, 1), x)
    assert (index.dtype, index.tolist()) == (np.uint32, [1])
    values, indices = emulated(lambda x: calls.Topk(x, 3, 1, stable=True), x)
    assert values.tolist() == [[5.0, 5.0, 3.0]]
    assert indices.tolist() == [[1, 2, 0]]
    values, indices = emulated(lambda x: calls.Topk(x, 2, 1, False, stable=True), x)
    assert indices.tolist() == [[3, 0]]


def test_argmax_of_integer_rows():
    x = torch.tensor([[3, 2**30, 2**30 + 1]], dtype=torch.int32)
    assert emulated(lambda x: calls.Argmax(x, 1), x, layout=Layout.ROW_MAJOR)[0].tolist() == [2]


def test_prefix_sums_do_not_drift():
    x = torch.full((1, 100_000), 0.1)
    (y,) = emulated(lambda x: Cumsum(x, 1), x)
    assert abs(y[0, -1] - 10_000.0) < 1e-2
    x = torch.ones(1, 3, dtype=torch.int32)
    assert emulated(lambda x: Cumsum(x, 1), x)[0].tolist() == [[1, 2, 3]]
