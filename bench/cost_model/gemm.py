"""Rows of gemm.csv: products of two matrices, out of the box or tuned by hand, traced or not."""

from __future__ import annotations

from collections.abc import Mapping

from bench.cost_model.rows import Timed, UnknownRow, card_named, number
from bench.cost_model.shapes import FIDELITIES, dtype_named
from ttc.analysis.cost.work import Card, Tensor, Work
from ttc.ir import Buffer as Memory
from ttc.ir import DType, Layout, Sharding

TYPES = {"bfloat16": DType.bf16, "bfloat8_b": DType.bfp8, "bfloat4_b": DType.bfp4, "float32": DType.f32}


def timed(row: Mapping[str, str]) -> Timed:
    """Return a row's work, card and time; UnknownRow with the reason where the row does not say enough."""
    m, k, n = (int(number(row, name)) for name in ("m", "k", "n"))
    card = _card(row)
    a = _tensor((m, k), row["dtype_in"], row["in0_memory"])
    b = _tensor((k, n), row["dtype_weights"] or row["dtype_in"], row["in1_memory"])
    out = _tensor((m, n), row["dtype_in"], row["out_memory"])
    if row["fidelity"] not in FIDELITIES:
        raise UnknownRow(f"fidelity {row['fidelity']!r} is not known")
    config = {"two_dimensions": 1} if row["tuned"] == "1" else {}
    work = Work("product", "matmul", (a, b), (out,), 0, FIDELITIES[row["fidelity"]], row["fp32_acc"] == "1", config)
    traced = row["traced"] == "1"
    family = "matmul" if traced else "matmul, not traced"
    return Timed(row["board"], family, work, card, number(row, "microseconds"), "traced" if traced else "eager")


def _card(row: Mapping[str, str]) -> Card:
    columns, cross, rows = row["grid"].partition("x")
    if not (cross and columns.isdigit() and rows.isdigit()):
        raise UnknownRow(f"grid {row['grid']!r} is not known")
    return card_named(row["board"], (int(columns), int(rows)))


def _tensor(shape: tuple[int, int], dtype: str, memory: str) -> Tensor:
    if memory not in ("dram", "l1", "l1_sharded"):
        raise UnknownRow(f"memory {memory!r} is not known")
    kind = Sharding.BLOCK_SHARDED if memory == "l1_sharded" else Sharding.INTERLEAVED
    found = TYPES.get(dtype) or dtype_named(dtype)
    return Tensor(shape, shape, found, Layout.TILE, Memory.DRAM if memory == "dram" else Memory.L1, kind)
