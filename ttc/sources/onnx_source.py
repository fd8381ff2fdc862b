"""ONNX files and models: named sizes and deciding values are bound by lengths or by the first call."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from ttc.errors import InputError, NeedsValues
from ttc.frontend.onnx import check_lengths, check_states, dynamic_dims, input_names, load, open_model
from ttc.ir import Graph
from ttc.runtime.run.convert import numbers_of
from ttc.sources.source import Inputs, Named, Source, by_name, unbound, without_random


def onnx_source(model: Any, lengths: dict[str, int], states: Mapping[str, str]) -> Source:
    """Open a path, bytes, or a model in memory as the model is now; InputError if the model is unusable."""
    if not isinstance(model, (str, PathLike, bytes)):
        model = _own(model)
    opened = open_model(model)
    check_lengths(opened, lengths)
    check_states(opened, states)
    names = [name for name in input_names(opened) if name not in states]
    return OnnxSource(opened, lengths, dynamic_dims(opened), names, states)


def _own(model: Any) -> ModelProto:
    """Copy a ModelProto, an ONNXProgram of torch's or a model of onnx_ir into a ModelProto of our own."""
    own = ModelProto()
    if isinstance(model, ModelProto):
        own.CopyFrom(model)
        return own
    if type(model).__name__ == "ONNXProgram":
        return model.model_proto
    if type(model).__module__.startswith("onnx_ir") and type(model).__name__ == "Model":
        return import_module("onnx_ir").to_proto(model)
    raise InputError(
        f"an ONNX model is a ModelProto, an onnx_ir.Model or a torch.onnx.ONNXProgram, no {type(model).__name__}"
    )


@dataclass(frozen=True)
class OnnxSource:
    """An opened ONNX model; `dims` are its named sizes by input and axis, `lengths` binds some of them.

    `states` are inputs by the outputs that they take in the next run, `names` all other inputs.

    Inputs that decide shapes (a Reshape's shape, a Slice's ends) are found by importing: the graph says which
    values it lacks, and gets them from the call.
    """

    opened: Any
    lengths: dict[str, int]
    dims: Mapping[str, Mapping[int, str]]
    names: Sequence[str]
    states: Mapping[str, str]
    _deciding: dict[str, None] = field(default_factory=dict, init=False)
    _needs: list[NeedsValues] = field(default_factory=list, init=False)
    _graphs: dict[Hashable, Graph] = field(default_factory=dict, init=False)

    @property
    def files(self) -> Collection[Path]:
        """Return the model's own file and those of its external data."""
        return self.opened[1].files

    def at(self, lengths: Mapping[str, int]) -> Graph | None:
        """Return the graph at these lengths; None if a named size is unbound or an input's value decides a shape."""
        bound = {**self.lengths, **lengths}
        if unbound(self.dims, bound):
            return None
        try:
            return self._graph({}, {})[0] if bound == self.lengths else self._loaded(bound)
        except NeedsValues as needs:
            self._note(needs)
            return None

    def same_code(self, lengths: Mapping[str, int], read: Sequence[Mapping[str, int]]) -> bool:
        """Return True: a graph has no code that chooses by a size."""
        return True

    def unbound(self) -> list[str]:
        """List the named sizes that `lengths` leaves open."""
        return unbound(self.dims, self.lengths)

    def needs(self) -> NeedsValues | None:
        """Return the latest refusal, with all inputs whose values a form has needed."""
        return self._needs[-1] if self._needs else None

    def _note(self, needs: NeedsValues) -> None:
        self._deciding.update(dict.fromkeys(needs.names))
        self._needs.append(NeedsValues(needs.reasons, list(self._deciding), needs.alone, needs.rest))

    def for_inputs(self, inputs: Inputs) -> tuple[Graph, Named]:
        """Return the graph with unbound sizes taken from these arrays, and the values of those that decide shapes."""
        given, random = without_random(inputs)
        named = by_name(given, self.names)
        shapes = {name: np.shape(named[name]) for name in self.dims if name in named} if self.unbound() else {}
        graph, taken = self._graph(shapes, named)
        return graph, {**taken, **random}

    def for_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Graph, Named]:
        """Return the graph and inputs as `for_inputs` does: positional arguments are inputs in order."""
        return self.for_inputs(self._named(args, kwargs))

    def inputs_of(self, graph: Graph, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Named:
        """Name the inputs of a call: positional arguments are inputs in order."""
        return self._named(args, kwargs)

    def outputs_of(self, graph: Graph, arrays: Mapping[str, np.ndarray], given: Named) -> Any:
        """Return the only output, or all outputs in a tuple."""
        from ttc.sources.tensors import as_tensors

        tensors = tuple(as_tensors(arrays, graph).values())
        return tensors[0] if len(tensors) == 1 else tensors

    def _named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if len(args) > len(self.names):
            raise InputError(f"the model takes {len(self.names)} inputs, got {len(args)}")
        positional = dict(zip(self.names, args, strict=False))
        twice = set(positional) & set(kwargs)
        if twice:
            raise InputError(f"the call gives {', '.join(sorted(twice))} twice, by position and by name")
        return {**positional, **kwargs}

    def _loaded(self, lengths: Mapping[str, int], **known: Any) -> Graph:
        return load(self.opened, lengths=lengths, states=self.states, **known)

    def _graph(self, shapes: Mapping[str, tuple[int, ...]], named: Named) -> tuple[Graph, dict[str, Any]]:
        """Import the graph for these shapes, and select the arrays that the graph takes.

        The model is imported as often as an import shows another value to be needed.
        """
        while True:
            values = {name: numbers_of(name, named[name]) for name in self._deciding if name in named}
            known = tuple((name, str(item.dtype), item.shape, item.tobytes()) for name, item in values.items())
            key = (tuple(shapes.items()), known)
            try:
                if key not in self._graphs:
                    self._graphs[key] = self._loaded(self.lengths, inputs=shapes, values=values)
                return self._graphs[key], {name: item for name, item in named.items() if name not in values}
            except NeedsValues as needs:
                self._note(needs)
                if not any(name in named and name not in values for name in needs.names):
                    raise
