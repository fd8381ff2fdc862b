"""The reader of an ExportedProgram: aten ops through the table, parameters and buffers as weights."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.export import ExportedProgram
from torch.export.graph_signature import (
    ConstantArgument,
    InputKind,
    InputSpec,
    OutputKind,
    TensorArgument,
)
from torch.fx import Node

from ttc.errors import UNREADABLE, Refusal, Refused, TypeRuleError
from ttc.frontend.export.complex import Complex, complex_function_for, real_part
from ttc.frontend.export.declared import check_declared, declared_types, dtype_of, gives_complex, type_of
from ttc.frontend.export.functional import functional, live
from ttc.frontend.export.scalar import as_vectors, names_dimension, of_types
from ttc.frontend.export.signature import Signature
from ttc.frontend.export.stand_in_op import STAND_IN, name_and_reason, place_of
from ttc.frontend.export.table import ExportBuilder, binds, function_for
from ttc.frontend.export.undecomposable import refuse_undecomposable
from ttc.frontend.location import location
from ttc.guard.collector import collector_waiting
from ttc.guard.torch_settings import own_settings
from ttc.ir import Const, Graph, Input, Value, Weight, Weights
from ttc.ir.stand_in import enumerated, stand_in
from ttc.ir.state import state_input
from ttc.ops.constant import names_literal
from ttc.ops.expr import Expr
from ttc.ops.torch_types import FROM_TORCH, array_of

MEANINGLESS = {
    "layout",
    "device",
    "pin_memory",
    "memory_format",
    "non_blocking",
    "generator",
    "implicit",
    "requires_grad",
}
"""Keyword operands for the device or layout of torch's tensors."""


def load(program: ExportedProgram) -> Graph:
    """Return the program as ops, as `read` does."""
    return read(program, Signature.of(program))[0]


@collector_waiting()
@own_settings()
def read(program: ExportedProgram, signature: Signature) -> tuple[Graph, Signature]:
    """Read the program as ops; return the signature too, with the inputs that the program changes in place.

    Composites (linear, layer_norm, scaled_dot_product_attention ...) stay whole. Parameters and buffers become
    `Const`s under their own names, without data where they are fake or meta tensors; buffers that the program changes
    become states. Refused with every reason, and with the readable part, if ops cannot be read.
    """
    refuse_undecomposable(program, signature)
    plain = functional(program)
    signature = signature.changing(plain)
    return _Reader(plain, signature).graph(), signature


