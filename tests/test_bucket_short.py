"""Lengths below which a model reads other places than at the lengths that it was compiled for."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._pytree import register_pytree_node

import ttc
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError, Refused


class Net(torch.nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "least"),
    [
        (lambda x: torch.roll(x, [8], [0]), 8),  # below 8 the shift is another
        (lambda x: torch.roll(x, [3], [0]), 3),
        (lambda x: x[-3:] * 2, 3),  # of two rows there are two
        (lambda x: x[2:] * 2, 2),
        (lambda x: x[:-5].sum(0), 5),
        (lambda x: torch.cat([x[4:], x[:4]]), 4),
    ],
)
def test_a_length_too_short_for_a_slice_is_refused_and_no_other(function: Callable[[Tensor], Tensor], least: int):
    x = torch.randn(16, 3)
    lengths = ({0: torch.export.Dim("T", min=2, max=64)},)
    compiled = ttc.compile(Net(function), x, dynamic_shapes=lengths, lengths={"T": [12, 16]}, dtype="fp32")
    for length in range(least, 17):
        (found,) = compiled.executable.run([x[:length].numpy()]).values()
        np.testing.assert_allclose(found, function(x[:length]).numpy(), rtol=1e-6, atol=1e-6)
    for length in range(1, least):
        with pytest.raises(InputError, match=rf"too short: the length T - {least} is -{least - length}, the model"):
            compiled.executable.run([x[:length].numpy()])


def of_one_step(x: Tensor) -> Tensor:
    return x * torch.linspace(0, 1, x.shape[0])[:, None]


@pytest.mark.parametrize(
    ("function", "least"),
    [
        (lambda x: x * 2 if x.shape[0] > 2 else x * 3, 3),  # the same ops with other numbers
        (lambda x: x.relu() if x.shape[0] > 5 else x.abs(), 6),
        (lambda x: (x * 2).squeeze(), 2),  # of one row there is no dimension left
        (lambda x: x * min(x.shape[0], 4), 4),
        (lambda x: torch.nn.functional.conv1d(x.T, torch.ones(1, 3, 3)), 3),
        (lambda x: x / max(x.shape[0] - 3, 1), 4),
        (of_one_step, 2),
        (lambda x: x[None].transpose(0, 1).contiguous() * 2, 1),  # of one row no copy is traced
        (lambda x: x / x.shape[0], 1),
        (lambda x: x.index_select(0, torch.tensor([0]) + x.shape[0] - 1), 1),  # a position that a length is added to
        (lambda x: x[x.shape[0] // 2 :] * 2, 1),  # of one row that is all of it, and no slice
        (lambda x: x[-1:].diff(dim=0, prepend=x[:1]), 1),
        (lambda x: x[-1:] - x.mean(0), 1),
        (lambda x: x + torch.arange(x.shape[0])[:, None], 1),
    ],
)
def test_a_length_at_which_the_code_does_something_else_is_refused_and_no_other(
    function: Callable[[Tensor], Tensor], least: int
):
    x = torch.randn(16, 3)
    compiled = ttc.compile(Net(function), x, dynamic_shapes=({0: "T"},), lengths={"T": [12, 16]}, dtype="fp32")
    for length in range(least, 17):
        torch.testing.assert_close(compiled(x[:length]), function(x[:length]), rtol=1e-5, atol=1e-5)
    for length in range(1, least):
        with pytest.raises(InputError, match=r"the inputs are too short: the length T.* is -?[0-9]*, the model needs"):
            compiled(x[:length])


class Pair(torch.nn.Module):
    """A function of two inputs."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.function(x, y)


def of_two_lengths(function: Callable[[Tensor, Tensor], Tensor]) -> Compiled:
    shapes, lengths = ({0: "S"}, {0: "T"}), {"S": [12, 16], "T": [24, 32]}
    return ttc.compile(
        Pair(function), (torch.randn(16, 3), torch.randn(32, 3)), dynamic_shapes=shapes, lengths=lengths, dtype="fp32"
    )


