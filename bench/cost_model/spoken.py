"""Rows of ops.csv whose shapes are words: convolutions of a sweep, attention, norms, and kernels of examples."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import ceil

from bench.cost_model.shapes import UnknownRow, dtype_named
from ttc.analysis.cost.work import Tensor
from ttc.ir import TILE, Buffer, DType, Layout, Sharding

Operands = tuple[list[Tensor], list[Tensor], dict[str, float]]

CONVOLUTION = re.compile(r"in (\d+), out (\d+), k (\d+), B \d+, T \d+ \(M=(\d+), K=(\d+), N=(\d+)\)")
ATTENTION = re.compile(r"S (\d+), (\d+) q heads, (\d+) kv heads, d (\d+); (non )?causal q(\d+) k(\d+)")
NORM = re.compile(r"(?:seq (\d+), hidden|1 row of tiles x) (\d+)")
SQUARE = re.compile(r"^(\d+)x(\d+)(?: \(by neighbours\))?$")


def tile(shape: tuple[int, ...], dtype: DType, buffer: Buffer, kind: Sharding = Sharding.INTERLEAVED) -> Tensor:
    """Return a tensor in tiles without padding."""
    return Tensor(shape, shape, dtype, Layout.TILE, buffer, kind)


def _convolution(row: Mapping[str, str]) -> Operands:
    """Return a 1-D convolution as a product over shards: `L1 block requested` on a grid, or `L1 width requested`."""
    found = CONVOLUTION.search(row["shapes"])
    if not found:
        raise UnknownRow("shapes not told by operand")
    channels, _, taps, m, k, n = map(int, found.groups())
    cores = int(row["cores"]) if row["cores"].isdigit() else 0
    forced = re.search(r"forced grid (\d+)x(\d+)", row["note"])
    columns, rows = (int(forced[1]), int(forced[2])) if forced else (8, 8)
    if "width" in row["memory"]:
        across, down = cores or 16, 1
    else:
        across, down = columns, max(1, min(rows, ceil(m / 32)))
    weights = dtype_named(row["dtype"].split()[-1]) if row["dtype"] else DType.bf16
    kind = Sharding.WIDTH_SHARDED if "width" in row["memory"] else Sharding.BLOCK_SHARDED
    config: dict[str, float] = {"num_cores_c": across, "num_cores_nhw": down, "taps": taps, "groups": 1}
    if forced:  # TTNN spreads the result's channels over other columns of cores than the operand's
        config["num_cores_c_out"] = cores // down
    height = re.search(r"act_block_h=(\d+)", row["note"])
    if height:
        config["act_block_h_ntiles"] = int(height[1]) / 32
    inputs = [tile((m, channels), DType.bf16, Buffer.L1, kind), tile((k, n), weights, Buffer.DRAM)]
    return inputs, [tile((m, n), DType.bf16, Buffer.L1, kind)], config


def _attention(row: Mapping[str, str]) -> Operands:
    """Return an attention told as sequence length, heads, head size and chunks."""
    found = ATTENTION.search(row["shapes"])
    if not found:
        raise UnknownRow("shapes not told by operand")
    length, heads, shared, size = (int(found[i]) for i in range(1, 5))
    dtype = dtype_named(row["dtype"])
    inputs = [tile((1, count, length, size), dtype, Buffer.DRAM) for count in (heads, shared, shared)]
    config = {"is_causal": float(not found[5]), "q_chunk_size": float(found[6]), "k_chunk_size": float(found[7])}
    return inputs, [inputs[0]], config


def _square(row: Mapping[str, str]) -> Operands:
    """Return one tensor read and another written, both as told."""
    found = SQUARE.match(row["shapes"])
    if not found:
        raise UnknownRow("shapes not told by operand")
    tensor = tile((int(found[1]), int(found[2])), dtype_named(row["dtype"]), Buffer.DRAM)
    return [tensor], [tensor], {}


def _ahead(row: Mapping[str, str]) -> Operands:
    """Return one tensor read, many tiles under way at a time, and another written."""
    inputs, outputs, _ = _square(row)
    return inputs, outputs, {"read_ahead": 1}


def _two(row: Mapping[str, str]) -> Operands:
    """Return two tensors read and one written, all as told."""
    inputs, outputs, config = _square(row)
    return inputs * 2, outputs, config


def _norm(row: Mapping[str, str]) -> Operands:
    """Return rows that are normalized, told by the product that follows, or by one row of tiles."""
    found = NORM.search(row["shapes"])
    if not found:
        raise UnknownRow("shapes not told by operand")
    tensor = tile((int(found[1] or TILE), int(found[2])), dtype_named(row["dtype"]), Buffer.DRAM)
    return [tensor], [tensor], {}


SPOKEN: Mapping[str, Callable[[Mapping[str, str]], Operands]] = {
    "Conv1d(conv2d)": _convolution,
    "SDPA prefill": _attention,
    "binary": _two,
    "unary": _square,
    "norm": _norm,
    "relu (example kernel)": _ahead,
    "DRAM to DRAM copy (example kernel, no compute)": _ahead,
}
"""Readers of such rows, by op."""
