"""The table of ONNX operators: entries by opset, their declaration and their call.

An entry is a function whose signature is the operator's own: inputs are positional, attributes have
their ONNX names, absent optional inputs are None: `Expr | None`, with a default where no other follows.
A parameter annotated `Ints`, `Int`, `Number` or `Numbers` must be known when compiling, and may come as
an input or, as in older opsets, as an attribute of the same name.

    @onnx_op(since=13)
    def Squeeze(b, x, axes: Ints | None = None): ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from onnx import AttributeProto

from ttc.errors import Refusal

Int = int
Ints = tuple[int, ...]
Number = float | int
Numbers = tuple[float, ...]
KNOWN_KINDS = ("Int", "Ints", "Number", "Numbers")
ATTRIBUTE_KINDS: dict[str, int] = {
    "int": AttributeProto.INT, "float": AttributeProto.FLOAT, "str": AttributeProto.STRING,
    "Ints": AttributeProto.INTS, "Numbers": AttributeProto.FLOATS,
}  # fmt: skip
"""The kind of an attribute by its parameter's annotation or type of default."""

EXPAND = object()
"""The result of an entry that leaves the operator to the function body of its ONNX schema."""

MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class Entry:
    """One table function, valid from opset `since` on; `kinds` gives the annotation of each input.

    The first `required` inputs have no default; those annotated `| None` may be absent all the same.
    """

    function: Callable[..., Any]
    since: int
    inputs: tuple[str, ...]
    kinds: tuple[str, ...]
    required: int
    needed: tuple[str, ...]
    variadic: bool
    attributes: dict[str, bool]  # name -> whether it must be given
    attribute_kinds: dict[str, int]  # name -> AttributeProto.type, as far as the signature tells

    def call(self, b: Any, inputs: list[Any], attributes: dict[str, Any]) -> Any:
        """Call the function for the results; Refusal if the node's inputs or attributes do not fit the signature."""
        count = len(inputs)
        if not self.variadic and count > len(self.inputs):
            raise Refusal(f"takes at most {len(self.inputs)} inputs, got {count}")
        given = dict(zip(self.inputs, inputs, strict=False))
        for name, kind in zip(self.inputs, self.kinds, strict=True):
            if kind and given.get(name) is not None:
                given[name] = b.known(given[name], kind, name)
        rest = inputs[len(self.inputs) :]
        if any(item is None for item in rest):
            raise Refusal("lacks one of its inputs")
        for name, value in attributes.items():
            if name not in self.attributes and name not in self.inputs:
                raise Refusal(f"its attribute {name} = {value!r} is not supported")
            if name in self.inputs[: self.required] and not self.kinds[self.inputs.index(name)]:
                raise Refusal(f"its attribute {name} = {value!r} is not supported: {name} is an input")
            if given.get(name) is None:
                given[name] = value
        for name in self.needed:
            if given.get(name) is None:
                raise Refusal(f"lacks its input {name}")
        for name, needed in self.attributes.items():
            if needed and given.get(name) is None:
                raise Refusal(f"lacks its attribute {name}")
        positional = [given.pop(name, None) for name in self.inputs[: self.required]]
        if rest:
            positional += [given.pop(name, None) for name in self.inputs[self.required :]]
        return self.function(b, *positional, *rest, **{k: v for k, v in given.items() if v is not None})


_TABLE: dict[tuple[str, str], list[Entry]] = {}


def onnx_op(name: str = "", *, since: int = 1, domain: str = "") -> Callable[[Callable], Callable]:
    """Register a function for an operator (default: its own name) from an opset version on."""

    def register(function: Callable) -> Callable:
        entries = _TABLE.setdefault((domain, name or function.__name__), [])
        entries.append(_entry(function, since))
        entries.sort(key=lambda entry: -entry.since)
        return function

    return register


def _entry(function: Callable, since: int) -> Entry:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    inputs = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    kinds = tuple(next((k for k in KNOWN_KINDS if _annotation(p) == k), "") for p in inputs)
    return Entry(
        function,
        since,
        tuple(p.name for p in inputs),
        kinds,
        sum(p.default is p.empty for p in inputs),
        tuple(p.name for p in inputs if p.default is p.empty and not str(p.annotation).endswith("| None")),
        any(p.kind is p.VAR_POSITIONAL for p in parameters),
        {p.name: p.default is p.empty for p in options},
        {p.name: kind for p in options if (kind := _attribute_kind(p))},
    )


def _annotation(parameter: inspect.Parameter) -> str:
    """Return a parameter's annotation, as written, without the rest of a union."""
    return str(parameter.annotation).split(" ")[0]


def _attribute_kind(parameter: inspect.Parameter) -> int | None:
    """Return the kind of an attribute by its parameter's annotation, else by its default; None if neither tells."""
    written = ATTRIBUTE_KINDS.get(_annotation(parameter))
    return written or ATTRIBUTE_KINDS.get(type(parameter.default).__name__)


def find(domain: str, name: str, opset: int) -> Entry | None:
    """Find the entry for an operator at an opset version, or None."""
    for entry in _TABLE.get((domain, name), ()):
        if entry.since <= opset:
            return entry
    return None


def entries() -> dict[str, Entry]:
    """Return the newest entry of each operator, by name, the domain before the name where not ONNX's own."""
    return {f"{domain}.{name}" if domain else name: found[0] for (domain, name), found in _TABLE.items()}


def names() -> dict[str, list[str]]:
    """Return all operators in the table, by domain."""
    found: dict[str, list[str]] = {}
    for domain, name in sorted(_TABLE):
        found.setdefault(domain, []).append(name)
    return found