@dataclass
class _Reader:
    program: ExportedProgram
    signature: Signature
    builder: ExportBuilder = field(default_factory=ExportBuilder)
    values: dict[Node, Any] = field(default_factory=dict)  # expressions, or several of them
    reasons: list[tuple[str, str]] = field(default_factory=list)  # where, and why
    read: list[Value] = field(default_factory=list)  # what refused calls take, which no output may need

    def graph(self) -> Graph:
        self._refuse_mutations()
        stand_ins = (node for node in self.program.graph.nodes if node.target is STAND_IN)
        alive = live(self.program.graph, stand_ins) | dict(self._states).keys()  # others are assertions and leftovers
        self.builder.weights = Weights(dict(self._weights(alive)))
        inputs = iter(self.signature.inputs)
        for node, spec in zip(_placeholders(self.program), self.program.graph_signature.input_specs, strict=True):
            name = next(inputs) if spec.kind is InputKind.USER_INPUT else None
            self._read(node, partial(self._placeholder, node, spec, name, node in alive))
        for node in self.program.graph.nodes:
            if node in alive and node.op not in ("placeholder", "output"):
                self._read(node, partial(self._call, node))
        for node in self.program.graph.output_node().all_input_nodes:
            if isinstance(self.values.get(node), Complex) and node not in dict(self._states).values():
                self.reasons.append((node.name, "a complex result: return torch.view_as_real of it instead"))
        if self.reasons:
            raise Refused(self.reasons, (UNREADABLE,), self._rest())
        return self.builder.finish(self._outputs())

    def _rest(self) -> Graph:
        """Return the readable part of the program, with inputs in place of refused results."""
        results = [value for node in self.program.graph.output_node().all_input_nodes for value in self._parts(node)]
        return self.builder.finish(enumerated([*results, *self.read]))

    def _parts(self, node: Node) -> list[Value]:
        """Return the real tensors that a node has given, if any."""
        found = self.values.get(node)
        listed = found if isinstance(found, (list, tuple)) else (found,)
        parts = [p for x in listed for p in ((x.real, x.imag) if isinstance(x, Complex) else (x,))]
        return [part.value for part in parts if isinstance(part, Expr)]

    def _read(self, node: Node, read: Any) -> None:
        """Record the result of `read`, or the reason for a refusal."""
        try:
            self.values[node] = read()
        except (Refusal, TypeRuleError) as error:
            self.reasons.append((place_of(node), str(error)))
            self.values[node] = self._stand_in(node)

    def _stand_in(self, node: Node) -> Any:
        """Add inputs of the declared types in place of a refused call that depends on inputs; None for other calls."""
        operands = [part for operand in node.all_input_nodes for part in self._parts(operand)]
        self.read += operands
        if gives_complex(node) or self.builder.constants.issuperset(operands):
            return None
        try:
            types = declared_types(node)
        except Refusal:
            return None
        made = [self._expr(stand_in(self.builder, type, f"{node.name}.{number}")) for number, type in enumerate(types)]
        return made[0] if isinstance(node.meta["val"], torch.Tensor) else made

    def _refuse_mutations(self) -> None:
        for name in self.program.graph_signature.parameters_to_mutate.values():
            self.reasons.append((name, f"parameter {name!r} is changed by the model: register it as a buffer"))

    @cached_property
    def _states(self) -> list[tuple[Node, Node]]:
        """List the buffers that the model changes, each with the node that gives the new numbers."""
        signature = self.program.graph_signature
        changed = {name: node for node, name in signature.buffers_to_mutate.items()}
        nodes = {node.name: node for node in self.program.graph.nodes}
        pairs = zip(_placeholders(self.program), signature.input_specs, strict=True)
        return [(before, nodes[changed[spec.target]]) for before, spec in pairs if spec.target in changed]

    def _weights(self, alive: set[Node]) -> Iterator[tuple[str, Weight]]:
        for node, spec in zip(_placeholders(self.program), self.program.graph_signature.input_specs, strict=True):
            tensor = self._tensor(spec)
            if node not in alive or tensor is None:
                continue
            has_data = not isinstance(tensor, FakeTensor) and not tensor.is_meta
            for suffix, part in _real_tensors(tensor).items():
                if part.dtype in FROM_TORCH:
                    yield _ref(spec) + suffix, Weight(type_of(part), partial(array_of, part) if has_data else None)

    def _tensor(self, spec: InputSpec) -> torch.Tensor | None:
        """Return the parameter, buffer or constant behind a placeholder."""
        if spec.target is None:
            return None
        found = self.program.state_dict.get(spec.target, self.program.constants.get(spec.target))
        return found if isinstance(found, torch.Tensor) else None

    def _placeholder(self, node: Node, spec: InputSpec, name: Any, live: bool) -> Any:
        self.builder.hint = self.builder.location = ""
        if spec.kind is InputKind.USER_INPUT and isinstance(spec.arg, ConstantArgument):
            return spec.arg.value
        if spec.kind is InputKind.USER_INPUT and isinstance(spec.arg, TensorArgument):
            return self._expr(self.builder(Input(type_of(node.meta["val"]), name)))
        if not live or spec.kind is InputKind.TOKEN:
            return None
        tensor = self._tensor(spec)
        if tensor is None:
            raise Refusal(f"an operand of kind {spec.kind.name} is not supported")
        if spec.kind is InputKind.CONSTANT_TENSOR and (spec.target or "").startswith("lifted_tensor_"):
            constant = getattr(tensor, "constant", None) if isinstance(tensor, FakeTensor) else tensor
            if constant is not None and not constant.is_meta:
                parts = _real_tensors(constant.detach().cpu()).values()
                return _whole([self.builder.constant(part) for part in parts])
        parts = [(type_of(part), _ref(spec) + suffix) for suffix, part in _real_tensors(tensor).items()]
        if spec.target in self.program.graph_signature.buffers_to_mutate.values():
            return _whole([self._expr(self.builder(Input(type, state_input(ref)))) for type, ref in parts])
        return _whole([self._expr(self.builder(Const(type, ref))) for type, ref in parts])

    def _expr(self, value: Value) -> Expr:
        return Expr(value, self.builder)

    def _call(self, node: Node) -> Any:
        """Return the value or values of one call; None where an operand could not be read."""
        if node.target is operator.getitem:
            return self._result(node.all_input_nodes[0], node.args[1])
        if isinstance(node.target, torch._ops.HigherOrderOperator):
            raise Refusal(f"{node.target} (control flow, or an op with a side effect) is not supported")
        if not isinstance(node.target, torch._ops.OpOverload):
            raise Refusal(f"{getattr(node.target, '__name__', node.target)} computes with a size that is not fixed")
        if node.target is STAND_IN:
            raise Refusal(name_and_reason(node)[1])
        operands = [self.values.get(operand) for operand in node.all_input_nodes]
        complex = any(map(gives_complex, (node, *node.all_input_nodes)))
        function = (complex_function_for if complex else function_for)(node.target)
        if any(operand is None for operand in operands):
            return None
        types = declared_types(node)
        self.builder.result = types[0]
        self.builder.hint, self.builder.location = node.name, location(node)
        users = [user for user in node.users if user.target is operator.getitem]
        self.builder.read = frozenset(user.args[1] for user in users)  # type: ignore[misc]
        args = tuple(self._operand(item) for item in node.args)
        keywords = {key: self._operand(item) for key, item in node.kwargs.items() if key not in MEANINGLESS}
        if not binds(function, args, keywords):
            raise Refusal(f"{node.target} is not supported in this form")
        along = names_dimension(node.target, args, keywords)
        found = function(self.builder, *(as_vectors(args) if along else args), **keywords)
        found = of_types(found, types) if along else found
        if isinstance(found, Complex) and not gives_complex(node):
            found = real_part(found)
        check_declared(found if isinstance(found, (tuple, list)) else (found,), types)
        return found

    def _result(self, source: Node, number: Any) -> Any:
        """Return one of the results of a call; None where the call could not be read."""
        results = self.values.get(source)
        if results is not None and number >= len(results):
            raise Refusal(f"result {number} of {source.target} is not supported: only the first {len(results)} is")
        return None if results is None else results[number]

    def _operand(self, item: Any) -> Any:
        match item:
            case Node():
                return self.values[item]
            case torch.dtype():
                return dtype_of(item)
            case list() | tuple():
                return [self._operand(part) for part in item]
        return item

    def _outputs(self) -> Iterator[tuple[str, Value]]:
        nodes = {node.name: node for node in self.program.graph.nodes}
        user = [s for s in self.program.graph_signature.output_specs if s.kind is OutputKind.USER_OUTPUT]
        for spec, name in zip(user, self.signature.outputs, strict=True):
            if isinstance(name, str):
                yield name, self.values[nodes[spec.arg.name]].value
        inputs = self.program.graph_signature.user_inputs_to_mutate
        for (_, name), node in zip(self.signature.changed, inputs, strict=True):
            yield name, self.values[nodes[node]].value
        for before, after in self._states:
            for old, new in zip(self._parts(before), self._parts(after), strict=True):
                assert isinstance(old.op, Input)
                yield old.op.name, new


def _placeholders(program: ExportedProgram) -> list[Node]:
    return [node for node in program.graph.nodes if node.op == "placeholder"]


def _ref(spec: InputSpec) -> str:
    """Return a weight's own name; "literal." is taken by known tensors."""
    assert spec.target is not None
    return f"weight.{spec.target}" if names_literal(spec.target) else spec.target


def _real_tensors(tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return a tensor, or the parts of a complex one, by the suffix of each part's name."""
    return {".real": tensor.real, ".imag": tensor.imag} if tensor.is_complex() else {"": tensor}


def _whole(parts: list[Expr]) -> Expr | Complex:
    return parts[0] if len(parts) == 1 else Complex(*parts)
