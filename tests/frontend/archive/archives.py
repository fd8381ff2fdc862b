"""`.pt2` files for tests: models of a few ops, and how their members are changed."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import nn

from tests.fuzz.mutate_pt2 import PROGRAM, packed, unpacked


class Layer(nn.Module):
    """A product, with parts under torch.no_grad and torch.autocast as transformers' models have them."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("shift", torch.ones(4))

    def forward(self, x: torch.Tensor, y: torch.Tensor, mode: str = "plain") -> dict[str, Any]:
        with torch.no_grad():
            z = self.linear(x) * self.shift
        with torch.autocast("cpu", enabled=False):
            z = z + torch.tensor([1.0, 2.0, 3.0, 4.0])
        return {"rows": z.reshape(x.shape[0] * 4), "pair": (y.sum(0), None)}


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(3, 4), torch.randn(6, 4)


@cache
def static() -> bytes:
    """A file of fixed sizes, with a constant argument."""
    torch.manual_seed(0)
    return saved(torch.export.export(Layer().eval(), inputs(), {"mode": "plain"}))


@cache
def dynamic() -> bytes:
    """A file with an open size, s77 of 3 to 50."""
    torch.manual_seed(0)
    sizes = {"x": {0: torch.export.Dim("n", min=3, max=50)}, "y": None}
    return saved(torch.export.export(Layer().eval(), inputs(), dynamic_shapes=sizes))


def saved(program: torch.export.ExportedProgram) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch says while it saves is not our concern
        torch.export.save(program, buffer)
    return buffer.getvalue()


def changed(data: bytes, name: str, change: Callable[[Any], Any]) -> bytes:
    """The file with a member's JSON changed in place, or replaced by what `change` gives."""
    members = unpacked(data)
    tree = json.loads(members[name])
    members[name] = json.dumps(change(tree) or tree).encode()
    return packed(members)


def with_member(data: bytes, name: str, content: bytes) -> bytes:
    return packed({**unpacked(data), name: content})


def program(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """The file with its program changed."""
    return changed(data, PROGRAM, change)
