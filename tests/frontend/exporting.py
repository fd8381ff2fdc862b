"""Compares what the torch.export front end reads with eager torch, result by result."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.utils import _pytree as pytree

from ttc import ops
from ttc.frontend.export import Exported, export
from ttc.ir import verify
from ttc.validation.accuracy import scaled_error


def agree(model: torch.nn.Module, *args, tolerance: float = 1e-5, **kwargs) -> Exported:
    """Export, read and evaluate; structure, dtypes and shapes must be eager's, numbers within `tolerance`."""
    exported = export(model.eval(), args, kwargs)
    verify(exported.graph)
    inputs = exported.signature.flatten_inputs(args, kwargs)
    found = exported.signature.unflatten_outputs(ops.evaluate(exported.graph, inputs))
    with torch.no_grad():
        wanted = model(*args, **kwargs)
    same(found, wanted, tolerance)
    return exported


def same(found, wanted, tolerance: float) -> None:
    (mine, spec), (theirs, their_spec) = pytree.tree_flatten_with_path(found), pytree.tree_flatten_with_path(wanted)
    assert spec == their_spec
    for (path, a), (_, b) in zip(mine, theirs, strict=True):
        name = pytree.keystr(path)
        if not isinstance(b, torch.Tensor):
            assert (type(a), a) == (type(b), b), name
            continue
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        error = scaled_error(a.detach().double().numpy(), b.detach().double().numpy())
        assert error <= tolerance, f"{name}: scaled error {error}"


class Expressions(torch.nn.Module):
    """Gives the value of each Python expression over the tensors it is called with."""

    def __init__(self, expressions: str):
        super().__init__()
        self.expressions = [line.strip() for line in expressions.strip().splitlines()]

    def forward(self, **tensors):
        names = {"torch": torch, "F": F, **tensors}
        return {text: eval(text, names) for text in self.expressions}


def each_agrees(expressions: str, *, tolerance: float = 1e-5, **tensors: torch.Tensor) -> Exported:
    """Each line, an expression over the named tensors, gives what eager torch gives."""
    return agree(Expressions(expressions), tolerance=tolerance, **tensors)
