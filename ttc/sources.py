"""Where a model comes from, and how a call with certain inputs picks the one static graph to compile.

A source answers two questions: is there a graph before anybody calls (`ready`), and which graph does this
call need (`for_inputs`, `for_call`)? The answer is a `Specialisation`: calls with equal keys share a program.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ttc.errors import InputError, NeedsValues
from ttc.ir import Graph

if TYPE_CHECKING:
    from ttc.frontend.export import Signature

Inputs = Mapping[str, Any] | Sequence[Any] | np.ndarray
"""Arrays by input name, in order, or just one."""

Lengths = Mapping[str, int | Sequence[int]]


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


def source_of(model: Any, args: Any, kwargs: Any, dynamic_shapes: Any, lengths: Lengths | None) -> Source:
    """The source for what a user hands to `ttc.compile`; InputError for anything else."""
    bound = single_lengths(lengths or {})
    if isinstance(model, (str, PathLike)):
        return _file_source(Path(model), bound)
    if type(model).__module__.startswith("onnx"):
        return _onnx_source(model, bound)
    from ttc.sources_torch import torch_source

    return torch_source(model, args, kwargs, dynamic_shapes, bound)


def single_lengths(lengths: Lengths) -> dict[str, int]:
    """One size for each name; InputError where several are given."""
    bound: dict[str, int] = {}
    for name, sizes in lengths.items():
        listed = [sizes] if isinstance(sizes, int) else list(sizes)
        if len(listed) != 1:
            raise InputError(f"the length {name} has {len(listed)} sizes; one size for each name can be compiled")
        bound[name] = listed[0]
    return bound


def _file_source(path: Path, lengths: dict[str, int]) -> Source:
    match path.suffix:
        case ".onnx":
            return _onnx_source(path, lengths)
        case ".pt2":
            from ttc.frontend.export import open_file
            from ttc.sources_torch import program_source

            return program_source(open_file(path), lengths)
    raise InputError(f"{path}: a model is a .onnx or a .pt2 file")


def _onnx_source(model: Any, lengths: dict[str, int]) -> Source:
    from ttc.frontend.onnx import dynamic_dims, input_names, open_model

    opened = open_model(model)
    return OnnxSource(opened, lengths, dynamic_dims(opened), input_names(opened))


@dataclass(frozen=True)
class OnnxSource:
    """An opened ONNX model; `dims` are its named sizes by input and axis, `lengths` binds some of them.

    Inputs that decide shapes (a Reshape's shape, a Slice's ends) are found by importing: the graph says which
    values it lacks, and gets them from the call.
    """

    opened: Any
    lengths: dict[str, int]
    dims: Mapping[str, Mapping[int, str]]
    names: Sequence[str]
    _deciding: dict[str, None] = field(default_factory=dict, init=False)
    _graphs: dict[Hashable, Graph] = field(default_factory=dict, init=False)

    def ready(self) -> Specialisation | None:
        """The static form, unless a named size is unbound or an input's value decides a shape."""
        if self.unbound():
            return None
        try:
            return self._form({}, {})
        except NeedsValues:
            return None

    def unbound(self) -> list[str]:
        """The named sizes that `lengths` leaves open."""
        return unbound(self.dims, self.lengths)

    def undecided(self) -> list[str]:
        """The inputs that a form has needed the values of."""
        return list(self._deciding)

    def for_inputs(self, inputs: Inputs) -> Specialisation:
        """The form with the unbound sizes of these arrays, and with the values of those that decide shapes."""
        named = by_name(inputs, self.names)
        shapes = {name: np.shape(named[name]) for name in self.dims if name in named} if self.unbound() else {}
        return self._form(shapes, named)

    def for_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Specialisation:
        """As `for_inputs`: positional arguments are inputs in order."""
        if len(args) > len(self.names):
            raise InputError(f"the model takes {len(self.names)} inputs, got {len(args)}")
        return self.for_inputs({**dict(zip(self.names, args, strict=False)), **kwargs})

    def _form(self, shapes: Mapping[str, tuple[int, ...]], named: Mapping[str, Any]) -> Specialisation:
        """The form for these shapes; imports the model as often as that shows another value to be needed."""
        while True:
            values = {name: np.asarray(named[name]) for name in self._deciding if name in named}
            known = tuple((name, str(item.dtype), item.shape, item.tobytes()) for name, item in values.items())
            key = (tuple(shapes.items()), known)
            try:
                if key not in self._graphs:
                    self._graphs[key] = self._read(shapes, values)
                return self._found(key, {name: item for name, item in named.items() if name not in values})
            except NeedsValues as needs:
                self._deciding.update(dict.fromkeys(needs.names))
                if not any(name in named and name not in values for name in needs.names):
                    raise

    def _found(self, key: Hashable, given: Mapping[str, Any]) -> Specialisation:
        return Specialisation(key, lambda: (self._graphs[key], None), lambda signature: given)

    def _read(self, shapes: Mapping[str, tuple[int, ...]], values: Mapping[str, np.ndarray]) -> Graph:
        from ttc.frontend.onnx import load

        return load(self.opened, lengths=self.lengths, inputs=shapes, values=values)


def unbound(dims: Mapping[Any, Mapping[int, str]], lengths: Mapping[str, int]) -> list[str]:
    """The names in `dims` (by input and axis) that `lengths` does not bind, in order."""
    names = dict.fromkeys(name for axes in dims.values() for name in axes.values())
    return [name for name in names if name not in lengths]


def by_name(inputs: Inputs, names: Sequence[str]) -> dict[str, Any]:
    """A run's inputs by name: given so, or in order, or as one array."""
    if isinstance(inputs, Mapping):
        return dict(inputs)
    if isinstance(inputs, np.ndarray) or np.isscalar(inputs) or hasattr(inputs, "detach"):
        inputs = [inputs]
    if len(inputs) != len(names):
        raise InputError(f"the model takes {len(names)} inputs ({', '.join(names)}), got {len(inputs)}")
    return dict(zip(names, inputs, strict=True))
