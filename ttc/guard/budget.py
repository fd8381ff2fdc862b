"""Budgets of the work that a file may ask for: limits far above the needs of real models, checked before the work.

A file of a few bytes can ask for any amount of work: functions that call functions, loops of loops, sizes. A file
that needs more than a budget is refused in a sentence, whoever asks.
"""

from __future__ import annotations

from math import prod

from ttc.errors import Refusal

NODES = 250_000
"""Ops of a program, and nodes of a model with all functions written out and all loops unrolled.

A full-size diffusion transformer has 12,000, a loop unrolled to the most steps some 15,000."""

ELEMENTS = 1 << 36
"""Elements of a value: the largest card's memory holds 2^34 in bf16."""

DIMENSIONS = 64
"""Dimensions of a value, as many as numpy and torch have."""

TABLE = 1 << 24
"""Elements of a tensor computed when compiling: positions, matrices of a transform, a mask of 4,096 by 4,096.

To make, hash and save so many takes a second, and half a gigabyte where each is computed in float64."""

LISTED = 1 << 20
"""Numbers that are looked at one by one when compiling: shapes, indices that decide, positions of a resized axis."""

STEPS = 100_000_000
"""Calls that the loops of a program make together; a recurrence over 72,192 steps makes 2,000,000."""

DEPTH = 64
"""Nesting of functions in functions, and of loops in loops."""

MEMBERS = 1_000_000
"""Members of an archive."""

JSON_PARTS = 20_000_000
"""Values and names in a JSON text; a program of 12,000 nodes has 700,000."""

EXPRESSION_PARTS = 500
"""Names, numbers and operations in one expression of sizes."""

EXPRESSION_BITS = 640
"""Bits of the largest number that one expression of sizes can give, at 63 bits a size."""


READABLE_BITS = 128
"""Bits of the largest number that a sentence writes out: Python refuses to write those of over 4,300 digits."""


def within(count: int, limit: int, what: str) -> None:
    """Refuse in a sentence if `count` of `what` is more than the limit."""
    if count > limit:
        bits = count.bit_length()
        shown = f"{count:,}" if bits <= READABLE_BITS else f"2^{bits - 1} or more"
        raise Refusal(f"{shown} {what} are more than the {limit:,} that ttc takes")


def check_table(*sizes: int) -> None:
    """Refuse a table of these sizes if it is too large to be made when compiling."""
    within(prod(sizes), TABLE, "elements of a table that is made when compiling")
