"""Attention of two sequences together, as text and image attend in diffusion models, without putting rows together."""

from __future__ import annotations

from ttc import ops
from ttc.backend.heads import joins_heads
from ttc.backend.lowering import Lowering
from ttc.backend.rules.attention import program_config
from ttc.backend.rules.moves import reshaped
from ttc.calls.attention import ConcatenateHeads
from ttc.calls.joint_attention import JointScaledDotProductAttention, as_float32
from ttc.ir import TILE, DType, Op, Value

Sides = tuple[Value, Value, Value]
"""The queries, keys and values of one of two sequences."""


def joint_rows(op: ops.Slice, to: Lowering) -> Value | None:
    """Return the rows of one of two sequences from their attention together; None where `op` takes no such rows.

    The builder shares the attention between the two slices. No other calls may read the rows; where the model drops the
    rows of one sequence, as in its last block, one slice alone does.
    """
    attention = _attention(op.x)
    sides = _sides(attention) if attention is not None and to.dtype is DType.bf16 else None
    if attention is None or sides is None:
        return None
    first, second = (side[0].shape[2] for side in sides)
    bounds = [(0, first), (first, first + second)]
    taken = [_rows(reader.op) for reader in to.readers[op.x]]
    if not {*taken} <= {*bounds} or to.uses[op.x] != len(taken):
        return None
    index = bounds.index(_rows(op))
    leading = int(second > first)  # the longer sequence leads, the other one joins
    results = to.call(_joint(attention, sides[leading], sides[1 - leading], to))
    return reshaped(to.call(ConcatenateHeads(results[index ^ leading])), op.infer().shape, to)


def _rows(op: Op) -> tuple[int, int]:
    """Return the first row and the end of the rows that a slice of [B, S, N] takes whole; no rows for other ops."""
    match op:
        case ops.Slice(x=x, starts=(0, start, 0), ends=(batch, end, width), steps=(1, 1, 1)) if (batch, width) == (
            x.shape[0],
            x.shape[2],
        ):
            return start, end
    return 0, 0


def _joint(op: ops.Attention, leading: Sides, joining: Sides, to: Lowering) -> JointScaledDotProductAttention:
    """Attend to the keys of both sequences; in which order these stand changes no result."""
    tensors = [to.tile(to(value)) for value in (*leading, *joining)]
    shape = leading[0].shape
    config = program_config(shape, shape[2], True, False, to.target)
    return JointScaledDotProductAttention(
        *tensors, joint_strategy="rear", program_config=config, scale=as_float32(op.scale)
    )


def _attention(rows: Value) -> ops.Attention | None:
    """Match attention without a mask whose heads are joined into rows [B, S, H * D]."""
    if not isinstance(rows.op, ops.Reshape) or rows.type.rank != 3:
        return None
    heads = joins_heads(rows.op)
    match None if heads is None else heads.op:
        case ops.Attention(mask=None, causal=False) as attention:
            return attention
    return None


def _sides(op: ops.Attention) -> tuple[Sides, Sides] | None:
    """Match q, k and v that are each the rows of two sequences, of the same sizes in all three."""
    match op.q.op, op.k.op, op.v.op:
        # q = concat([q0, q1], rows), and k and v likewise
        case (
            ops.Concat(xs=(q0, q1), dim=2),
            ops.Concat(xs=(k0, k1), dim=2),
            ops.Concat(xs=(v0, v1), dim=2),
        ) if q0.shape == k0.shape == v0.shape and q1.shape == k1.shape == v1.shape and q0.shape[3] % TILE == 0:
            return (q0, k0, v0), (q1, k1, v1)
    return None
