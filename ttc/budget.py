"""How much work a model file may ask for: limits far above what real models need, checked before the work is done."""

from __future__ import annotations

from ttc.errors import Refusal

NODES = 1_000_000
"""Nodes of a graph, all functions, bodies and unrolled steps counted each time that they stand in it.

A full-size diffusion transformer has 12,000; an LSTM unrolled over 72,192 steps by its exporter has 800,000."""

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