def test_code_that_compares_two_lengths_is_no_other_code_where_they_are_told_apart():
    def function(x: Tensor, y: Tensor) -> Tensor:
        return x @ y.T if x.shape[0] < y.shape[0] else x @ y.T.abs()

    compiled = of_two_lengths(function)
    for s, t in ((16, 17), (1, 32), (3, 18)):
        x, y = torch.randn(s, 3), torch.randn(t, 3)
        torch.testing.assert_close(compiled(x, y), function(x, y), rtol=1e-5, atol=1e-5)
    with pytest.raises(InputError, match="too short: the length T is 16, the model needs 17"):
        compiled(torch.randn(16, 3), torch.randn(16, 3))


@pytest.mark.parametrize("row", [slice(0, 1), slice(2, 3), slice(-1, None)])
def test_one_row_of_a_length_is_repeated_along_another(row: slice):
    def function(x: Tensor, y: Tensor) -> Tensor:
        return x[row].expand(y.shape[0], -1) * y

    compiled = of_two_lengths(function)
    for s, t in ((5, 9), (3, 32), (16, 1)):
        x, y = torch.randn(s, 3), torch.randn(t, 3)
        torch.testing.assert_close(compiled(x, y), function(x, y), rtol=1e-5, atol=1e-5)


def written(x: Tensor, whole: Tensor, start: int) -> Tensor:
    """A copy of a tensor of fixed size into which x is written."""
    whole = whole.clone()
    whole[start : start + x.shape[0]] = x
    return whole


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("number", [0.0, -2.5])
def test_rows_of_a_length_are_written_into_a_number_of_fixed_size(start: int, number: float):
    def function(x: Tensor) -> Tensor:
        return written(x * 2 + 1, torch.full((24, 3), number), start).cumsum(0)

    x = torch.randn(16, 3)
    compiled = ttc.compile(Net(function), x, dynamic_shapes=({0: "T"},), lengths={"T": [12, 16]}, dtype="fp32")
    for length in (1, 11, 12, 13, 16):
        torch.testing.assert_close(compiled(x[:length]), function(x[:length]), rtol=1e-5, atol=1e-5)


def test_rows_of_a_length_are_not_written_into_other_rows():
    net = Net(lambda x: written(x, x[:1].repeat(24, 1), 0))
    with pytest.raises(Refused, match="it joins parts that follow a length to 24 elements at any"):
        ttc.compile(net, torch.randn(16, 3), dynamic_shapes=({0: "T"},), lengths={"T": [12, 16]})


def test_code_that_does_something_else_at_equal_lengths_is_refused():
    with pytest.raises(InputError, match=r"something else where S and T are equal \(16\)"):
        of_two_lengths(lambda x, y: x @ y.T if x.shape[0] != y.shape[0] else x.abs() @ y.T)


class Counts(torch.nn.Module):
    """Gives the number of rows beside them."""

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, int]]:
        return x * 2, {"rows": x.shape[0], "columns": x.shape[1]}


def test_a_python_number_that_follows_a_length_is_no_output():
    x = torch.randn(16, 3)
    assert ttc.compile(Counts(), x, dtype="fp32")(x)[1] == {"rows": 16, "columns": 3}
    with pytest.raises(InputError, match=r"the output 1\.rows is 16 at T=16 and 12 at T=12: return a tensor"):
        ttc.compile(Counts(), x, dynamic_shapes=({0: "T"},), lengths={"T": [12, 16]}, dtype="fp32")


class Result(dict):
    """A class of results that torch has no paths for, as diffusers' are."""


register_pytree_node(
    Result,
    lambda result: (list(result.values()), list(result)),
    lambda values, keys: Result(zip(keys, values, strict=True)),
)


class GivesResult(torch.nn.Module):
    def forward(self, x: Tensor) -> Result:
        return Result(sample=x * 2, missing=None, scale=0.5)


def test_results_of_classes_without_paths_are_read_at_all_lengths():
    x = torch.randn(16, 3)
    compiled = ttc.compile(GivesResult(), x, dynamic_shapes=({0: "T"},), lengths={"T": [12, 16]}, dtype="fp32")
    found = compiled(x[:5])
    assert type(found) is Result
    assert found["scale"] == 0.5
    torch.testing.assert_close(found["sample"], x[:5] * 2)
