"""Functions: those that a model brings along, and the bodies that ONNX gives for operators."""

# pyright: reportAttributeAccessIssue=false
# (the stubs of onnx.defs lack most of what a schema has)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import onnx
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, helper

from ttc.frontend.onnx.tensors import ONNX_TYPES
from ttc.ops.expr import Expr


@dataclass(frozen=True)
class Body:
    """A function's body; `defaults` are its attributes' default values, `opsets` empty means the caller's."""

    function: FunctionProto
    defaults: Mapping[str, AttributeProto]
    opsets: Mapping[str, int]

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.function.input)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.function.output)

    def nodes(self, call: NodeProto, absent: set[str]) -> Iterator[NodeProto]:
        """Yield the body's nodes with the call's attributes put in, and absent inputs left empty."""
        given = {**self.defaults, **{item.name: item for item in call.attribute}}
        for node in self.function.node:
            yield _instance(node, given, absent)


def _instance(node: NodeProto, given: Mapping[str, AttributeProto], absent: set[str]) -> NodeProto:
    if not absent.intersection(node.input) and not any(_refers(item) for item in node.attribute):
        return node
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = ["" if name in absent else name for name in node.input]
    copy.ClearField("attribute")
    copy.attribute.extend(filter(None, (_bound(item, given) for item in node.attribute)))
    return copy


def _refers(item: AttributeProto) -> bool:
    if item.type == AttributeProto.GRAPH:
        return any(_refers(inner) for node in item.g.node for inner in node.attribute)
    return bool(item.ref_attr_name)


def _bound(item: AttributeProto, given: Mapping[str, AttributeProto]) -> AttributeProto | None:
    """Replace the references in an attribute (in branches of an If too); None if nothing is given for one."""
    copy = AttributeProto()
    if item.ref_attr_name:
        if item.ref_attr_name not in given:
            return None
        copy.CopyFrom(given[item.ref_attr_name])
        copy.name = item.name
        return copy
    copy.CopyFrom(item)
    if item.type == AttributeProto.GRAPH:
        for node in copy.g.node:
            node.CopyFrom(_instance(node, given, set()))
    return copy


def local_bodies(model: ModelProto) -> dict[tuple[str, str, str], Body]:
    """Return the model's own functions by domain, name and overload."""
    found = {}
    for function in model.functions:
        domain = "" if function.domain == "ai.onnx" else function.domain
        opsets = {"" if e.domain == "ai.onnx" else e.domain: e.version for e in function.opset_import}
        defaults = {item.name: item for item in function.attribute_proto}
        key = (domain, function.name, getattr(function, "overload", ""))
        found[key] = Body(function, defaults, opsets)
    return found


@cache
def attribute_kinds(name: str, domain: str, opset: int) -> Mapping[str, int]:
    """Return the kind (`AttributeProto.type`) of each attribute of an ONNX operator; none for unknown operators."""
    try:
        schema = onnx.defs.get_schema(name, opset, domain)
    except onnx.defs.SchemaError:
        return {}
    return {key: item.type.value for key, item in schema.attributes.items()}


def body_of(node: NodeProto, domain: str, opset: int, inputs: list[Expr | None]) -> Body | None:
    """Return the body that the schema of an ONNX operator gives for this call, or None."""
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, domain)
    except onnx.defs.SchemaError:
        return None
    defaults = {name: item.default_value for name, item in schema.attributes.items() if item.default_value.name}
    if schema.has_context_dependent_function:
        version = max((v for v in schema.context_dependent_function_opset_versions if v <= opset), default=None)
        if version is not None:
            types = [_type(value) for value in inputs]
            body = schema.get_context_dependent_function_with_opset_version(version, node.SerializeToString(), types)
            return _schema_body(body, defaults, version)
    if schema.has_function:
        version = max((v for v in schema.function_opset_versions if v <= opset), default=None)
        if version is not None:
            return _schema_body(schema.get_function_with_opset_version(version), defaults, version)
    return None


def _schema_body(serialised: bytes, defaults: Mapping[str, AttributeProto], version: int) -> Body | None:
    if not serialised:
        return None
    function = FunctionProto.FromString(serialised)
    return Body(function, defaults, {entry.domain: entry.version for entry in function.opset_import} or {"": version})


def _type(value: Expr | None) -> bytes:
    if value is None:
        return onnx.TypeProto().SerializeToString()
    return helper.make_tensor_type_proto(ONNX_TYPES[value.dtype], value.shape).SerializeToString()
