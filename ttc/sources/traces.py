"""Traces of a module at several lengths: the ops that its own code calls, and its results that are no tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ttc.errors import InputError
from ttc.frontend.export import Exported, Outline, Signature, call_key, outline, trace
from ttc.ir.lengths import size_words

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
        for (place, own), other in zip(first.constants.items(), exported.signature.constants.values(), strict=False):
            if own != other:
                raise InputError(
                    f"the output {place} is {own!r} at {size_words(then)} and {other!r} at {size_words(sizes)}: "
                    "return a tensor, or leave it out"
                )

    def outline(self, module: nn.Module, call: tuple[tuple[Any, ...], dict[str, Any]]) -> Outline:
        """Return what the code does in a call, which is traced if it was not read."""
        key = call_key(*call)
        if key not in self.outlines:
            self.outlines[key] = outline(trace(module, *call))
        return self.outlines[key]
