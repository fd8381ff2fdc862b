"""Entries of a tensor of rows as views, which no device program cuts out."""

from __future__ import annotations

from math import gcd

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.moves import reshaped
from ttc.calls.call import spec_of
from ttc.calls.narrow import Narrow
from ttc.calls.pad import Pad
from ttc.ir import TILE, Layout, Value


def entry_of_rows(op: ops.Slice, to: Lowering) -> Value | None:
    """Return one of many entries [1, R, C] of a tensor [N, R, C] of one row of tiles each as a view; None for others.

    TTNN views entries that begin in the first bank of DRAM. Where others do not, zeros go between them, which must be
    fewer device programs than the entries are.
    """
    reading = [node.op for node in to.readers[op.x]]
    if not all(isinstance(reader, ops.Slice) and _is_entry(reader) for reader in reading):
        return None
    x = to(op.x)
    spec = spec_of(x)
    if spec.layout is not Layout.TILE or not x.op.operands():  # what is given and what is constant stay as they are
        return None
    tiles = -(-spec.shape[-1] // TILE)
    period = to.target.dram_banks // gcd(tiles, to.target.dram_banks)
    if all(reader.starts[0] % period == 0 for reader in reading if isinstance(reader, ops.Slice)):
        return to.call(Narrow(x, 0, op.starts[0], 1))
    count, rows, width = spec.shape
    spread = Pad(reshaped(x, (count, 1, rows, width), to), ((0, 0), (0, period - 1), (0, 0), (0, 0)), 0.0)
    if spread.dispatch(to.target).programs >= len(reading):
        return None
    entries = reshaped(to.call(spread), (count * period, rows, width), to)
    return to.call(Narrow(entries, 0, op.starts[0] * period, 1))


def _is_entry(op: ops.Slice) -> bool:
    """Return whether a slice takes one entry [1, R, C] of [N, R, C], which lies in one row of tiles."""
    shape = op.x.shape
    if len(shape) != 3 or shape[1] > TILE or set(op.steps) != {1}:
        return False
    return op.ends[0] == op.starts[0] + 1 and op.starts[1:] == (0, 0) and op.ends[1:] == shape[1:]
