"""The time of a call as a roofline: starts of programs, then the matrix engine or DRAM, whichever takes longer.

What the choice of shards weighs: parts that it spreads over other cores itself. The two constants are fitted to the
published times of bf16 HiFi2 products on N150 (512^3 to 4096^3, operands in DRAM, traced), within 8.1% of each.
"""

from __future__ import annotations

from dataclasses import dataclass

from ttc.analysis.cost.call_work import fidelity
from ttc.analysis.cost.price import tile_products, traffic
from ttc.analysis.cost.product import CYCLES
from ttc.analysis.cost.work import count_tiles
from ttc.calls.call import Call, spec_of
from ttc.calls.target import Target
from ttc.ir import Buffer, Node

DISPATCH_SECONDS = 4e-6
"""Seconds from one device program to the next in a captured trace."""

MATRIX_EFFICIENCY = 0.484
"""Share of the matrix engine's peak that a large product reaches."""

DRAM_EFFICIENCY = 0.339
"""Share of DRAM's peak rate that interleaved tiles reach."""


@dataclass(frozen=True)
class Roofline:
    """Seconds of the starts of a call's programs, of the matrix engine on as many cores as tiles, and of DRAM."""

    dispatch_seconds: float
    matrix_seconds: float
    dram_seconds: float


def roofline(node: Node, target: Target) -> Roofline:
    """Return the bounds of one call's time."""
    call = node.op
    assert isinstance(call, Call)
    moved = sum(size for value, size in traffic(node, target) if spec_of(value).memory.buffer is Buffer.DRAM)
    cores = min(target.cores, max(1, sum(count_tiles(value.shape) for value in node.results)))
    matrix = tile_products(call) * CYCLES[fidelity(call)] / cores / target.clock_hz / MATRIX_EFFICIENCY
    dram = moved / target.dram_bytes_per_second / DRAM_EFFICIENCY
    return Roofline(call.dispatch(target).programs * DISPATCH_SECONDS, matrix, dram)
