"""Readings of our own ops on pools of blocks (`paged_ops`)."""

from __future__ import annotations

from ttc import ops
from ttc.frontend.export import paged_ops
from ttc.frontend.export.table import ExportBuilder, aten
from ttc.ops.expr import Expr, apply

__all__ = ["paged_ops"]


@aten("ttc::fill_blocks")
def fill_blocks(b: ExportBuilder, pool: Expr, rows: Expr, blocks: Expr) -> Expr:
    return apply(ops.FillBlocks, pool, rows, blocks)


@aten("ttc::write_rows")
def write_rows(b: ExportBuilder, pool: Expr, rows: Expr, table: Expr, positions: Expr) -> Expr:
    return apply(ops.WriteRows, pool, rows, table, positions)


@aten("ttc::paged_attention")
def paged_attention(
    b: ExportBuilder,
    q: Expr,
    keys: Expr,
    values: Expr,
    table: Expr,
    positions: Expr,
    scale: float,
    window: int | None = None,
) -> Expr:
    return apply(ops.PagedAttention, q, keys, values, table, positions, float(scale), window)
