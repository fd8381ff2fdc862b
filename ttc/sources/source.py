"""Where a model comes from, and how a call with certain inputs picks the one static graph to compile.

A source answers two questions: is there a graph before anybody calls (`ready`), and which graph does this
call need (`for_inputs`, `for_call`)? The answer is a `Specialisation`: calls with equal keys share a program.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ttc.errors import InputError
from ttc.ir import Graph

if TYPE_CHECKING:
    from ttc.frontend.export import Signature

Inputs = Mapping[str, Any] | Sequence[Any] | np.ndarray
"""Arrays by input name, in order, or just one."""


@dataclass(frozen=True)
class Specialisation:
    """One static form of a model: its key, how to read its graph, and the call's inputs by name.

    Names may be known only after reading: `inputs` is asked with the signature that `read` has given.
    """

    key: Hashable
    read: Callable[[], tuple[Graph, Signature | None]]
    inputs: Callable[[Any], Mapping[str, Any]]


class Source(Protocol):
    """A model that may still have sizes to bind."""

    @property
    def files(self) -> Collection[Path]:
        """The files that the model is read from, as far as known: nothing may be written over them."""
        ...

    def ready(self) -> Specialisation | None:
        """The only form, if the model and its lengths determine one."""
        ...

    def unbound(self) -> list[str]:
        """The named sizes that neither lengths nor an example bind."""
        ...

    def undecided(self) -> list[str]:
        """The inputs, as far as known, whose values decide shapes: each value has a program of its own."""
        ...

    def for_inputs(self, inputs: Inputs) -> Specialisation:
        """The form that these arrays need."""
        ...

    def for_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Specialisation:
        """The form that this call with torch tensors needs."""
        ...


def unbound(dims: Mapping[Any, Mapping[int, str]], lengths: Mapping[str, int]) -> list[str]:
    """The names in `dims` (by input and axis) that `lengths` does not bind, in order."""
    names = dict.fromkeys(name for axes in dims.values() for name in axes.values())
    return [name for name in names if name not in lengths]


def by_name(inputs: Inputs, names: Sequence[str]) -> dict[str, Any]:
    """A run's inputs by name: given so, or in order, or as one array."""
    if isinstance(inputs, Mapping):
        for name in inputs:
            if not isinstance(name, str):
                raise InputError(f"inputs are given by name, in order or alone; {name!r} is no name")
        return dict(inputs)
    listed = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    if len(listed) != len(names):
        raise InputError(f"the model takes {len(names)} inputs ({', '.join(names)}), got {len(listed)}")
    return dict(zip(names, listed, strict=True))
