"""`Program`: a model as TTNN calls, with the signature that its user knows."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from ttc import calls
from ttc.calls.call import Call, spec_of
from ttc.calls.spelling import DTYPES, spelled
from ttc.calls.target import Target, target_named
from ttc.errors import InputError, TtcError
from ttc.ir import Body, Const, DType, Graph, Input, Node, Spec, TensorType, Value, bodies, parse_graph, verify
from ttc.ir.state import state_input, state_name

PROGRAM_DTYPES = {
    "bf16": (DType.bf16, DType.bf16),
    "fp32": (DType.f32, DType.f32),
    "bfp8": (DType.bf16, DType.bfp8),
    "bfp4": (DType.bf16, DType.bfp4),
}
"""The element types of a program's dtype by name: of values, and of weights of products and convolutions."""

Signature = tuple[tuple[str, TensorType], ...]
"""Names and the model's own types, in order."""


@dataclass(frozen=True)
class Program:
    """A graph of calls for one target.

    `inputs` and `outputs` have the types that the model declares (int64, bool, float64 and so on); the graph's own
    types are those on the device. `dtype` is the one that the program was compiled with: bf16, fp32, bfp8 or bfp4.
    """

    graph: Graph
    inputs: Signature
    outputs: Signature
    target: str
    dtype: str

    @property
    def states(self) -> Signature:
        """Return the names of the states' inputs and the model's own types."""
        return tuple((name, type) for name, type in self.inputs if state_name(name) is not None)

    def calls(self) -> Iterator[Node]:
        """Return the nodes that run on the device, in order."""
        return (node for node in self.graph.nodes if isinstance(node.op, Call))

    def constants(self) -> dict[str, Value]:
        """Return the weights' values by reference."""
        return {node.op.ref: node.results[0] for node in self.graph.nodes if isinstance(node.op, Const)}


def check_program(program: Program) -> Program:
    """Return `program` if its graph is well formed, of calls only, and fits its signature; else InputError."""
    _only_calls(program.graph)
    _none_larger(program.graph, target_named(program.target))
    try:
        verify(program.graph)
    except TtcError as error:
        raise InputError(f"the program is not well formed: {error}") from None
    inputs, outputs = program.graph.signature()
    if len(inputs) != len(program.graph.inputs):
        raise InputError("two inputs of the program share a name")
    _same_signature("input", inputs, program.inputs)
    _same_signature("output", outputs, program.outputs)
    return check_states(program)


def check_states(program: Program) -> Program:
    """Return `program` if each state is left as the next run takes it, in the same form on the device; else InputError.

    The spec is the same and so is the model's own type, of an input and an output of each state.
    """
    before, after = ({n: t for n, t in side if state_name(n) is not None} for side in (program.inputs, program.outputs))
    for name in (*before, *after):
        state_input(str(state_name(name)))
    if lonely := sorted(before.keys() ^ after.keys()):
        raise InputError(f"the program has state {state_name(lonely[0])!r} on one side only")
    outputs = dict(program.graph.outputs)
    for name, value in program.graph.states.items():
        if before[name] != after[name] or value.type != outputs[name].type:
            there, left = f"{before[name]} ({value.type})", f"{after[name]} ({outputs[name].type})"
            raise InputError(f"the program takes state {state_name(name)!r} as {there} and leaves {left}")
    return program


def _only_calls(graph: Graph) -> None:
    for node in graph.nodes:
        if not isinstance(node.op, (Call, Input, Const)):
            raise InputError(f"the program contains {node.op.mnemonic}, which is no TTNN call")
        if not all(isinstance(value.type, Spec) for value in node.results):
            raise InputError(f"the program does not say where %{node.results[0].name} lives")
        if strange := {value.dtype for value in node.results} - DTYPES.keys():
            raise InputError(f"TTNN has no element type {strange.pop()}, which {node.op.mnemonic} names")
        if isinstance(node.op, Call):
            _only_known_words(node.op)
        for body in bodies(node.op):
            _only_calls(body)


def _none_larger(graph: Graph, target: Target) -> None:
    """Refuse a value, in loops too, that is larger than the card's memory, by InputError."""
    for node in graph.nodes:
        for value in node.results:
            elements = prod(max(size, 1) for size in spec_of(value).padded_shape)
            if elements * value.dtype.bytes > target.dram_bytes:
                raise InputError(f"%{value.name} is {value.type}, more than the memory of {target.name}")
        for body in bodies(node.op):
            _none_larger(body, target)


def _only_known_words(call: Call) -> None:
    """Refuse an attribute, or a part of one, that TTNN has no word for, by InputError."""
    for name, item in vars(call).items():
        if isinstance(item, (Value, Body, TensorType)) or name.startswith("_"):
            continue
        parts = item if isinstance(item, tuple) else (item,)
        try:
            spelled(tuple(part for part in parts if not isinstance(part, (Value, TensorType))))
        except (KeyError, TypeError):
            raise InputError(f"TTNN has no word for what {call.mnemonic} takes as {name}") from None


def _same_signature(what: str, types: dict[str, TensorType], declared: Signature) -> None:
    if [name for name, _ in declared] != list(types):
        raise InputError(f"the program's {what}s are {', '.join(types)}, its signature says otherwise")
    for name, type in declared:
        if type.dtype.kind in ("float", "complex") and not types[name].dtype.is_float:
            raise InputError(f"{what} {name!r} is {type} in the signature and {types[name]} in the program")
        if types[name].shape != type.shape:
            raise InputError(f"{what} {name!r} is {type} in the signature and {types[name]} in the program")


def storage_type(spec: Spec) -> TensorType:
    """Return the type of a weight in a file: block formats are kept as bf16, which holds all of their numbers."""
    return TensorType(DType.bf16 if spec.dtype in (DType.bfp8, DType.bfp4) else spec.dtype, spec.shape)


def weight_types(*programs: Program) -> dict[str, TensorType]:
    """Return the stored type of each weight of the programs; InputError where two programs want two types of one.

    The initial numbers of a state are a weight too, under the name of the state's input.
    """
    types: dict[str, TensorType] = {}
    for program in programs:
        for ref, value in (*program.constants().items(), *program.graph.states.items()):
            wanted = storage_type(spec_of(value))
            if types.setdefault(ref, wanted) != wanted:
                raise InputError(f"weight {ref!r} is wanted as {types[ref]} and as {wanted}")
    return types


def parse_program(text: str) -> Graph:
    """Read a graph of calls, every call known to ttc; TypeRuleError with the line for anything malformed."""
    for module in pkgutil.iter_modules(calls.__path__):
        importlib.import_module(f"{calls.__name__}.{module.name}")
    return parse_graph(text)
