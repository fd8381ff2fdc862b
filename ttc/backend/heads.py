"""Rows that models reshape and permute into attention heads, matched: which columns of which rows heads are."""

from __future__ import annotations

from dataclasses import dataclass

from ttc import ops
from ttc.ir import TILE, Value


@dataclass(frozen=True)
class Heads:
    """Origin of heads [B, H, S, D]: columns of `source` from `start` on, one head after another."""

    source: Value
    start: int
    shape: tuple[int, int, int, int]

    @property
    def width(self) -> int:
        return self.shape[1] * self.shape[3]


def heads_of(value: Value) -> Heads | None:
    """Match a value [B, H, S, D] that was cut from rows in a usual way, D a multiple of 32; None for others."""
    if value.type.rank != 4 or value.shape[3] % TILE:
        return None
    match value.op:
        case ops.Permute() as op:
            return cut_of(op, value.shape)
        case ops.Reshape() as op:
            # [n, B, H, S, D] -> one of the n -> [B, H, S, D]
            stacked = _stacked(op.x.op, value.shape) if isinstance(op.x.op, ops.Slice) else None
            return stacked or cut_of(op, value.shape)
    return None


def cut_of(op: ops.Permute | ops.Reshape, shape: tuple[int, ...]) -> Heads | None:
    """Match rows [B, S, H * D] that become [B, S, H, D] and by `op` [B, H, S, D]."""
    match op:
        # one row of each sequence, S = 1: [B, 1, H * D] -> [B, H, 1, D] keeps the order of elements
        case ops.Reshape(x=x) if (
            len(shape) == 4 and shape[1] > 1 and shape[2] == 1 and x.shape[-1] == shape[1] * shape[3]
        ):
            return _columns(x, shape)
        case ops.Permute(x=Value(ops.Reshape(x=x)) as split, dims=(0, 2, 1, 3)) if (
            split.shape == (shape[0], shape[2], shape[1], shape[3]) and x.shape[-1] == shape[1] * shape[3]
        ):
            return _columns(x, shape)
    return None


def _columns(x: Value, shape: tuple[int, ...]) -> Heads:
    """Return the heads of the rows of x, looking through a slice of the columns."""
    match x.op:
        # all rows and only some columns, without a step
        case ops.Slice(x=source, starts=starts, ends=ends, steps=steps) if set(steps) == {1} and (
            *starts[:-1],
            *ends[:-1],
        ) == (*(0,) * (len(starts) - 1), *source.shape[:-1]):
            return Heads(source, starts[-1], shape)  # type: ignore[arg-type]
    return Heads(x, 0, shape)  # type: ignore[arg-type]


def _stacked(part: ops.Slice, shape: tuple[int, ...]) -> Heads | None:
    """Match heads from [B, S, n, H, D] permuted to [n, B, H, S, D], of which `part` takes one."""
    batch, heads, rows, head = shape
    match part.x.op:
        # rows [B, S, n * H * D] -> [B, S, n, H, D] -> [n, B, H, S, D]: part i of n begins at column i * H * D
        case ops.Permute(x=Value(ops.Reshape(x=source, shape=(b, s, n, h, d))), dims=(2, 0, 3, 1, 4)) if (
            (b, s, h, d) == (batch, rows, heads, head)
            and source.shape[-1] == n * heads * head
            and part.starts[1:] == (0, 0, 0, 0)
            and part.ends[1:] == part.x.shape[1:]
            and part.ends[0] == part.starts[0] + 1
        ):
            return Heads(source, part.starts[0] * heads * head, shape)  # type: ignore[arg-type]
    return None


def joins_heads(op: ops.Reshape) -> Value | None:
    """Match the value [B, H, S, D] that `op` joins into rows [.., H * D], D a multiple of 32."""
    match op.x.op:
        case ops.Permute(x=x, dims=(0, 2, 1, 3)) if x.shape[3] % TILE == 0:
            return x if op.shape and op.shape[-1] == x.shape[1] * x.shape[3] else None
        # one row of each sequence, whose permutation keeps the order of elements
        case ops.Attention() if op.x.shape[2] == 1 and op.x.shape[3] % TILE == 0:
            return op.x if op.shape and op.shape[-1] == op.x.shape[1] * op.x.shape[3] else None
    return None


def counts_of(heads: Heads) -> tuple[int, int] | None:
    """Return how many heads are queries and how many keys if `heads` are one of q, k and v side by side; else None."""
    own, size = heads.shape[1], heads.shape[3]
    total, before = heads.source.shape[-1] // size, heads.start // size
    if heads.source.shape[-1] % size or heads.start % size:
        return None
    queries = own if before == 0 else total - 2 * own  # q comes first, then k and v with `own` heads each
    keys = (total - queries) // 2
    behind = before in (0, queries, queries + keys)
    whole = queries + 2 * keys == total and min(queries, keys) > 0 and queries % keys == 0
    return (queries, keys) if behind and whole else None
