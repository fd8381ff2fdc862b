"""Models from PyTorch: modules, which are exported for each kind of call, and exported programs."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from ttc.errors import InputError
from ttc.frontend.export import (
    Exported,
    Signature,
    call_key,
    export,
    frozen,
    frozen_weights,
    read_program,
    require_eval,
    symbolic_dims,
)
from ttc.ir import Graph
from ttc.ops.torch_types import to_torch
from ttc.runtime.convert import numbers_of
from ttc.runtime.program import Signature as Types
from ttc.sources.source import Inputs, Source, Specialisation, by_name, unbound


def torch_source(model: Any, args: Any, kwargs: Any, dynamic_shapes: Any, lengths: dict[str, int]) -> Source:
    """The source for a module or an exported program as they are now; InputError for anything else.

    Weights that have data are copied: what is done to the model afterwards changes no form, early or late.
    """
    if isinstance(model, ExportedProgram):
        source = program_source(model, lengths)
        if isinstance(source, ModuleSource):
            return replace(source, module=frozen(source.module))
        graph = source.exported.graph
        return ProgramSource(replace(source.exported, graph=replace(graph, weights=frozen_weights(graph.weights))))
    if not isinstance(model, nn.Module):
        raise InputError(
            f"a model is a path, an ONNX model, a torch module or an exported program, no {type(model).__name__}"
        )
    example = None if args is None and kwargs is None else (tuple(args or ()), dict(kwargs or {}))
    named = named_dims(dynamic_shapes, example, model) if dynamic_shapes is not None and example else {}
    require_eval(model)
    return ModuleSource(frozen(model), example, named, _known(lengths, named))


def program_source(
    program: ExportedProgram, lengths: dict[str, int], files: Collection[Path] = ()
) -> ModuleSource | ProgramSource:
    """The source for an exported program, whose weights are not copied: nobody else must change them.

    One with open sizes is exported anew for each binding of them.
    """
    dims = symbolic_dims(program)
    _known(lengths, dims, [str(name) for name in program.graph_signature.user_inputs])
    if not dims:
        return ProgramSource(read_program(program), files)
    assert program.example_inputs is not None  # torch.export keeps them, in files too
    args, kwargs = program.example_inputs
    return ModuleSource(program.module(), (args, dict(kwargs)), dims, lengths, files)


def _known(
    lengths: dict[str, int], dims: Mapping[int, Mapping[int, str]], inputs: Sequence[str] = ()
) -> dict[str, int]:
    """The lengths, if all of them name a dimension; InputError otherwise.

    It says which dimensions of `inputs` have names, where these are torch's own: an exported program keeps no others.
    """
    names = {name for axes in dims.values() for name in axes.values()}
    unknown = set(lengths) - names
    if unknown:
        places = {f"{name} (dimension {a} of {inputs[n]})" for n, d in dims.items() for a, name in d.items() if inputs}
        there = f"it has {', '.join(sorted(places or names))}"
        there = there if names else "all its sizes are fixed (dynamic_shapes names them)"
        raise InputError(f"the model has no length called {', '.join(sorted(unknown))}: {there}")
    return lengths


@dataclass
class ModuleSource:
    """A module, exported anew for each structure, shapes, dtypes and constants that it is called with.

    `dims` are the names that the user gave to dimensions of the example's leaves, by leaf number and axis.
    """

    module: nn.Module
    example: tuple[tuple[Any, ...], dict[str, Any]] | None
    dims: Mapping[int, Mapping[int, str]]
    lengths: dict[str, int]
    files: Collection[Path] = ()
    signature: Signature | None = field(default=None, init=False)

    def ready(self) -> Specialisation | None:
        """The example's form, if there is one and no named dimension is left open."""
        if self.example is None or self.unbound():
            return None
        return self._specialised(*self._resized(*self.example))

    def unbound(self) -> list[str]:
        """The named sizes that `lengths` leaves open."""
        return unbound(self.dims, self.lengths)

    def undecided(self) -> list[str]:
        """None: tensors decide no shapes in an exported graph."""
        return []

    def for_inputs(self, inputs: Inputs) -> Specialisation:
        """The form for arrays by name or in order; before the first export names are those of `forward`."""
        if self.signature is None:
            args, kwargs = self._first_call(inputs)
            return self._specialised(args, kwargs)
        names = [slot for slot in self.signature.inputs if isinstance(slot, str)]
        named = by_name(inputs, names)
        missing = [name for name in names if name not in named]
        if missing or set(named) - set(names):
            wrong = f"lack {', '.join(missing)}" if missing else f"have no {', '.join(sorted(set(named) - set(names)))}"
            raise InputError(f"the inputs {wrong}; the model takes {', '.join(names)}")
        leaves = [to_tensor(named[s]) if isinstance(s, str) else s.value for s in self.signature.inputs]
        args, kwargs = pytree.tree_unflatten(leaves, self.signature.in_spec)
        return self._specialised(args, kwargs)

    def for_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Specialisation:
        """The form for this call."""
        return self._specialised(args, dict(kwargs))

    def _first_call(self, inputs: Inputs) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if isinstance(inputs, Mapping):
            return (), {name: to_tensor(array) for name, array in inputs.items()}
        arrays = [inputs] if isinstance(inputs, (np.ndarray, Tensor)) else inputs
        return tuple(map(to_tensor, arrays)), {}

    def _specialised(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Specialisation:
        def read() -> tuple[Graph, Signature]:
            exported = export(self.module, args, kwargs)
            self.signature = exported.signature
            return exported.graph, exported.signature

        return Specialisation(call_key(args, kwargs), read, lambda signature: signature.flatten_inputs(args, kwargs))

    def _resized(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The example with its named dimensions at the given lengths."""
        leaves, spec = pytree.tree_flatten((args, kwargs))
        for number, dims in self.dims.items():
            sizes = [self.lengths.get(dims.get(axis, ""), size) for axis, size in enumerate(leaves[number].shape)]
            leaves[number] = leaves[number].new_zeros(sizes)
        return pytree.tree_unflatten(leaves, spec)


@dataclass(frozen=True)
class ProgramSource:
    """An exported program whose sizes are all fixed."""

    exported: Exported
    files: Collection[Path] = ()

    def ready(self) -> Specialisation | None:
        """The program as it is."""
        return self._form({})

    def unbound(self) -> list[str]:
        """None."""
        return []

    def undecided(self) -> list[str]:
        """None: tensors decide no shapes in an exported graph."""
        return []

    def for_inputs(self, inputs: Inputs) -> Specialisation:
        """The only form there is."""
        names = [slot for slot in self.exported.signature.inputs if isinstance(slot, str)]
        return self._form(by_name(inputs, names))

    def for_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Specialisation:
        """The only form there is."""
        return self._form(self.exported.signature.flatten_inputs(args, kwargs))

    def _form(self, inputs: Mapping[str, Any]) -> Specialisation:
        return Specialisation((), lambda: (self.exported.graph, self.exported.signature), lambda signature: inputs)


def named_dims(dynamic_shapes: Any, example: tuple[tuple, dict], model: nn.Module) -> dict[int, dict[int, str]]:
    """The names in torch's `dynamic_shapes` (strings or `Dim`s) by number of the example's leaf and axis."""
    leaves, structure = pytree.tree_flatten(example)
    args, kwargs = pytree.tree_unflatten(range(len(leaves)), structure)
    arguments = inspect.signature(model.forward).bind(*args, **kwargs).arguments  # numbers of leaves in their places
    if not isinstance(dynamic_shapes, Mapping):
        dynamic_shapes = dict(zip(arguments, dynamic_shapes, strict=False))
    unknown = set(dynamic_shapes) - set(arguments)
    if unknown:
        raise InputError(f"dynamic_shapes names {', '.join(sorted(unknown))}, which the call does not give")
    found: dict[int, dict[int, str]] = {}
    for name, spec in dynamic_shapes.items():
        for number, dims in _dims_of_leaves(arguments[name], spec):
            found[number] = {axis: dim for axis, dim in dims.items() if dim}
    return found


def _dims_of_leaves(numbers: Any, spec: Any) -> Iterator[tuple[int, dict[int, str]]]:
    """Each leaf in `numbers` that `spec` says something about, with the names of its axes."""
    if spec is None:
        return
    pairs = spec.items() if isinstance(spec, Mapping) else enumerate(spec)
    if isinstance(numbers, int):
        yield numbers, {axis: dim if isinstance(dim, str) else getattr(dim, "__name__", "") for axis, dim in pairs}
        return
    for key, part in pairs:
        yield from _dims_of_leaves(numbers[key], part)


def to_tensor(array: Any) -> Any:
    """An array as a torch tensor; tensors as they are."""
    if not isinstance(array, np.ndarray):
        return array
    try:
        return torch.from_numpy(np.ascontiguousarray(numbers_of("", array)))
    except TypeError:
        raise InputError(f"an input holds {array.dtype}, not numbers that torch has") from None


def outputs_as_tensors(arrays: Mapping[str, np.ndarray], declared: Types, signature: Signature | None) -> Any:
    """Outputs as torch tensors of their declared dtypes, in the module's structure; a tuple for other models."""
    types = dict(declared)
    tensors = {name: torch.from_numpy(array).to(to_torch(types[name].dtype)) for name, array in arrays.items()}
    if signature is not None:
        return signature.unflatten_outputs(tensors)
    return next(iter(tensors.values())) if len(tensors) == 1 else tuple(tensors.values())
