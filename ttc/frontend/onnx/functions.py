"""Functions: those that a model brings along, and the bodies that ONNX gives for operators."""

# pyright: reportAttributeAccessIssue=false
# (the stubs of onnx.defs lack most of what a schema has)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
    if not _changes(node, absent):
        return node
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = ["" if name in absent else name for name in node.input]
    copy.ClearField("attribute")
    copy.attribute.extend(filter(None, (_bound(item, given, absent) for item in node.attribute)))
    return copy


def _changes(node: NodeProto, absent: set[str]) -> bool:
    """Return whether a node, or one in its graphs, refers to an attribute of the function or to an absent input."""
    if absent.intersection(node.input) or any(item.ref_attr_name for item in node.attribute):
        return True
    return any(_changes(inner, absent) for item in node.attribute for inner in item.g.node)


def _bound(item: AttributeProto, given: Mapping[str, AttributeProto], absent: set[str]) -> AttributeProto | None:
    """Put what is given in an attribute, and in the graph that it may be; None if nothing is given for a reference."""
    copy = AttributeProto()
    if item.ref_attr_name:
        if item.ref_attr_name not in given:
            return None
        copy.CopyFrom(given[item.ref_attr_name])
        copy.name = item.name
        return copy
    copy.CopyFrom(item)
    for node in copy.g.node if item.HasField("g") else ():
        node.CopyFrom(_instance(node, given, absent))
    return copy


Key = tuple[str, str, str]
"""A function's domain, name and overload."""


def key_of(node: NodeProto) -> Key:
    """Return the key of the function that a node calls, if the model has such a function."""
    return _plain(node.domain), node.op_type, getattr(node, "overload", "")


def key_of_function(function: FunctionProto) -> Key:
    """Return the key of one of the model's own functions."""
    return _plain(function.domain), function.name, getattr(function, "overload", "")


def _plain(domain: str) -> str:
    """Return a domain's name, that of ONNX's own operators being empty."""
    return "" if domain == "ai.onnx" else domain


def local_bodies(model: ModelProto) -> dict[Key, Body]:
    """Return the model's own functions."""
    found = {}
    for function in model.functions:
        opsets = {_plain(entry.domain): entry.version for entry in function.opset_import}
        defaults = {item.name: item for item in function.attribute_proto}
        found[key_of_function(function)] = Body(function, defaults, opsets)
    return found


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
