"""How much work a file may ask for: limits far above what real models need, checked before the work is done.

A file of a few bytes can ask for as much as one likes: functions that call functions, loops of loops, sizes. What
needs more than this is refused in a sentence, whoever asks for it.
"""

from __future__ import annotations

from math import prod

from ttc.errors import Refusal

NODES = 250_000
"""Ops of a program, and nodes of a model with all functions written out and all loops unrolled.

A full-size diffusion transformer has 12,000, a loop unrolled to the most steps some 15,000."""

ELEMENTS = 1 << 36
"""Elements of a value: the largest card's memory holds 2^34 in bf16."""

TABLE = 1 << 26
"""Elements of what is computed when compiling: positions, masks, matrices of a transform; half a gigabyte."""

LISTED = 1 << 20
"""Numbers that are looked at one by one when compiling: shapes, indices that decide, positions of a resized axis."""

STEPS = 100_000_000
"""Calls that the loops of a program make together; a recurrence over 72,192 steps makes 2,000,000."""

DEPTH = 64
"""Functions in functions, and loops in loops."""

MEMBERS = 1_000_000
"""Members of an archive."""

JSON_PARTS = 20_000_000
"""Values and names in a JSON text; a program of 12,000 nodes has 700,000."""

EXPRESSION_PARTS = 500
"""Names, numbers and operations in one expression of sizes."""

EXPRESSION_BITS = 640
"""Bits of the largest number that one expression of sizes can give, if each size has 63."""


def within(count: int, limit: int, what: str) -> None:
    """Refusal in a sentence if there is more of `what` than the limit allows."""
    if count > limit:
        raise Refusal(f"{count:,} {what} are more than the {limit:,} that ttc takes")


def check_table(*sizes: int) -> None:
    """Refusal if a table of these sizes is too large to be made when compiling."""
    within(prod(sizes), TABLE, "elements of a table that is made when compiling")
