"""Models as PyTorch exports them, in a bucket and at their true lengths."""

from __future__ import annotations

import torch
from torch import nn

from tests.passes.padded_nets import scaled
from ttc import ops
from ttc.frontend.export import export
from ttc.ir import Input
from ttc.passes.padding import Padded, pad

SIZES = (16, 13, 11)


def module(function, *parts) -> nn.Module:
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList(parts)

        def forward(self, x, *others):
            return function(x, *others, *self.parts)

    torch.manual_seed(0)
    return Model().eval()


def steps(length: int, batch: int = 2) -> torch.Tensor:
    """[B, T, 4]"""
    return torch.randn(batch, length, 4)


def padded(model: nn.Module, *makes) -> Padded:
    """`makes` make the inputs for a length, by default `steps`."""
    torch.manual_seed(1)
    inputs = [tuple(make(size) for make in makes or (steps,)) for size in SIZES]
    graphs = [export(model, example, {}).graph for example in inputs]
    return pad(graphs, [{"T": size} for size in SIZES])


def check(model: nn.Module, found: Padded, length: int, *makes) -> None:
    """The valid part is the model's own result at the length; floating padding is NaN."""
    torch.manual_seed(2)
    inputs = [make(length) for make in makes or (steps,)]
    wanted = model(*inputs)
    names = [value.op.name for value in found.graph.inputs if isinstance(value.op, Input)]
    given = dict(zip(names, [in_bucket(tensor, length) for tensor in inputs], strict=False))
    results = ops.evaluate(found.graph, {**given, "T": torch.full((found.samples,), length)})
    for (name, y), reference in zip(results.items(), wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        box = tuple(slice(None if own is None else own.at({"T": length})) for own in found.outputs[name].lengths)
        assert y[box].shape == reference.shape
        assert scaled(y[box].double(), reference.double()) <= 1e-5, name


def in_bucket(x: torch.Tensor, length: int) -> torch.Tensor:
    """x [B, n, ...] with NaN, or zeros of integers and booleans, up to the bucket's size."""
    if x.ndim < 2 or x.shape[1] != length:
        return x
    shape = (x.shape[0], SIZES[0], *x.shape[2:])
    whole = torch.full(shape, float("nan") if x.is_floating_point() else 0).to(x.dtype)
    whole[:, :length] = x
    return whole


def time_last(x: torch.Tensor) -> torch.Tensor:
    return x.transpose(1, 2)
