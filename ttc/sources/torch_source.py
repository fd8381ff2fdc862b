"""Models from PyTorch: modules, which are exported for each kind of call, and exported programs."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from ttc.errors import InputError, NeedsValues
from ttc.frontend.export import (
    Exported,
    Outline,
    Signature,
    alike,
    call_key,
    export,
    frozen,
    frozen_weights,
    read_program,
    require_eval,
    symbolic_dims,
)
from ttc.ir import Graph
from ttc.sources.dynamic_shapes import named_dims
from ttc.sources.modules import require_traceable
from ttc.sources.source import Inputs, Named, Source, by_name, unbound, without_random
from ttc.sources.tensors import as_tensors, require_dense, to_tensor
from ttc.sources.traces import Traces


def module_source(
    model: nn.Module, example: tuple[tuple, dict[str, Any]] | None, dynamic_shapes: Any, lengths: dict[str, int]
) -> ModuleSource:
    """Return the source for a module as the module is now; InputError for arguments that do not fit.

    Weights that have data are copied: what is done to the module afterwards changes no form, early or late.
    """
    require_traceable(model)
    if dynamic_shapes is not None and example is None:
        raise InputError("dynamic_shapes names dimensions of args and kwargs: give these too")
    if example is not None:
        example = pytree.tree_map(to_tensor, example)
    named = named_dims(dynamic_shapes, example, model) if dynamic_shapes is not None and example else {}
    require_eval(model)
    return ModuleSource(frozen(model), example, named, _known(lengths, named))


def exported_source(model: Any, lengths: dict[str, int]) -> Source:
    """Return the source for an exported program as now, as `module_source` does; InputError for anything else."""
    if not isinstance(model, ExportedProgram):
        hint = ", which is a class: give a module made of it" if isinstance(model, type) else _kind_hint(model)
        raise InputError(
            f"a model is a path, an ONNX model, a torch module or an exported program, {_kind(model)}{hint}"
        )
    source = program_source(model, lengths)
    if isinstance(source, ModuleSource):
        return replace(source, module=frozen(source.module))
    graph = source.exported.graph
    return ProgramSource(replace(source.exported, graph=replace(graph, weights=frozen_weights(graph.weights))))


def _kind(model: Any) -> str:
    return f"not {model.__name__}" if isinstance(model, type) else f"no {type(model).__name__}"


def _kind_hint(model: Any) -> str:
    """Advise a user who gives an object that is often taken for a model."""
    if isinstance(model, Mapping):
        return ": a state_dict holds weights, no network; load it into its module and give that"
    return ": write the function as the forward of an nn.Module" if callable(model) else ""


def program_source(
    program: ExportedProgram, lengths: dict[str, int], files: Collection[Path] = ()
) -> ModuleSource | ProgramSource:
    """Return the source for an exported program, whose weights are not copied: nobody else must change them.

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
    """Return the lengths, if all of them name a dimension; InputError otherwise.

    The message says which dimensions of `inputs` have names, where these are torch's own: an exported program
    keeps no others.
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
    bfloat16: set[str] = field(default_factory=set, init=False)
    _exports: dict[Hashable, Exported] = field(default_factory=dict, init=False, repr=False)
    _traces: Traces = field(default_factory=Traces, init=False, repr=False)

    def at(self, lengths: Mapping[str, int]) -> Graph | None:
        """Return the graph for the example at these lengths; None without an example or with an open dimension."""
        bound = {**self.lengths, **lengths}
        if self.example is None or unbound(self.dims, bound):
            return None
        args, kwargs = self._resized(*self.example, bound)
        own = bound == self.lengths
        exported = self._export(args, kwargs) if own else self._exported(args, kwargs)
        if lengths:
            self._traces.note((args, kwargs), bound, exported)
        return exported.graph

    def same_code(self, lengths: Mapping[str, int], read: Sequence[Mapping[str, int]]) -> bool:
        """Return whether the module's code calls the same ops at these lengths as at all those read."""
        return alike(self._outline(lengths), [self._outline(each) for each in read])

    def _outline(self, lengths: Mapping[str, int]) -> Outline:
        assert self.example is not None, "a module without an example has no lengths"
        return self._traces.outline(self.module, self._resized(*self.example, {**self.lengths, **lengths}))

    def unbound(self) -> list[str]:
        """List the named sizes that `lengths` leaves open."""
        return unbound(self.dims, self.lengths)

    def needs(self) -> NeedsValues | None:
        """Return nothing: tensors decide no shapes in an exported graph."""
        return None

    def for_inputs(self, inputs: Inputs) -> tuple[Graph, Named]:
        """Return the graph for arrays by name or in order; before the first export names are those of `forward`.

        A float32 array, which numpy has, stands for a bfloat16 tensor.
        """
        given, random = without_random(inputs)
        args, kwargs = self._call(given) if self.signature else self._first_call(given)
        graph, named = self._for_tensors(args, kwargs)
        return graph, {**named, **random}

    def for_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Graph, Named]:
        """Return the graph for this call, and its tensors by name."""
        call = pytree.tree_map(to_tensor, (args, dict(kwargs)))
        graph = self._graph(*call)
        return graph, self.inputs_of(graph, *call)

    def inputs_of(self, graph: Graph, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Named:
        """Name the tensors of a call; InputError for another structure than the graph's, or for shared memory."""
        return _own_inputs(self._signature(graph), args, kwargs)

    def outputs_of(self, graph: Graph, arrays: Mapping[str, np.ndarray], given: Named) -> Any:
        """Return the outputs in the module's own structure; change the tensors given as the module does."""
        return _outputs(self._signature(graph), as_tensors(arrays, graph), given)

    def _call(self, inputs: Inputs) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Build the call that gives these inputs, in the structure of the last export."""
        assert self.signature is not None
        names = [slot for slot in self.signature.inputs if isinstance(slot, str)]
        named = {name: to_tensor(item) for name, item in by_name(inputs, names).items()}
        missing = [name for name in names if name not in named]
        if missing or set(named) - set(names):
            wrong = f"lack {', '.join(missing)}" if missing else f"have no {', '.join(sorted(set(named) - set(names)))}"
            raise InputError(f"the inputs {wrong}; the model takes {', '.join(names)}")
        for name, item in named.items():
            if not isinstance(item, Tensor):
                raise InputError(f"input {name!r} is no array: it is {type(item).__name__}")
            if name in self.bfloat16 and item.dtype is torch.float32:
                named[name] = item.to(torch.bfloat16)
        leaves = [named[s] if isinstance(s, str) else s.value for s in self.signature.inputs]
        return pytree.tree_unflatten(leaves, self.signature.in_spec)

    def _first_call(self, inputs: Inputs) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if isinstance(inputs, Mapping):
            return (), {name: to_tensor(item) for name, item in by_name(inputs, ()).items()}
        listed = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return tuple(map(to_tensor, listed)), {}

    def _for_tensors(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Graph, Named]:
        graph = self._graph(args, kwargs)
        return graph, self._signature(graph).flatten_inputs(args, kwargs)

    def _graph(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Graph:
        """Return the graph of a call."""
        return self._export(args, kwargs).graph

    def _export(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exported:
        """Export the module for a call; calls with equal keys share one export."""
        for leaf in pytree.tree_leaves((args, kwargs)):
            require_dense(leaf)
        key = call_key(args, kwargs)
        if key not in self._exports:
            self._exports[key] = self._exported(args, kwargs)
        return self._exports[key]

    def _exported(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exported:
        exported = export(self.module, args, kwargs)
        self.signature = exported.signature
        tensors = exported.signature.flatten_inputs(args, kwargs)
        self.bfloat16 = {name for name, item in tensors.items() if item.dtype is torch.bfloat16}
        return exported

    def _signature(self, graph: Graph) -> Signature:
        """Return the structure of the calls that a graph was exported for."""
        return next(exported.signature for exported in self._exports.values() if exported.graph is graph)

    def _resized(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], lengths: Mapping[str, int]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the example with its named dimensions at these lengths."""
        leaves, spec = pytree.tree_flatten((args, kwargs))
        for number, dims in self.dims.items():
            sizes = [lengths.get(dims.get(axis, ""), size) for axis, size in enumerate(leaves[number].shape)]
            leaves[number] = leaves[number].new_zeros(sizes)
        return pytree.tree_unflatten(leaves, spec)


@dataclass(frozen=True)
class ProgramSource:
    """An exported program whose sizes are all fixed."""

    exported: Exported
    files: Collection[Path] = ()

    def at(self, lengths: Mapping[str, int]) -> Graph | None:
        """Return the program's graph: its sizes are fixed."""
        return self.exported.graph

    def same_code(self, lengths: Mapping[str, int], read: Sequence[Mapping[str, int]]) -> bool:
        """Return True: every size is fixed."""
        return True

    def unbound(self) -> list[str]:
        """Return nothing: every size is fixed."""
        return []

    def needs(self) -> NeedsValues | None:
        """Return nothing: tensors decide no shapes in an exported graph."""
        return None

    def for_inputs(self, inputs: Inputs) -> tuple[Graph, Named]:
        """Return the only graph there is, and the inputs by name."""
        given, random = without_random(inputs)
        names = [slot for slot in self.exported.signature.inputs if isinstance(slot, str)]
        return self.exported.graph, {**by_name(given, names), **random}

    def for_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Graph, Named]:
        """Return the only graph there is, and the call's tensors by name."""
        return self.exported.graph, self.inputs_of(self.exported.graph, args, kwargs)

    def inputs_of(self, graph: Graph, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Named:
        """Name the tensors of a call; InputError for another structure than the program's, or for shared memory."""
        return _own_inputs(self.exported.signature, args, kwargs)

    def outputs_of(self, graph: Graph, arrays: Mapping[str, np.ndarray], given: Named) -> Any:
        """Return the outputs in the structure of the module that was exported, and change the tensors given."""
        return _outputs(self.exported.signature, as_tensors(arrays, graph), given)


def _own_inputs(signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Tensor]:
    named = signature.flatten_inputs(*pytree.tree_map(to_tensor, (args, dict(kwargs))))
    signature.require_own_memory(named)
    return named


def _outputs(signature: Signature, tensors: Mapping[str, Tensor], given: Named) -> Any:
    signature.change_inputs(tensors, given)
    return signature.unflatten_outputs(tensors, given)
