"""Columns of the published tables as tensors: shapes, dtypes, layouts and memories of a profiled op."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ttc.analysis.cost.work import Tensor
from ttc.calls.call import MathFidelity
from ttc.ir import Buffer, DType, Layout, Sharding

DTYPES = {
    "BFLOAT16": DType.bf16,
    "BFLOAT8_B": DType.bfp8,
    "BFLOAT4_B": DType.bfp4,
    "FLOAT32": DType.f32,
    "UINT32": DType.u32,
    "UINT16": DType.u16,
    "INT32": DType.i32,
    "UINT8": DType.u8,
    "BF16": DType.bf16,
    "BFP8": DType.bfp8,
    "BFP4": DType.bfp4,
    "FP32": DType.f32,
}
"""Spellings of element types in the tables."""

FIDELITIES = {fidelity.name: fidelity for fidelity in MathFidelity}

OPERAND = re.compile(r"(in|out)\d+=(\d+(?:x\d+)*)(?:\((\d+(?:x\d+)*)\))?\s+(TILE|ROW_MAJOR)")


class UnknownRow(Exception):
    """A row that the model does not price; the message is the reason."""


def tensors(shapes: str, dtypes: str, memories: str) -> tuple[list[Tensor], list[Tensor]]:
    """Return the inputs and the outputs of a profiled op; UnknownRow where a column does not say them."""
    found = [match.groups() for match in OPERAND.finditer(shapes)]
    if not found or found[-1][0] != "out":
        raise UnknownRow("shapes not told by operand")
    types, places = _entries(dtypes, len(found), "dtypes"), _entries(memories, len(found), "memories")
    made: dict[str, list[Tensor]] = {"in": [], "out": []}
    for (side, padded, logical, layout), dtype, place in zip(found, types, places, strict=True):
        buffer, sharding = memory(place)
        shape = _sizes(padded)
        tensor = Tensor(shape, _sizes(logical or padded), dtype_named(dtype), Layout[layout], buffer, sharding)
        made[side].append(tensor)
    return made["in"], made["out"]


def dtype_named(text: str) -> DType:
    """Return the element type of a spelling; UnknownRow for one that the model does not know."""
    try:
        return DTYPES[text.strip().upper()]
    except KeyError:
        raise UnknownRow(f"dtype {text.strip()!r} is not known") from None


def memory(text: str) -> tuple[Buffer, Sharding]:
    """Return the memory of `DRAM_INTERLEAVED`, `L1_HEIGHT_SHARDED` and the like; UnknownRow for others."""
    buffer, _, rest = text.strip().partition("_")
    if buffer not in ("DRAM", "L1"):
        raise UnknownRow(f"memory {text.strip()!r} is not known")
    sharded = next((kind for kind in ("HEIGHT", "WIDTH", "BLOCK") if kind in rest), None)
    return Buffer[buffer], Sharding[f"{sharded}_SHARDED"] if sharded else Sharding.INTERLEAVED


def _entries(column: str, count: int, what: str) -> Sequence[str]:
    """Return one entry an operand; a column with fewer says the last ones, outputs included, and repeats the first."""
    entries = [entry for entry in column.split("/") if entry]
    if not entries:
        raise UnknownRow(f"{what} not told")
    return [entries[0]] * (count - len(entries)) + entries[-count:]


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split("x"))
