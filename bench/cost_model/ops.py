"""Rows of ops.csv: profiled ops by name, with shapes, dtypes and memories by operand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod

from bench.cost_model.rows import Timed, UnknownRow, card_named, number
from bench.cost_model.shapes import FIDELITIES, dtype_named, tensors
from bench.cost_model.spoken import SPOKEN, tile
from ttc.analysis.cost.work import Tensor, Work
from ttc.calls.call import MathFidelity
from ttc.ir import Buffer, Sharding

FAMILIES = {
    "Matmul": "product",
    "MinimalMatmul": "product",
    "Matmul 1d": "product",
    "Conv2d": "convolution",
    "OptimizedConvNew": "convolution",
    "Halo": "halo",
    "Pool2D": "pool",
    "BinaryNg": "binary",
    "Ternary": "binary",
    "Unary": "unary",
    "Typecast": "typecast",
    "Move": "move",
    "Copy": "move",
    "Clone": "move",
    "InterleavedToSharded": "reshard",
    "InterleavedToShardedPartial": "reshard",
    "ShardedToInterleaved": "reshard",
    "ShardedToInterleavedPartial": "reshard",
    "Reshard": "reshard",
    "Slice": "slice",
    "PaddedSlice": "slice",
    "SliceWrite": "slice",
    "Concat": "concat",
    "Tilize": "tilize",
    "TilizeWithValPadding": "tilize",
    "Untilize": "untilize",
    "UntilizeWithUnpadding": "untilize",
    "Transpose": "transpose",
    "Permute": "permute",
    "Reshape": "reshape",
    "ReshapeView": "reshape",
    "LayerNorm": "norm",
    "GroupNorm": "group_norm",
    "Softmax": "softmax",
    "Reduce": "reduction",
    "FastReduceNC": "reduction",
    "Accumulation": "accumulation",
    "Embeddings": "embedding",
    "RotaryEmbeddingLlama": "rotary",
    "NLPConcatHeads": "heads",
    "NlpCreateHeads": "heads",
    "SDPA": "attention",
    "SDPA prefill": "attention",
    "Conv1d(conv2d)": "convolution",
    "relu (example kernel)": "unary",
    "DRAM to DRAM copy (example kernel, no compute)": "move",
}
"""Families of the formulas by the profiler's name of an op, without DeviceOperation or Op behind it."""

DISTRIBUTED = ("AllGather", "ReduceScatter", "RingJoint", "AllReduce", "AllToAll", "Broadcast")
"""Beginnings of names of ops that wait for other chips."""

NUMBER = re.compile(r"(\w+)=(-?\d+(?:\.\d+)?)(?=[;,)\s]|$)")
GRID = re.compile(r"(?<![\w])grid(?:_size)?=\(?(?:x=)?(\d+)(?:;y=|x)(\d+)")
SHARD = re.compile(r"(?:out_shard=|shape=)\{(\d+);\s*(\d+)\}")
WINDOW = re.compile(r"window_hw=\((\d+);\s*(\d+)\)")
GUESSED = re.compile(r"\bby (the next matmul|neighbours)\b")
SIDES = re.compile(r"^(?:b=(\d+) x )?(\d+)x(\d+)x(\d+)(?: \(M,K,N\))?$")


