"""Masks that let every query see a key: proven for the key at a position that the mask is made from."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ttc import ops
from ttc.ir import Builder, Value
from ttc.ops.folding import known
from ttc.ops.ranges import interval
from ttc.ops.shape import before_reshapes

DEEPEST = 24
"""Number of ops that are looked at, one before the other."""


def lets_a_key_through(mask: Value, builder: Builder) -> bool:
    """Return whether each row of a boolean mask [.., keys] is True at one key: at that of a position within the keys.

    The position p, a number in 0 .. keys - 1, is compared with the numbers of the keys: k <= p and k == p hold for
    k = p, and so does what "and", "or" and a choice make of these.
    """
    return any(_holds(mask, mask.shape[-1], place, builder, DEEPEST) for place in set(_places(mask, builder, DEEPEST)))


def _places(mask: Value, builder: Builder, depth: int) -> Iterator[Value]:
    """Yield the positions within the keys that the keys' numbers are compared with in a mask."""
    if depth == 0:
        return
    compared = _compared(mask, mask.shape[-1], builder) if mask.type.rank else None
    if compared is not None and interval(compared).low >= 0 and interval(compared).high < mask.shape[-1]:
        yield compared
    elif mask.type.rank:
        for operand in mask.op.operands():
            yield from _places(operand, builder, depth - 1)


def _holds(mask: Value, keys: int, place: Value, builder: Builder, depth: int) -> bool:
    """Return whether a mask [.., keys], or one number for all keys, is surely not 0 at the key of a position."""
    number = ops.number_of(mask)
    if number is not None:
        return number != 0
    if depth == 0 or (mask.type.rank and mask.shape[-1] not in (1, keys)):
        return False

    def holds(value: Value) -> bool:
        return _holds(value, keys, place, builder, depth - 1)

    match mask.op:
        case ops.Le() | ops.Ge() | ops.Eq():
            return _compared(mask, keys, builder) is place
        case ops.And(a=a, b=b):
            return holds(a) and holds(b)
        case ops.Or(a=a, b=b):
            return holds(a) or holds(b)
        case ops.Where(condition=condition, a=a, b=b):
            return (holds(condition) and holds(a)) or (holds(a) and holds(b))
        case ops.Cast(x=x) if mask.dtype.is_integer or x.dtype.is_integer or x.dtype is mask.dtype:
            return holds(x)
        case ops.Reshape(x=x) | ops.Expand(x=x) if x.type.rank and x.shape[-1] == mask.shape[-1]:
            return holds(x)
    return False


def _compared(mask: Value, keys: int, builder: Builder) -> Value | None:
    """Return the position p where a mask is k <= p or k == p for the numbers k = 0 .. keys - 1; None otherwise."""
    match mask.op:
        case ops.Le(a=line, b=place) | ops.Ge(a=place, b=line):
            pairs = [(line, place)]
        case ops.Eq(a=a, b=b):
            pairs = [(a, b), (b, a)]
        case _:
            return None
    found = (place for line, place in pairs if place.type.numel == 1 and _counts(line, keys, builder))
    return next(map(before_reshapes, found), None)


def _counts(line: Value, keys: int, builder: Builder) -> bool:
    numbers = known(line, builder)
    return numbers is not None and line.shape[-1:] == (keys,) and torch.equal(numbers.flatten(), torch.arange(keys))
