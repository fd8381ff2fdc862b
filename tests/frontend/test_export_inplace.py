"""Assignments in place and through views, as torch.export functionalises them, against eager torch."""

from __future__ import annotations

import pytest
import torch

from tests.frontend.exporting import agree
from ttc.errors import Refused
from ttc.frontend.export import export

X = torch.linspace(-2, 2, 24).reshape(2, 3, 4)
Y = torch.linspace(1, 3, 24).reshape(2, 3, 4)


def through_a_view(x, y):
    x = x.clone()
    view = x.transpose(1, 2)[:, 1:3]
    view.mul_(2).add_(1)
    return x, view


def through_a_chain_of_views(x, y):
    x = x.clone()
    x.view(6, 4)[::2].unsqueeze(0)[0, :, 1] = 7.0
    return x


def of_a_slice(x, y):
    x = x.clone()
    x[:, 1:, ::3] = y[:, 1:, ::3]
    x[..., -1] += y[..., 0]
    return x


def of_positions_of_later_dimensions(x, y):
    a, b, c, d = (x.clone() for _ in range(4))
    a[:, torch.tensor([2, 0])] = y[:, :2]
    b[:, :, torch.tensor([-1])] = y[:, :, :1]
    c[:, torch.tensor([2, 1])] = y[0, 0]
    d[:, torch.tensor([0, 2]), torch.tensor([3, 1])] = y[:, 0, :2]
    put = torch.ops.aten.index_put.default
    e = put(x, [None, torch.tensor([0, 0])], y[:, :2], True)
    f = put(x, [None, torch.tensor(1)], y[:, 1])
    g = put(x, [torch.tensor([1, 0]), None, torch.tensor([3, 3])], y[:, :, 0])
    return a, b, c, d, e, f, g


def of_positions(x, y):
    x = x.clone()
    x[torch.tensor([1, 0]), torch.tensor([2, 0])] = y[0, :2]
    x.index_add_(1, torch.tensor([0, 0, 2]), y)
    return x


def under_a_mask(x, y):
    x = x.clone()
    x[x > 0.5] = 0.0
    x.masked_fill_(y > 2.5, -1.0)
    return x


def before_and_after(x, y):
    """A value read before it is changed keeps what it was."""
    x = x.clone()
    before = x + 1
    alias = x[0]
    x.zero_()
    return before, alias, x + y


def with_an_activation(x, y):
    hidden = x * y
    torch.relu_(hidden)
    hidden.clamp_(max=2).exp_()
    return hidden.copy_(hidden.flip(0))


def of_what_is_expanded(x, y):
    total = torch.zeros(2, 3, 4)
    total += y
    total.transpose_(0, 1).squeeze_()
    total.unsqueeze_(0)
    return total.expand(2, 3, 2, 4) + 0


def of_inputs_that_keep_their_shape(x, y):
    """Neither changes a shape or a stride, so that the caller's tensors can take the numbers."""
    x.squeeze_().detach_().mul_(2)
    y.clone().transpose_(0, 1).add_(1)
    return x + 1, y + 1


def of_sizes_of_one_that_are_expanded(x, y):
    x = x[:1].clone()
    x.expand(1, 3, 4).masked_fill_(y[:1] > 1.5, 0.0)
    return x


def of_parts_of_one_number(x, y):
    """What lies around the part is that number, also where another part was written."""
    a, b, c = x.new_zeros(2, 5, 4), x.new_full((2, 3, 9), -torch.inf), torch.ones(4, 3, 4, dtype=torch.int32)
    d, e = torch.zeros(2, 8, 4, dtype=torch.bool), x.new_full((2, 7, 4), 0.5)
    a[:, :3] = x
    b[..., -6:-2] = y
    c[1:3] = y.int()
    d[:, 2:5] = x > 0
    e[:, 4:] = x
    e[:, :3] = y
    whole, none = x.new_ones(2, 3, 4), x.new_ones(2, 3, 4)
    whole[:] = y
    none[:, 3:] = y[:, :0]
    row = x.new_zeros(4, 3, 4)
    row[-1] = y[0]
    return a, b, c, d, e, whole, none, row


class Function(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, y):
        return self.function(x, y)


CASES = (
    through_a_view,
    through_a_chain_of_views,
    of_a_slice,
    of_positions,
    of_positions_of_later_dimensions,
    under_a_mask,
    before_and_after,
    with_an_activation,
    of_what_is_expanded,
    of_inputs_that_keep_their_shape,
    of_sizes_of_one_that_are_expanded,
    of_parts_of_one_number,
)


@pytest.mark.parametrize("function", CASES, ids=lambda function: function.__name__)
def test_assignment(function):
    agree(Function(function), X.clone(), Y.clone())


def test_results_of_any_structure():
    def structured(x, y):
        return {"a": [x + 1, (y, None)], "b": {"again": x, "number": 3, "text": "t"}}

    agree(Function(structured), X, Y)


def to_an_expanded_tensor(x, y):
    x = x.clone()
    x.expand(2, 2, 3, 4).masked_fill_(y > 1.5, 0.0)  # eager writes x itself; torch's functional form does not
    return x


def to_an_expanded_last_dimension(x, y):
    x = x[..., :1].clone()
    x.expand(2, 3, 4)[0].masked_fill_(torch.tensor(True), 1.0)
    return x


@pytest.mark.filterwarnings("ignore:Use of masked_fill_ on expanded tensors")
@pytest.mark.parametrize("function", [to_an_expanded_tensor, to_an_expanded_last_dimension])
def test_a_write_to_elements_that_share_memory_is_refused(function):
    with pytest.raises(Refused, match=r"masked_fill_ writes to an expanded tensor"):
        export(Function(function), (X.clone(), Y.clone()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("transpose_", lambda x, y: (y.transpose_(0, 1), x + 1)[1]),
        ("transpose_", lambda x, y: (y.mul_(2).transpose_(1, 2).add_(1), x + 1)[1]),
        ("transpose_", lambda x, y: (x.transpose_(0, 1).transpose_(0, 1), y)[1]),
        ("t_", lambda x, y: (x[0], y.t_())[0]),
    ],
)
def test_a_change_of_an_inputs_own_shape_is_refused(name, change):
    y = Y[0, :3, :3].clone() if name == "t_" else Y.clone()
    with pytest.raises(Refused, match=rf"{name} reshapes the input y itself|{name} reshapes the input x itself"):
        export(Function(change), (X.clone(), y))
