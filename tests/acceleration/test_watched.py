"""Changes that a traced call may make, and those that it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ttc.acceleration.watched import watched
from ttc.errors import Refused


class Held(nn.Module):
    """A module that does something to itself or to its arguments."""

    def __init__(self, action: Callable[[Held, Tensor, Any], Any]):
        super().__init__()
        self.action, self.inner = action, nn.Identity()
        self.number, self.nan, self.items, self.names, self.nested = 1, float("nan"), [1, 2], {"a"}, {"k": ({"d": 1},)}
        self.cache: Tensor | None = torch.ones(2)

    def forward(self, x: Tensor, given: Any = None) -> Tensor:
        self.action(self, x, given)
        return x * 2


CHANGES: dict[str, tuple[Callable[[Held, Tensor, Any], Any], str]] = {
    "a number": (lambda m, x, g: setattr(m, "number", 2), "its attribute 'number'"),
    "another type": (lambda m, x, g: setattr(m, "number", 1.0), "its attribute 'number'"),
    "a list": (lambda m, x, g: m.items.append(3), "its attribute 'items'"),
    "a list's item": (lambda m, x, g: m.items.__setitem__(0, 5), "its attribute 'items'"),
    "a set": (lambda m, x, g: m.names.add("b"), "its attribute 'names'"),
    "what is nested": (lambda m, x, g: m.nested["k"][0].update(d=2), "its attribute 'nested'"),
    "a new key": (lambda m, x, g: m.nested.update(d=2), "its attribute 'nested'"),
    "a new attribute": (lambda m, x, g: setattr(m, "new", None), "its attribute 'new'"),
    "no attribute": (lambda m, x, g: delattr(m, "number"), "its attribute 'number'"),
    "a tensor": (lambda m, x, g: setattr(m, "cache", x), "its attribute 'cache'"),
    "an inner module": (lambda m, x, g: setattr(m.inner, "seen", 1), "its attribute 'inner.seen'"),
    "a list given": (lambda m, x, g: g.append(x), "what its arguments hold"),
    "two things": (lambda m, x, g: (g.append(x), setattr(m, "number", 2)), "'number' and what its arguments hold"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_refused(what: str):
    action, words = CHANGES[what]
    model = Held(action)
    with pytest.raises(Refused, match=words):
        watched(model)(torch.ones(2), [torch.zeros(1)])
    assert (model.number, model.items, model.names) == (1, [1, 2], {"a"}), "it is a copy that was called"


KEPT: dict[str, Callable[[Held, Tensor, Any], Any]] = {
    "nothing": lambda m, x, g: None,
    "the same number": lambda m, x, g: setattr(m, "number", 1),
    "no number": lambda m, x, g: setattr(m, "nan", float("nan")),
    "an equal list": lambda m, x, g: setattr(m, "items", [1, 2]),
    "a list and back": lambda m, x, g: (m.items.append(3), m.items.pop()),
    "numbers of a tensor given": lambda m, x, g: g[0].add_(1),
    "a new list with the tensors given": lambda m, x, g: [*g, x],
}


@pytest.mark.parametrize("what", KEPT)
def test_what_is_no_change(what: str):
    model = watched(Held(KEPT[what]))
    torch.testing.assert_close(model(torch.ones(2), [torch.zeros(1)]), torch.full((2,), 2.0))


def test_a_recurrence_lists_its_weights_anew():
    model = nn.LSTM(4, 4).eval()
    x = torch.randn(3, 1, 4)
    torch.testing.assert_close(watched(model)(x)[0], model(x)[0])


def test_hooks_are_left_to_the_call_of_the_module_itself():
    model = nn.Identity()
    model.register_forward_hook(lambda *_: pytest.fail("the copy called it"))
    model.register_forward_pre_hook(lambda *_: pytest.fail("the copy called it"))
    watched(model)(torch.ones(1))
    assert model._forward_hooks
    assert model._forward_pre_hooks
