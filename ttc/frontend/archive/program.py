"""Program of a `.pt2` file, made safe for torch to read.

torch looks operators up by name, evaluates expressions, and writes names into Python that torch compiles. So
operators are those that the front end knows; names are identifiers; expressions are sizes; and parts for people alone
(stack traces, sources) or for other uses of the program (guards of a program of fixed sizes) are left out.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch._export.serde import schema
from torch._export.serde.schema import ExportedProgram, Graph, Node, TensorArgument
from torch._export.serde.union import _Union as Union

from ttc.errors import UNREADABLE, InputError, Refused
from ttc.frontend.archive.expressions import SYMBOL, check_guard, check_size
from ttc.frontend.archive.magnitude import Magnitudes
from ttc.frontend.archive.operators import stand_in, why_unknown
from ttc.frontend.archive.structure import is_text, keyword_names, plain_structure
from ttc.frontend.archive.unsafe import unsafe
from ttc.frontend.location import own_frame
from ttc.guard.budget import NODES, within

NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)

REGIONS = {f"torch.ops.higher_order.wrap_with_{what}" for what in ("set_grad_enabled", "autocast")}
"""Regions of a module's `torch.no_grad()` and `torch.autocast`: graphs in a graph, which torch writes out."""

DEVICES = {"cpu", "cuda", "xpu", "mps", "hpu", "mtia", "xla", "ipu", "maia"}
"""Devices that torch.autocast takes."""

CONTAINED = {"as_graph", "as_custom_obj", "as_operator", "as_string_to_argument"}
"""Kinds of operands that aten ops do not have."""

DIALECTS = {"ATEN", "TRAINING"}
STRIDED = schema.Layout.Strided
STACK, TRACE = "nn_module_stack", "stack_trace"
MAJOR = schema.SCHEMA_VERSION[0]


def checked_program(program: ExportedProgram) -> ExportedProgram:
    """Return the program, changed in place, without code that torch would run; InputError or Refused otherwise."""
    _check_version(program)
    _Check().program(program)
    module = program.graph_module
    fields = {kind: found.field_names for kind, found in module.treespec_namedtuple_fields.items()}
    module.module_call_graph = [_entry(module.module_call_graph, fields)]
    module.metadata, module.treespec_namedtuple_fields = {}, {}
    program.opset_version = {}
    program.guards_code = program.guards_code if program.range_constraints else []
    for guard in program.guards_code:
        check_guard(guard)
    return program


def _check_version(program: ExportedProgram) -> None:
    found = program.schema_version
    if found.major != MAJOR:
        raise InputError(
            f"it is of version {found.major}.{found.minor} of torch's format, of which {MAJOR} is read: "
            "save it with the torch that is installed here"
        )
    if not program.verifiers or not set(program.verifiers) <= DIALECTS:
        raise InputError(f"its dialect is {', '.join(program.verifiers) or 'not said'}, of which ttc knows none")


def _entry(entries: list[schema.ModuleCallEntry], fields: dict[str, list[str]]) -> schema.ModuleCallEntry:
    """Return the entry of the whole module, which holds its structure; the entries of its parts are not needed."""
    entry = next((entry for entry in entries if entry.fqn == "" and entry.signature), None)
    if entry is None or entry.signature is None:
        raise InputError("it does not tell the structure of its arguments and results")
    signature = entry.signature
    signature.inputs, signature.outputs = [], []
    for name in signature.forward_arg_names or ():
        check_name(name)
    signature.in_spec = plain_structure(signature.in_spec, fields)
    for name in keyword_names(signature.in_spec):
        check_name(name)
    signature.out_spec = plain_structure(signature.out_spec, fields)
    return entry


