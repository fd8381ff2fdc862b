"""Rows that a core's L1 does not hold as often as TTNN's calls keep them there: cut into pieces, or refused."""

from __future__ import annotations

from dataclasses import replace

from ttc.backend.lowering import Lowering
from ttc.calls.call import spec_of
from ttc.calls.concat import Concat
from ttc.calls.index import Gather
from ttc.calls.shape import Slice
from ttc.calls.sizes import row_bytes
from ttc.calls.target import L1_SMALL_BYTES
from ttc.errors import Refusal
from ttc.ir import Value

ALIGNMENT = 64
"""Bytes that a part off the memory's alignment may take beyond its row: the longest alignment of DRAM."""


def sliced(call: Slice, to: Lowering) -> Value:
    """Slice rows; from long ones a part that begins off the memory's alignment is cut in pieces.

    Of such a part TTNN keeps a row twice in L1, and of rows with a step the operand's row twice.
    """
    spec, last = spec_of(call.input_tensor), len(call.starts) - 1
    step, start, end = call.steps[-1], call.starts[-1], call.ends[-1]
    if step > 1:
        _refuse(f"a slice by steps of {step}", 2 * row_bytes(spec), to)
    off = int(start * spec.dtype.bytes) % to.target.dram_alignment
    room = to.target.l1_bytes - L1_SMALL_BYTES
    if step > 1 or not off or 2 * (row_bytes(call.infer()) + ALIGNMENT) <= room:
        return to.call(call)
    width = int(room // 2 // spec.dtype.bytes) // 1024 * 1024
    pieces = [
        to.call(replace(call, starts=(*call.starts[:last], at), ends=(*call.ends[:last], min(at + width, end))))
        for at in range(start, end, width)
    ]
    return joined_rows(Concat(tuple(pieces), last), to)


def joined_rows(call: Concat, to: Lowering) -> Value:
    """Concatenate rows, along the last dimension rows that L1 holds."""
    if call.dim == call.infer().rank - 1:
        _refuse("a concatenation", row_bytes(call.infer()), to)
    return to.call(call)


def gathered(call: Gather, to: Lowering) -> Value:
    """Gather from rows that L1 holds beside those of the index."""
    _refuse("a gather", row_bytes(spec_of(call.input)) + row_bytes(spec_of(call.index)), to)
    return to.call(call)


def _refuse(what: str, needed: int, to: Lowering) -> None:
    there = to.target.l1_bytes
    if needed > there:
        raise Refusal(f"{what} takes {needed:,} of a core's {there:,} bytes of L1 for its rows: cut the rows before")
