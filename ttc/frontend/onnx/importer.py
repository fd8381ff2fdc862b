"""The import of an ONNX graph as ops: nodes are walked, functions expanded, and refusals collected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto

from ttc.errors import UNREADABLE, InputError, NeedsValues, Refusal, Refused, TypeRuleError
from ttc.frontend.onnx import control, table
from ttc.frontend.onnx.attributes import attribute, attributes
from ttc.frontend.onnx.dims import input_types
from ttc.frontend.onnx.emitter import Emitter, Hidden, NeedsValue
from ttc.frontend.onnx.expansion import Expansion
from ttc.frontend.onnx.file import Opened, open_model
from ttc.frontend.onnx.functions import Body, Key, body_of, key_of, local_bodies
from ttc.frontend.onnx.inferred import inferred_types
from ttc.frontend.onnx.refused import DOMAINS, REASONS
from ttc.frontend.onnx.sequence import TAKE_SEQUENCES, Sequence
from ttc.frontend.onnx.states import bound_states
from ttc.frontend.onnx.tensors import Store, weight
from ttc.guard.budget import DEPTH, within
from ttc.guard.collector import collector_waiting
from ttc.guard.torch_settings import own_settings
from ttc.ir import DType, Graph, TensorType, Value, Weight
from ttc.ir.stand_in import enumerated
from ttc.ir.state import state_input
from ttc.ir.weights import NUMPY, float32_to_bf16, in_numpy
from ttc.ops.expr import Expr
from ttc.ops.torch_types import tensor_of


class Poison:
    """The value of an output that a refused node would have made."""


POISON = Poison()
Environment = dict[str, "Expr | Sequence | Poison"]
DEFAULT_DOMAINS = ("", "ai.onnx")


@collector_waiting()
@own_settings()
def load(
    model: str | PathLike | ModelProto | Opened,
    *,
    lengths: Mapping[str, int] | None = None,
    inputs: Mapping[str, Any] | None = None,
    values: Mapping[str, np.ndarray] | None = None,
    states: Mapping[str, str] | None = None,
) -> Graph:
    """Import an ONNX model as a graph of ops; the weights stay where they are until they are read.

    `lengths` binds dynamic sizes by name; `inputs` (arrays or shapes by input name) binds them by example.
    `values` are inputs that become constants of the program, because they decide shapes. `states` binds inputs to the
    outputs that are their numbers in the next run.
    Constants: integers, booleans and single floating numbers are literals of the program (`is_literal`), all
    others are weights by reference, so that the program does not depend on trained data.

    The call raises InputError for an unusable file or unbound sizes, Refused with all that cannot be compiled;
    NeedsValues, a kind of Refused, where `values` would help.
    """
    proto, store = open_model(model)
    importer = Importer(proto, store, states or {})
    return importer.run(_input_types(proto, lengths, inputs), values or {})


def _input_types(proto: ModelProto, lengths: Any, inputs: Any) -> dict:
    try:
        return input_types(proto, lengths, inputs)
    except Refusal as refusal:
        raise Refused([(proto.graph.name or "the model", str(refusal))]) from None


class Importer:
    """One run of `load`: the emitter, the weights found so far, and the reasons collected."""

    def __init__(self, model: ModelProto, store: Store, states: Mapping[str, str]):
        self.model = model
        self.states = states
        self.store = store
        self.opsets = {_domain(entry.domain): entry.version for entry in model.opset_import}
        self.bodies = local_bodies(model)
        self.expansion = Expansion(model, self.bodies)
        self.reasons: list[tuple[str, str]] = []
        self.waiting = 0  # how many of these reasons are values not known yet
        self.initialisers: dict[str, Weight] = {}
        self.open: list[Key] = []  # the functions being expanded, outermost first
        self.types: Mapping[str, TensorType] = {}  # of the inputs
        self.read: list[Value] = []  # what refused nodes take, which no output may need
        self.b: Emitter

    def run(self, types: Mapping[str, TensorType], values: Mapping[str, np.ndarray]) -> Graph:
        graph = self.model.graph
        self.types = types
        try:
            self.expansion.check()
        except Refusal as refusal:
            raise Refused([(graph.name or "the model", str(refusal))]) from None
        found, refused = self.weights(graph)
        self.b = Emitter(found)
        env: Environment = {}
        for name, type in types.items():
            shown = state_input(name) if name in self.states else name
            env[name] = self.bound(name, type, values[name]) if name in values else self.b.input(type, shown)
        env.update(self.constants(found, refused))
        try:
            self.nodes(graph.node, env, self.opsets)
        except Refusal as refusal:
            raise Refused([(graph.name or "the model", str(refusal))]) from None
        outputs = [(output.name, self.lookup(output.name, env, output.name)) for output in graph.output]
        for name, value in outputs:
            if isinstance(value, Sequence):
                self.reasons.append((name, "the output is a sequence: programs give tensors"))
        outputs = bound_states(outputs, env, self.states, self.reasons)
        if self.reasons and self.b.needed:
            alone = self.waiting == len(self.reasons)
            raise NeedsValues(self.reasons, list(self.b.needed), alone, self._rest(outputs))
        if self.reasons:
            raise Refused(self.reasons, (UNREADABLE,), self._rest(outputs))
        return self.b.finish((name, found.value) for name, found in outputs if isinstance(found, Expr))

    def _rest(self, outputs: list[tuple[str, Any]]) -> Graph:
        """Return the readable part of the model, with inputs in place of refused results."""
        results = [found.value for _, found in outputs if isinstance(found, Expr)]
        return self.b.finish(enumerated([*results, *self.read]))

    def bound(self, name: str, type: TensorType, value: np.ndarray) -> Expr:
        """Add an input whose value is part of the program."""
        value = in_numpy(value, type.dtype)
        if type.dtype is DType.bf16 and value.dtype == np.float32:
            value = float32_to_bf16(value).reshape(value.shape)
        if value.shape != type.shape or value.dtype != NUMPY[type.dtype]:
            raise InputError(f"input {name!r} is {value.dtype}{list(value.shape)}, the model takes {type}")
        return self.b.constant(tensor_of(np.ascontiguousarray(value), type.dtype).reshape(type.shape))

    def weights(self, graph: GraphProto) -> tuple[dict[str, Weight], list[str]]:
        """Return the graph's initialisers, and the names of those that cannot be weights (reasons noted)."""
        found: dict[str, Weight] = {}
        refused: list[str] = []
        for tensor in graph.initializer:
            try:
                found[tensor.name] = weight(tensor, self.store)
            except Refusal as refusal:
                self.reasons.append((tensor.name, str(refusal)))
                refused.append(tensor.name)
        for sparse in graph.sparse_initializer:
            self.reasons.append((sparse.values.name, "sparse initialisers are not supported"))
            refused.append(sparse.values.name)
        return found, refused

    def constants(self, found: Mapping[str, Weight], refused: Iterable[str]) -> Environment:
        env: Environment = {name: self.b.initialiser(name, item) for name, item in found.items()}
        env.update((name, POISON) for name in refused)
        return env

    def lookup(self, name: str, env: Environment, where: str) -> Expr | Sequence | Poison:
        if name not in env:
            self.reasons.append((where, f"reads {name!r}, which nothing defines"))
            env[name] = POISON
        return env[name]

    def nodes(self, nodes: Iterable[NodeProto], env: Environment, opsets: Mapping[str, int], inside: str = "") -> None:
        """Import nodes in order; a refused node notes its reason and poisons its outputs."""
        for node in nodes:
            self.expansion.import_node()
            where = inside or node.name or next(filter(None, node.output), node.op_type)
            inputs = [self.lookup(name, env, where) if name else None for name in node.input]
            if any(item is POISON for item in inputs):
                results: list[Any] = [POISON] * len(node.output)
            else:
                results = self.node(node, inputs, env, opsets, where)
            if not inside and any(item is POISON for item in results):
                results = self.stand_ins(node, inputs)
            for name, value in zip(node.output, results, strict=False):
                if name:
                    env[name] = value

    def stand_ins(self, node: NodeProto, inputs: list[Any]) -> list[Any]:
        """Add inputs in place of the results of a refused node of the model's own, where their types are known."""
        operands = [item for item in inputs if isinstance(item, Expr)]
        self.read += [operand.value for operand in operands if not self.b.is_constant(operand)]
        if all(map(self.b.is_constant, operands)):
            return [POISON] * len(node.output)
        types = [self.inferred.get(name) for name in node.output]
        return [self.b.stand_in(type, name) if type else POISON for name, type in zip(node.output, types, strict=True)]

    @cached_property
    def inferred(self) -> Mapping[str, TensorType]:
        """Infer the types of values by ONNX's own rules."""
        return inferred_types(self.model, self.types)

    def node(
        self, node: NodeProto, inputs: list[Any], env: Environment, opsets: Mapping[str, int], where: str
    ) -> list[Any]:
        while inputs and inputs[-1] is None:
            inputs.pop()
        before = len(self.reasons)
        try:
            results = self.results(node, inputs, env, opsets, where)
            wanted = len(node.output)
            while wanted and (wanted > len(results)) and not node.output[wanted - 1]:
                wanted -= 1
            if wanted > len(results):
                raise Refusal(f"its output number {len(results) + 1} is not supported")
            return results
        except (ValueError, IndexError, ZeroDivisionError, OverflowError, RuntimeError) as error:
            # The node's sizes and numbers are the user's: where they contradict each other, it is no defect of ttc.
            self.reasons.append((where, f"{node.op_type}: its inputs and attributes do not fit together ({error})"))
            return [POISON] * len(node.output)
        except Hidden:
            return [POISON] * len(node.output)
        except (Refusal, TypeRuleError) as error:
            if len(self.reasons) == before:
                self.reasons.append((where, f"{node.op_type}: {error}"))
                self.waiting += isinstance(error, NeedsValue)
            return [POISON] * len(node.output)

    def results(
        self, node: NodeProto, inputs: list[Any], env: Environment, opsets: Mapping[str, int], where: str
    ) -> list[Any]:
        """Return the values that a node defines: by its table entry, else by its function body."""
        b, domain = self.b, _domain(node.domain)
        opset = opsets.get(domain, self.opsets.get(domain, 0))
        b.opset, b.outputs = opset, tuple(node.output)
        b.builder.hint, b.builder.location = next(filter(None, node.output), ""), where
        if node.op_type == "Constant" and not domain:
            return [self.constant(node)]
        if node.op_type in control.FORMS and not domain:
            return control.FORMS[node.op_type](self, node, inputs, env, opsets, where)
        if node.op_type not in TAKE_SEQUENCES and any(isinstance(item, Sequence) for item in inputs):
            raise Refusal("takes a sequence, which only sequence operators can")
        local = self.bodies.get(key_of(node))
        entry = None if local else table.find(domain, node.op_type, opset)
        if entry:
            answer = entry.call(b, inputs, attributes(node, domain, opset, entry.attribute_kinds))
            if answer is not table.EXPAND:
                return list(answer) if isinstance(answer, (tuple, list)) else [answer]
        body = local or body_of(node, domain, opset, inputs)
        if body is None:
            raise Refusal(_unsupported(node, domain, opset))
        return self.expand(node, inputs, body, where)

    def expand(self, node: NodeProto, inputs: list[Any], body: Body, where: str) -> list[Any]:
        """Return the results of a function, whose body is imported in place."""
        key = key_of(node)
        if key in self.open:
            raise Refusal("the function calls itself")
        within(len(self.open) + 1, DEPTH, "functions in functions")
        if len(inputs) > len(body.inputs):
            raise Refusal(f"takes at most {len(body.inputs)} inputs, got {len(inputs)}")
        self.open.append(key)
        given = dict(zip(body.inputs, inputs, strict=False))
        env: Environment = {name: given[name] for name in body.inputs if given.get(name) is not None}
        absent = {name for name in body.inputs if name not in env}
        self.nodes(body.nodes(node, absent), env, body.opsets or self.opsets, where)
        self.open.pop()
        wanted = zip(body.outputs, node.output, strict=False)
        return [self.lookup(name, env, where) if used else None for name, used in wanted]

    def inner_constants(self, graph: GraphProto, prefix: str) -> Environment:
        """Return the initialisers of a graph inside a node."""
        found, refused = self.weights(graph)
        env: Environment = {name: self.b.add_weight(f"{prefix}.{name}", item) for name, item in found.items()}
        env.update((name, POISON) for name in refused)
        return env

    def stop_if_refused(self, results: list[Any]) -> None:
        """Stop if a step of a loop could not be imported, as the next steps could not either: Refusal."""
        if any(item is POISON for item in results):
            raise Refusal("its body cannot be compiled")

    def constant(self, node: NodeProto) -> Expr:
        """Return a Constant node's value, by the same rule as an initialiser's."""
        item = node.attribute[0]
        name = node.output[0]
        if item.name == "value":
            found = weight(item.t, self.store)
        elif item.name in ("value_float", "value_floats", "value_int", "value_ints"):
            data = np.array(attribute(item), np.float32 if "float" in item.name else np.int64)
            found = weight(onnx.numpy_helper.from_array(data, name), self.store)
        else:
            raise Refusal(f"a constant given by its {item.name} is not supported")
        return self.b.add_weight(name, found)


def _domain(domain: str) -> str:
    return "" if domain in DEFAULT_DOMAINS else domain


def _unsupported(node: NodeProto, domain: str, opset: int) -> str:
    if reason := REASONS.get((domain, node.op_type)) or DOMAINS.get(domain):
        return reason
    where = f"{domain} (version {opset})" if domain else f"ONNX opset {opset}"
    return f"the operator {node.op_type} of {where} is not supported"