def check_name(name: str) -> None:
    """Require that a name is an identifier; InputError otherwise."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > 500:
        raise InputError(f"the name {name[:60]!r} is not an identifier, as torch writes them")


def check_path(name: str) -> None:
    """Require that a name can name a parameter, in source code between quotes too; InputError otherwise."""
    if not name or not is_text(name) or len(name) > 2000:
        raise InputError(f"the name {name[:60]!r} is not plain text")


@dataclass
class _Check:
    """Walk over all parts of a program; other ops take the place of operators that are not known.

    `reasons` are those of all such operators, with their places; `alone` those in whose place torch can put nothing.
    """

    reasons: list[tuple[str, str]] = field(default_factory=list)
    alone: bool = False
    nodes: int = 0

    def program(self, program: ExportedProgram) -> None:
        """Check all graphs, and the signature."""
        self._graph(program.graph_module.graph)
        for name in program.range_constraints:
            if not SYMBOL.fullmatch(name):
                raise InputError(f"the size {name[:60]!r} is not named as torch names sizes")
        for spec in (*program.graph_module.signature.input_specs, *program.graph_module.signature.output_specs):
            if str(spec.type) in ("custom_obj", "token"):
                raise unsafe("it holds objects of classes of its own, which ttc does not read")
            self._values(spec.value)
        if self.alone:
            raise Refused(self.reasons, (UNREADABLE,))

    def _graph(self, graph: Graph) -> None:
        if graph.custom_obj_values:
            raise unsafe("it holds objects of classes of its own, which ttc does not read")
        self.nodes += len(graph.nodes)
        within(self.nodes, NODES, "nodes")
        self._values([graph.inputs, graph.outputs])
        self._values([graph.tensor_values, graph.sym_int_values, graph.sym_bool_values, graph.sym_float_values])
        magnitudes = Magnitudes()
        for node in graph.nodes:
            self._node(node, graph)
            magnitudes.add(node)

    def _node(self, node: Node, graph: Graph) -> None:
        node.metadata = _location(node.metadata)
        if node.name is not None:
            check_name(node.name)
        region = node.target in REGIONS
        if not region and (reason := why_unknown(node.target)):
            self._unknown(node, reason, graph)
            return
        for operand in node.inputs:
            if operand.name:
                check_name(operand.name)
            if operand.arg.type == "as_string" and region and operand.arg.value not in DEVICES:
                raise InputError(f"{node.target} names no device: {operand.arg.value[:60]!r}")
            if operand.arg.type == "as_graph" and region:
                check_name(operand.arg.value.name)
                self._graph(operand.arg.value.graph)
            elif operand.arg.type in CONTAINED:
                raise unsafe(f"{node.target} takes an operand of the kind {operand.arg.type}, which ttc does not read")
            else:
                self._values(operand.arg)
        self._values(node.outputs)

    def _unknown(self, node: Node, reason: str, graph: Graph) -> None:
        """Put an op of ours in the place of an operator that torch must not look up, on the tensors that it takes."""
        parts = [part for operand in node.inputs if operand.arg.type not in CONTAINED for part in _parts(operand.arg)]
        operands = [part.name for part in parts if isinstance(part, TensorArgument)]
        for name in operands:
            check_name(name)
        self._values(node.outputs)
        self.reasons.append((_place(node), reason))
        self.alone |= not stand_in(node, operands, reason, graph)

    def _values(self, item: Any) -> None:
        """Check names, sizes and devices in all that a node takes or gives."""
        for part in _parts(item):
            check = _CHECKS.get(type(part))
            if check is not None:
                check(part)


def _parts(item: Any) -> Iterator[Any]:
    """Yield all records within a record, list or mapping."""
    pending = [item]
    while pending:
        part = pending.pop()
        match part:
            case list():
                pending.extend(part)
            case dict():
                for name in part:
                    check_name(name)
                pending.extend(part.values())
            case Union():
                yield part
                if part.type in CONTAINED:
                    raise unsafe(f"it holds a value of the kind {part.type}, which ttc does not read")
                pending.append(part.value)
            case _ if type(part).__module__ == schema.__name__:
                yield part
                pending.extend(vars(part).values())


def _check_names(part: Any) -> None:
    check_name(part.name)


def _check_target(name: str) -> Callable[[Any], None]:
    def check(part: Any) -> None:
        check_path(getattr(part, name))

    return check


def _check_sym(part: Any) -> None:
    if part.type == "as_name":
        check_name(part.value)


def _check_constant(part: schema.ConstantValue) -> None:
    """Check a constant argument, which torch compares with in Python of its own making."""
    if part.type == "as_string" and not is_text(part.value):
        raise InputError(f"the constant argument {part.value[:60]!r} is not plain text")


def _check_argument(part: schema.Argument) -> None:
    if part.type == "as_layout" and part.value is not STRIDED:
        raise InputError("it has sparse tensors, which ttc does not read")


def check_tensor(meta: schema.TensorMeta) -> None:
    """Refuse a tensor of another layout than strided, or of contradictory shape; its device becomes the CPU."""
    if meta.layout is not STRIDED:
        raise InputError("it has sparse tensors, which ttc does not read")
    if len(meta.sizes) != len(meta.strides):
        raise InputError("it has a tensor with more strides than sizes, or fewer")
    if any(item.type == "as_int" and item.value < 0 for item in (*meta.sizes, *meta.strides, meta.storage_offset)):
        raise InputError("it has a tensor of negative size or stride")


def _check_device(part: schema.Device) -> None:
    """Put the CPU in place of the device that the model was exported on."""
    part.type, part.index = "cpu", None


_CHECKS: dict[type, Callable[[Any], None]] = {
    schema.TensorArgument: _check_names,
    schema.InputToConstantInputSpec: _check_names,
    schema.InputToParameterSpec: _check_target("parameter_name"),
    schema.InputToBufferSpec: _check_target("buffer_name"),
    schema.InputToTensorConstantSpec: _check_target("tensor_constant_name"),
    schema.BufferMutationSpec: _check_target("buffer_name"),
    schema.ParameterMutationSpec: _check_target("parameter_name"),
    schema.GradientToParameterSpec: _check_target("parameter_name"),
    schema.GradientToUserInputSpec: _check_target("user_input_name"),
    schema.UserInputMutationSpec: _check_target("user_input_name"),
    schema.SymIntArgument: _check_sym,
    schema.SymFloatArgument: _check_sym,
    schema.SymBoolArgument: _check_sym,
    schema.SymExpr: lambda part: check_size(part.expr_str),
    schema.ConstantValue: _check_constant,
    schema.Argument: _check_argument,
    schema.TensorMeta: check_tensor,
    schema.Device: _check_device,
}


def _location(metadata: dict[str, str]) -> dict[str, str]:
    """Return the metadata that locate a node; of a traceback, which torch writes into code, one frame."""
    stack = metadata.get(STACK, "")
    file, line = own_frame(metadata.get(TRACE, ""))
    trace = f'File "{file}", line {line}' if file else ""
    return {key: text for key, text in ((STACK, stack if is_text(stack) else ""), (TRACE, trace)) if text}


def _place(node: Node) -> str:
    """Return a node's name and the module that it comes from."""
    name = node.name or node.target[:80]
    path = node.metadata.get(STACK, "").split(";")[-1].split(",")[1:2]
    return f"{name} in {path[0]}" if path and path[0] else name
