"""Elementwise ops and type conversions: the vector unit tile by tile, and tiles from other banks.

Sources: tt-metal's kernels read a tile of each operand, compute, and write a tile; a broadcast operand is spread anew
for each tile. Computing hides behind the waits for tiles of other banks, but for functions of many steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from ttc.analysis.cost.amounts import Amounts, cores_of, dram, is_local, stream, tiles_held
from ttc.analysis.cost.work import Card, Tensor, Work

SLOW = frozenset(
    {
        "ERF", "ERFC", "GELU", "EXP", "EXP2", "EXPM1", "SIN", "COS", "TAN", "SINH", "COSH", "ASIN", "ACOS",
        "ATAN", "TANH", "SIGMOID", "SILU", "LOG", "LOG2", "LOG10", "LOG1P", "RSQRT", "SQRT", "POW", "DIV",
        "LOGICAL_AND", "LOGICAL_OR", "GE", "GT", "LE", "LT", "EQ", "NE", "SOFTPLUS", "MISH", "ELU", "SELU",
    }
)  # fmt: skip
"""Functions that the vector unit takes many steps for."""


def binary(work: Work, card: Card) -> Amounts:
    """Count the tiles of a function of two or three operands, or of one and a number, which a core makes a tile of."""
    out = work.outputs[0]
    full = [tensor for tensor in work.inputs[:2] if tensor.tiles >= out.tiles]
    tiles = tiles_held(out, work, card)
    return {
        **_elementwise(full, work, card),
        "row_broadcast": tiles * work.get("ROW_B"),
        "column_broadcast": tiles * work.get("COL_B"),
        "slow": tiles * (_slow(work) and len(work.inputs) > 1),
        "number": int(len(work.inputs) == 1),
    }


def unary(work: Work, card: Card) -> Amounts:
    """Count the tiles of a function of one operand."""
    tiles = tiles_held(work.outputs[0], work, card)
    return {**_elementwise(work.inputs[:1], work, card), "slow": tiles * _slow(work)}


def typecast(work: Work, card: Card) -> Amounts:
    """Count the tiles that change their type; integers are rounded to."""
    tiles = tiles_held(work.outputs[0], work, card)
    return {**_elementwise(work.inputs[:1], work, card), "to_integer": tiles * work.outputs[0].dtype.is_integer}


def accumulation(work: Work, card: Card) -> Amounts:
    """Count the tiles of a running sum along the outermost dimension: each core has whole sums."""
    out = work.outputs[0]
    most = ceil(out.tiles / out.shape[0] / cores_of(work, card)) * out.shape[0]
    uneven = most / tiles_held(out, work, card)
    found = stream(work.inputs[:1], (out,), work, card)
    return {
        "start": 1,
        **{name: amount if name in ("dram", "fill") else amount * uneven for name, amount in found.items()},
    }


def _elementwise(given: Sequence[Tensor], work: Work, card: Card) -> Amounts:
    """Count the tiles that a core computes from its own shards, or reading ahead; else all that the core waits for."""
    out = work.outputs[0]
    if all(is_local(tensor, work) for tensor in (*given, out)):
        return {"start": 1, "tile": tiles_held(out, work, card)}
    if work.get("read_ahead"):
        return {"start": 1, "fill": 1, "tile": tiles_held(out, work, card), **dram((*given, out), card)}
    return {"start": 1, **stream(given, (out,), work, card, everything=True)}


def _slow(work: Work) -> bool:
    return not SLOW.isdisjoint(work.op.split())
