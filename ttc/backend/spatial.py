"""How TTNN runs spatial ops: on channels-last rows, which others are brought into and out of."""

from __future__ import annotations

from ttc.backend.lowering import Lowering
from ttc.errors import Refusal
from ttc.ir import Value


def to_rows(x: Value, rows: tuple[int, ...], to: Lowering) -> Value:
    """[N, C, *spatial] as [1, 1, N * prod(spatial), C] in TILE layout; as it is where `rows` says that it is so."""
    if rows:
        return to.tile(to(x))
    raise Refusal("channels-first")


def from_rows(y: Value, op, to):
    return y
