import numpy as np
import torch

from tests.runtime.emulator.emulated import emulated
from ttc.calls.index import Embedding, Gather, Scatter, ScatterAdd
from ttc.ir import Layout

ROWS = Layout.ROW_MAJOR
X = torch.arange(10.0).reshape(2, 5)
INDEX = torch.tensor([[4, 0], [1, 1]])


def test_lookups():
    table = torch.arange(12.0).reshape(4, 3).bfloat16()
    assert np.array_equal(
        emulated(Embedding, torch.tensor([[3, 0]]), table, layout=ROWS)[0], [[[9, 10, 11], [0, 1, 2]]]
    )
    assert np.array_equal(emulated(lambda x, i: Gather(x, 1, i), X, INDEX, layout=ROWS)[0], [[4, 0], [6, 6]])


def test_scatters():
    updates = torch.tensor([[10.0, 20.0], [30.0, 40.0]])
    put = emulated(lambda x, i, u: Scatter(x, 1, i, u), X, INDEX[:1].repeat(2, 1), updates, layout=ROWS)[0]
    assert np.array_equal(put, [[20, 1, 2, 3, 10], [40, 6, 7, 8, 30]])
    added = emulated(lambda x, i, u: ScatterAdd(x, 1, i, u), X, INDEX, updates, layout=ROWS)[0]
    assert np.array_equal(added, [[20, 1, 2, 3, 14], [5, 76, 7, 8, 9]])


def test_bf16_sums_are_rounded_once():
    x = torch.tensor([256.0]).bfloat16()
    index, ones = torch.zeros(3, dtype=torch.int64), torch.ones(3).bfloat16()
    assert emulated(lambda x, i, u: ScatterAdd(x, 0, i, u), x, index, ones, layout=ROWS)[0] == [260]
