"""Sizes of buffers in the banks of a memory: in each core's L1, or in a bank of DRAM."""

from __future__ import annotations

from collections.abc import Iterable

from ttc.calls.sizes import tile_bytes
from ttc.calls.target import L1_ALIGNMENT, Target
from ttc.ir import Buffer, Layout, Sharding, Spec, round_up


def buffer_page(spec: Spec) -> int:
    """Return the bytes of a page, the unit of interleaved buffers: a tile, or in ROW_MAJOR a row."""
    if spec.layout is Layout.TILE:
        return tile_bytes(spec.dtype)
    return int((spec.shape[-1] if spec.shape else 1) * spec.dtype.bytes)


def bank_bytes(spec: Spec, target: Target) -> int:
    """Return a tensor's bytes in the fullest bank of its memory: a core's L1, or a DRAM bank.

    Buffers in L1, too, are aligned to what pages in DRAM are rounded up to.
    """
    in_l1, alignment = spec.memory.buffer is Buffer.L1, target.dram_alignment
    if spec.memory.shard is not None:
        height, width = spec.memory.shard.shape
        return round_up(int(height * width * spec.dtype.bytes), alignment)
    page = buffer_page(spec)
    if not page:
        return 0
    banks = target.cores if in_l1 else target.dram_banks
    if spec.memory.sharding is not Sharding.INTERLEAVED:
        banks = min(target.grid)  # TTNN chooses the shards: at least as many cores as one line of the grid
    pages = -(-spec.stored_bytes // page)
    return round_up(-(-pages // banks) * round_up(page, L1_ALIGNMENT if in_l1 else alignment), alignment)


def in_l1(specs: Iterable[Spec], target: Target) -> tuple[int, ...]:
    """Return the bytes of each core's L1 that those of the tensors take that lie there."""
    return tuple(bank_bytes(spec, target) for spec in specs if spec.memory.buffer is Buffer.L1)
