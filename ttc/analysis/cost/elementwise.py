"""Elementwise ops and type conversions: the vector unit tile by tile, and tiles from other banks.

Sources: tt-metal's kernels read a tile of each operand, compute, and write a tile, so that a core's time is a sum
over its tiles; a broadcast operand is read and spread anew for each tile.
"""

from __future__ import annotations

from ttc.analysis.cost.amounts import Amounts, is_local, remote, tiles_held
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
    """Count the tiles of a function of two or three operands, or of one and a number."""
    out = work.outputs[0]
    full = [tensor for tensor in work.inputs[:2] if tensor.tiles >= out.tiles]
    found = _stream((*full, out), work, card)
    tiles = found["tile"]
    found["row_broadcast"] = tiles * work.get("ROW_B")
    found["column_broadcast"] = tiles * work.get("COL_B")
    found["slow"] = tiles * _slow(work)
    return found


def unary(work: Work, card: Card) -> Amounts:
    """Count the tiles of a function of one operand."""
    found = _stream((work.inputs[0], work.outputs[0]), work, card)
    return {**found, "slow": found["tile"] * _slow(work)}


def typecast(work: Work, card: Card) -> Amounts:
    """Count the tiles that change their type; integers are rounded to."""
    found = _stream((work.inputs[0], work.outputs[0]), work, card)
    return {**found, "to_integer": found["tile"] * work.outputs[0].dtype.is_integer}


def accumulation(work: Work, card: Card) -> Amounts:
    """Count the tiles of a running sum along a batch dimension."""
    return _stream((work.inputs[0], work.outputs[0]), work, card)


def _stream(tensors: tuple[Tensor, ...], work: Work, card: Card) -> Amounts:
    """Count tiles computed and tiles moved: all go by the general way unless all shards are the cores' own."""
    own = all(is_local(tensor, work) for tensor in tensors)
    moved = remote(tensors, work, card, everything=not own)
    return {"start": 1, "tile": tiles_held(work.outputs[0], work, card), **moved}


def _slow(work: Work) -> bool:
    return not SLOW.isdisjoint(work.op.split())
