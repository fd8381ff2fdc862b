"""Traces of a module at several lengths: the ops that its own code calls, and its results that are no tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.utils import _pytree as pytree

from ttc.errors import InputError
from ttc.frontend.export import Constant, Exported, Outline, Signature, call_key, outline, trace

Sizes = Mapping[str, int]


@dataclass
class Traces:
    """The outlines of a module's code by call, and the structure of the first one's results."""

    outlines: dict[Hashable, Outline] = field(default_factory=dict)
    first: tuple[Signature, Sizes] | None = None

    def note(self, call: tuple[tuple[Any, ...], dict[str, Any]], sizes: Sizes, exported: Exported) -> None:
        """Note an export; InputError if a result that is no tensor is another than at the first lengths."""
        self.outlines[call_key(*call)] = outline(exported.program)
        first, then = self.first = self.first or (exported.signature, sizes)
        for (place, own), (_, other) in zip(_constants(first), _constants(exported.signature), strict=False):
            if own != other:
                raise InputError(
                    f"the output {place} is {own!r} at {_words(then)} and {other!r} at {_words(sizes)}: "
                    "return a tensor, or leave it out"
                )

    def outline(self, module: nn.Module, call: tuple[tuple[Any, ...], dict[str, Any]]) -> Outline:
        """Return what the code does in a call, which is traced if it was not read."""
        key = call_key(*call)
        if key not in self.outlines:
            self.outlines[key] = outline(trace(module, *call))
        return self.outlines[key]


def _constants(signature: Signature) -> list[tuple[str, Any]]:
    """Return the results that are no tensors, each with its place in the results."""
    leaves, _ = pytree.tree_flatten_with_path(pytree.tree_unflatten(signature.outputs, signature.out_spec))
    return [(pytree.keystr(path), slot.value) for path, slot in leaves if isinstance(slot, Constant)]


def _words(sizes: Sizes) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items())
