"""`torch.cond`: both branches, and a choice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ttc
from tests.frontend.exporting import agree
from ttc.errors import InputError, Refused


class Branches(nn.Module):
    """A model that goes one way or the other, with weights and several results on each."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        def positive(x: Tensor) -> tuple[Tensor, Tensor]:
            return self.left(x), x.sum()

        def negative(x: Tensor) -> tuple[Tensor, Tensor]:
            return self.right(x).relu(), x.max()

        first, second = torch.cond(x.mean() > 0, positive, negative, (x,))
        return first + 1, second


class Nested(nn.Module):
    def forward(self, x: Tensor, flag: Tensor) -> Tensor:
        def inner(x: Tensor) -> Tensor:
            return torch.cond(x.sum() > 3, lambda x: x * 2, lambda x: x - 1, (x,))

        return torch.cond(flag, inner, lambda x: x.log(), (x,))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_either_branch(sign: float):
    torch.manual_seed(0)
    model = Branches().eval()
    agree(model, sign * torch.rand(3, 4))


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("size", [0.1, 2.0])
def test_branches_in_branches(flag: bool, size: float):
    agree(Nested(), torch.full((2, 2), size), torch.tensor(flag))


def test_what_the_other_branch_computes_is_not_seen():
    """The logarithm of negative numbers is NaN in the branch that is not taken."""
    compiled = ttc.compile(Nested(), (torch.full((2, 2), -1.0), torch.tensor(True)), dtype="fp32")
    names = list(dict(compiled.build.program.inputs))
    x = torch.full((2, 2), -1.0)
    (found,) = compiled.run(dict(zip(names, (x.numpy(), torch.tensor(True).numpy()), strict=True)), "emulator").values()
    assert (torch.from_numpy(found) == -2).all()


def test_two_choices_of_one_model():
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x * 3, (x,))
            return torch.cond(y.sum() > 0, lambda x: x + 10, lambda x: x * 5, (y,))

    agree(Twice(), torch.randn(3))
    agree(Twice(), -torch.rand(3))


def test_branches_of_different_sizes_are_refused():
    class Uneven(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cond(x.sum() > 0, lambda x: x, lambda x: x[:1], (x,))

    with pytest.raises(InputError, match=r"the branches of torch.cond in .* give \[3\] and \[1\]"):
        ttc.compile(Uneven(), (torch.randn(3),))


def test_what_a_branch_cannot_do_is_named():
    class Special(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cond(x.sum() > 0, lambda x: x.lgamma(), lambda x: x, (x,))

    with pytest.raises(Refused, match="lgamma"):
        ttc.compile(Special(), (torch.randn(3),))


def test_the_users_own_program_keeps_its_branches():
    x = torch.randn(3, 4)
    program = torch.export.export(Branches().eval(), (x,))
    texts = []
    for _ in range(2):
        texts.append(str(ttc.compile(program, dtype="fp32").build.program.graph))
    assert texts[0] == texts[1]
    assert "cond" in str(program.graph)
    torch.testing.assert_close(program.module()(x), program.module()(x))
