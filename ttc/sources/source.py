"""The interface of sources: the static graph that a model has at certain sizes, or for a call with certain inputs.

Equal calls get the very same graph, so that they share a program.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ttc.errors import InputError, NeedsValues
from ttc.ir import Graph
from ttc.ir.random import random_kind

Inputs = Mapping[str, Any] | Sequence[Any] | np.ndarray
"""Arrays by input name, in order, or just one."""

Named = Mapping[str, Any]
"""Arrays or tensors by input name."""


class Source(Protocol):
    """A model that may still have sizes to bind."""

    @property
    def files(self) -> Collection[Path]:
        """List the files that the model is read from, as far as known: nothing may be written over them."""
        ...

    def at(self, lengths: Mapping[str, int]) -> Graph | None:
        """Return the graph at these lengths, which go before the source's own; None unless lengths determine one."""
        ...

    def same_code(self, lengths: Mapping[str, int], read: Sequence[Mapping[str, int]]) -> bool:
        """Return whether the model's own code does the same at these lengths as at all those read.

        Code may choose by a size, as `if x.shape[1] > 1` does. A TtcError where the model does not take the lengths.
        """
        ...

    def unbound(self) -> list[str]:
        """List the named sizes that neither lengths nor an example bind."""
        ...

    def needs(self) -> NeedsValues | None:
        """Return the refusal of a form until the values of inputs are known, as far as known.

        These inputs decide shapes: each value has a program of its own.
        """
        ...

    def for_inputs(self, inputs: Inputs) -> tuple[Graph, Named]:
        """Return the graph that these arrays need, and by name the arrays that the graph takes."""
        ...

    def for_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Graph, Named]:
        """Return the graph that this call with torch tensors needs, and by name the tensors that the graph takes."""
        ...

    def inputs_of(self, graph: Graph, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Named:
        """Name the tensors that a call of this graph gives, at whatever sizes."""
        ...

    def outputs_of(self, graph: Graph, arrays: Mapping[str, np.ndarray], given: Named) -> Any:
        """Return outputs as torch tensors of their declared dtypes, in the structure that the model gives them.

        The tensors `given` to the call are changed as the model changes them.
        """
        ...


def unbound(dims: Mapping[Any, Mapping[int, str]], lengths: Mapping[str, int]) -> list[str]:
    """List the names in `dims` (by input and axis) that `lengths` does not bind, in order."""
    names = dict.fromkeys(name for axes in dims.values() for name in axes.values())
    return [name for name in names if name not in lengths]


def by_name(inputs: Inputs, names: Sequence[str]) -> dict[str, Any]:
    """Name a run's inputs, which are given by name, in order, or as one array."""
    if isinstance(inputs, Mapping):
        for name in inputs:
            if not isinstance(name, str):
                raise InputError(f"inputs are given by name, in order or alone; {name!r} is no name")
        return dict(inputs)
    listed = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    if len(listed) != len(names):
        raise InputError(f"the model takes {len(names)} inputs ({', '.join(names)}), got {len(listed)}")
    return dict(zip(names, listed, strict=True))


def without_random(inputs: Inputs) -> tuple[Inputs, dict[str, Any]]:
    """Split inputs into those that the model itself takes, and the random ones."""
    if not isinstance(inputs, Mapping):
        return inputs, {}
    random = {name: item for name, item in inputs.items() if isinstance(name, str) and random_kind(name)}
    return {name: item for name, item in inputs.items() if name not in random}, random
