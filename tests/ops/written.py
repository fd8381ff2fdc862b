"""Ops and calls as one line of text whose operands are written as types: `add(a=f32[2,3], b=f32[3])`."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import torch

from ttc import ops
from ttc.ir import Op, TensorType, Value, parse_graph
from ttc.ops.torch_types import to_torch

_SHARDS = r"(?: (?:height|block|width)_sharded \d+x\d+ of \d+x\d+)?"
_OPERAND = re.compile(
    rf"(?:bool|bfp?\d+|[iufc]\d+)\[[\d,]*\](?: (?:tile|row_major) (?:dram|l1|host)\b{_SHARDS})?"
    r"(?: padded \[[\d,]*\])?"
)


def op_of(text: str) -> Op:
    """The op that a line says; `full(value=1.0) as f32[2]` for ops that state their type."""
    call, _, type = text.partition(" as ")
    inputs: list[str] = []

    def named(found: re.Match) -> str:
        inputs.append(f'%v{len(inputs)}: {found[0]} = input(name="v{len(inputs)}")')
        return f"%v{len(inputs) - 1}"

    line = _OPERAND.sub(named, call)
    result = f"%y: {type} = " if type else ""
    return parse_graph("graph {\n" + "\n".join([*inputs, result + line]) + "\nreturn\n}").nodes[-1].op


def inferred(op: Op) -> tuple[TensorType, ...]:
    """The result types by the op's rule."""
    types = op.infer()
    return types if isinstance(types, tuple) else (types,)  # type: ignore[return-value]


def evaluated(op: Op) -> tuple[TensorType, ...]:
    """The result types by the op's meaning, of ones; indices are 0, which is in every table."""
    index = getattr(op, "index", None)

    def filler(value: Value) -> torch.Tensor:
        return torch.full(value.shape, 0 if value is index else 1, dtype=to_torch(value.dtype))

    return tuple(ops.type_of(tensor) for tensor in ops.evaluate_op(op, filler))


def changed(text: str, changes: str) -> Op:
    """The op of a line with other fields; a word is put in afterwards, as text takes only those that a field knows."""
    head, _, rest = text.partition("(")
    inner, _, tail = rest.rpartition(")")
    fields = {**_fields(inner), **_fields(changes)}
    words = {name: json.loads(value) for name, value in _fields(changes).items() if value.startswith('"')}
    known = {name: _fields(inner).get(name) if name in words else value for name, value in fields.items()}
    line = ", ".join(f"{name}={value}" for name, value in known.items() if value is not None)
    return replace(op_of(f"{head}({line}){tail}"), **words)  # type: ignore[type-var]


def _fields(text: str) -> dict[str, str]:
    return dict(field.split("=", 1) for field in re.split(r", (?=\w+=)", text))