def timed(row: Mapping[str, str]) -> Timed:
    """Return a row's work, card and time; UnknownRow with the reason where the row does not say enough."""
    name = re.sub(r"(Device)?(Operation|Op)$", "", row["op"].strip())
    if name.startswith(DISTRIBUTED):
        raise UnknownRow("waits for other chips")
    family = FAMILIES.get(name)
    if family is None:
        raise UnknownRow(f"no formula for {row['op']}")
    card = card_named(row["board"], _grid(row["board"]))
    time = number(row, "microseconds")
    special: dict[str, float] = {"one_dimension": 1.0} if name == "Matmul 1d" else {}
    if family == "product" and SIDES.match(row["shapes"]):
        inputs, outputs = _sides(row)
    elif name in SPOKEN or (family in SPOKEN and GUESSED.search(row["shapes"])):
        inputs, outputs, special = SPOKEN[name if name in SPOKEN else family](row)
    else:
        inputs, outputs = tensors(row["shapes"], row["dtype"], row["memory"])
    fidelity = FIDELITIES.get(row["fidelity"], MathFidelity.HiFi4)
    config = _config(row["note"]) | special
    if row["shapes"].startswith("b="):
        config["batch_in_turn"] = 1
    cores = int(row["cores"]) if row["cores"].isdigit() else 0
    work = Work(
        family, _op(name, row["note"]), tuple(inputs), tuple(outputs), cores, fidelity, row["fp32_acc"] == "1", config
    )
    label = "matmul" if family == "product" else family
    return Timed(_board(row["board"]), label, work, card, time, "kernel")


def _board(text: str) -> str:
    """Return the board's name without the words in brackets."""
    return text.split(" (")[0].split(",")[0]


def _grid(board: str) -> tuple[int, int] | None:
    """Return the grid that a board's description gives: "5x4", "13x10 grid"; None where it gives none."""
    found = re.search(r"(\d+)x(\d+)", board)
    if found and "galaxy" not in board:
        return int(found[1]), int(found[2])
    cut = re.search(r"at most (\d+) cores|(\d+) cores", board)
    total = int(cut[1] or cut[2]) if cut else 0
    return {20: (5, 4), 110: (11, 10)}.get(total)


def _sides(row: Mapping[str, str]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the operands of a product whose row gives M x K x N."""
    found = SIDES.match(row["shapes"])
    assert found
    batch, m, k, n = (int(size or 1) for size in found.groups())
    parts = [part for part in row["dtype"].split("/") if part]
    if not parts:
        raise UnknownRow("dtypes not told")
    a, b = dtype_named(parts[0]), dtype_named(parts[-1])
    here = Buffer.L1 if row["memory"].startswith(("L1", "in0 L1")) else Buffer.DRAM
    kind = Sharding.WIDTH_SHARDED if "WIDTH_SHARDED" in row["memory"] else Sharding.INTERLEAVED
    left = tile((batch, m, k), a, here, kind)
    out = tile((batch, m, n), a, here if kind is Sharding.INTERLEAVED else Buffer.DRAM, Sharding.INTERLEAVED)
    return [left, tile((1, k, n), b, Buffer.DRAM, Sharding.INTERLEAVED)], [out]


def _op(name: str, note: str) -> str:
    """Return the op with what its attributes choose: `BinaryNg ADD`, `Unary RELU`."""
    for pattern in (
        r"binary_op_type=BinaryOpType::(\w+)",
        r"UnaryOpType::(\w+)",
        r"base=Basic<float>\((\w+)",
        r"TransposeOpDim::(\w+)",
        r"norm_type=LayerNormType::(\w+)",
        r"dims=SmallVector\(\[([\d; ]+)\]",
    ):
        if found := re.search(pattern, note):
            return f"{name} {found[1]}"
    return name


def _config(note: str) -> dict[str, float]:
    """Return the numbers of the attributes that formulas ask for."""
    config: dict[str, float] = {key: float(value) for key, value in NUMBER.findall(note)}
    if found := GRID.search(note):
        config |= {"grid_x": float(found[1]), "grid_y": float(found[2])}
    if found := SHARD.search(note):
        config |= {"shard_height": float(found[1]), "shard_width": float(found[2])}
    if found := WINDOW.search(note):
        config |= {"window": float(prod(map(int, found.groups())))}
    if "MultiCast1D" in note:
        config |= {"one_dimension": 1, "send_a": config.get("mcast_in0", 1)}
    elif "ReuseMultiCastProgramConfig" in note or "MinimalMatmulConfig" in note:
        config["two_dimensions"] = 1
    for kind in ("ROW_B", "COL_B", "SCALAR_B"):
        config[kind] = float(f"BroadcastType::{kind}" in note)
    return config
