"""Operands by field: which fields hold some, by their annotation, and what stands for one that is absent."""

from __future__ import annotations

import pytest

from ttc import ops
from ttc.calls.binary import Multiply
from ttc.calls.loop import Loop
from ttc.ir import Builder, DType, Input, Op, TensorType, Value
from ttc.ir.operands import gather_operands, operand_fields


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (ops.Linear, ("x", "w", "bias")),
        (ops.Concat, ("xs",)),
        (ops.Full, ()),
        (ops.Cast, ("x",)),
        (ops.Upsample, ("x",)),
        (ops.Rnn, ("x", "w", "r", "bias", "lengths", "h")),
        (Loop, ("carried", "scanned", "stacked", "captured")),
    ],
)
def test_fields_that_hold_operands(kind: type[Op], names: tuple[str, ...]):
    assert operand_fields(kind) == names


def test_operands_are_found_whether_one_several_or_none():
    x, y = (values(name) for name in "xy")
    found = {x: "tensor x", y: "tensor y"}.__getitem__
    assert gather_operands(ops.Concat((x, y, x), 0), found) == {"xs": ["tensor x", "tensor y", "tensor x"]}
    assert gather_operands(ops.Concat((), 0), found) == {"xs": []}
    assert gather_operands(ops.Linear(x, y), found) == {"x": "tensor x", "w": "tensor y", "bias": None}


def test_numbers_in_the_place_of_operands_are_none():
    x, y = (values(name) for name in "xy")
    op = Multiply(x, 2.0)
    assert op.operands() == (x,)
    assert op.with_operands({x: y}.__getitem__) == Multiply(y, 2.0)


def values(name: str) -> Value:
    return Builder()(Input(TensorType(DType.f32, (2, 2)), name))
