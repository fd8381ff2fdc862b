"""Operands: no call reads one buffer twice, which TTNN may bind wrongly when it runs the call's program again."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from ttc.calls.binary import Add, BinaryCall, Multiply
from ttc.calls.call import Call, buffer_of, spec_of
from ttc.calls.concat import Concat
from ttc.calls.lints import read_twice
from ttc.calls.loop import Clone
from ttc.calls.repeat import Repeat
from ttc.calls.target import Target
from ttc.calls.unary import Square
from ttc.errors import Refusal
from ttc.ir import Builder, Graph, Op, Value
from ttc.ir.rewrite import rewrite


def separate_operands(graph: Graph, target: Target) -> Graph:
    """Give each operand of a call a buffer of its own: by a call that reads a value once, else by copies.

        %a = ttnn.add(%x, %x)              %a = ttnn.multiply(%x, 2.0)
        %b = ttnn.multiply(%a, %a)     ->  %b = ttnn.square(%a)
        %c = ttnn.concat([%b, %b], 0)      %c = ttnn.repeat(%b, [2, 1])
        %d = ttnn.matmul(%c, %c)           %c.copy = ttnn.clone(%c)
                                           %d = ttnn.matmul(%c, %c.copy)

    A view is in the buffer that it views. A value that several calls read twice is copied once.
    """
    copies: dict[tuple[Value, int], Value] = {}

    def rule(op: Op, builder: Builder) -> Value | tuple[Value, ...] | None:
        if not isinstance(op, Call) or not read_twice(op):
            return None
        return _read_once(op, builder) or builder.add(_with_copies(op, copies, builder))

    return rewrite(graph, rule)


def _read_once(op: Call, builder: Builder) -> Value | None:
    """Return the same result by a call that reads the value once; None if there is none."""
    match op:
        case BinaryCall(input_tensor_a_activations=(_, *_)) | BinaryCall(input_tensor_b_activations=(_, *_)):
            return None
        case Add(input_tensor_a=Value() as x, input_tensor_b=y, memory_config=memory) if x is y:
            two = 2.0 if x.dtype.is_float else 2
            into, after = op.output_tensor, op.activations
            return builder(Multiply(x, two, memory_config=memory, output_tensor=into, activations=after))
        case Multiply(input_tensor_a=Value() as x, input_tensor_b=y, activations=(), output_tensor=None) if x is y:
            return builder(Square(x, memory_config=op.memory_config))
        case Concat(tensors=(x, *others), dim=dim) if all(other is x for other in others):
            counts = tuple(len(op.tensors) if i == dim else 1 for i in range(x.type.rank))
            with suppress(Refusal):  # in TILE layout whole tiles alone are repeated
                return builder(Repeat(x, counts, memory_config=op.infer().memory))
    return None


def _with_copies(op: Call, copies: dict[tuple[Value, int], Value], builder: Builder) -> Op:
    """Return the call with a copy in place of each operand whose buffer an operand before it has."""
    met: Counter[Value] = Counter()

    def own(value: Value) -> Value:
        times = met[buffer_of(value)]
        met[buffer_of(value)] += 1
        if not times:
            return value
        if (value, times) not in copies:
            copies[value, times] = builder(Clone(value, memory_config=spec_of(value).memory), f"{value.name}.copy")
        return copies[value, times]

    changed: dict[str, Any] = {}
    for field in fields(op):  # type: ignore[arg-type]
        item = getattr(op, field.name)
        if isinstance(item, Value) and field.name != "output_tensor":
            changed[field.name] = own(item)
        elif isinstance(item, tuple) and any(isinstance(part, Value) for part in item):
            changed[field.name] = tuple(own(part) for part in item)
    return replace(op, **changed)  # type: ignore[type-var]
