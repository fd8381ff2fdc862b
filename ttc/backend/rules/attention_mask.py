"""Masks of attention: who sees whom, as numbers that are added to scores, and which queries see no key."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.moves import expanded, reshaped
from ttc.backend.rules.numbers import lowest
from ttc.calls.attention import FillImplicitTilePadding
from ttc.calls.binary import Add, Multiply
from ttc.calls.logic import Lt
from ttc.calls.reduce import Max
from ttc.calls.ternary import Where
from ttc.calls.unary import Clamp, LogicalNot
from ttc.ir import TILE, DType, TensorType, Value

EXCLUDED = -1e30
"""Stand-in for minus infinity in masks: finite, also after TTNN has multiplied the mask by 1 / scale.

A query that sees no key at all thus gets the mean of the values, which the rule replaces.
"""

LEAST = -1e29
"""Least number of a mask that is not minus infinity; finite numbers below are raised to this one.

Beside any real score such numbers leave a weight of 0, and among themselves the mean of the values.
"""


def seen_queries(op: ops.Attention, to: Lowering) -> Value | None:
    """Return [1 or B, 1 or H, 1 or Sq, 1], 1 where a query sees a key, else 0; None if every query surely sees one."""
    if op.mask is None or op.empty == "never":
        return None  # causality alone leaves every query the first key
    shape = (1,) * (4 - op.mask.type.rank) + op.mask.shape
    static = to.static(op.mask)
    if static is not None:
        # A static mask: seen[q] = any over keys of (allowed[q, k] and k <= q), computed once, before the first run.
        allowed = to.derive(ops.Reshape(_allowed_static(static, to), shape))
        if op.causal:
            allowed = to.derive(ops.And(allowed, _causal(op, to)))
        seen = to.derive(ops.Max(allowed, (3,), keep=True))
        known = to.known(seen)
        return None if known is not None and bool(known.all()) else to.upload(seen, to.dtype)
    # A mask of run time: the same in 1 and 0, "and" as a product, "any" as a maximum over the keys.
    allowed = _allowed(op.mask, to)
    allowed = to.tile(reshaped(allowed, (1,) * (4 - allowed.type.rank) + allowed.shape, to))
    if op.causal:
        allowed = to.call(Multiply(allowed, to.upload(_causal(op, to), to.dtype)))
    return to.call(Max(allowed, (3,), True))


def additive_mask(op: ops.Attention, to: Lowering) -> Value | None:
    """Return the mask to add to the scores, of rank 4 and no larger than needed; None if no key is excluded."""
    causal = _causal_mask(op, to) if op.causal else None
    if op.mask is None:
        return causal
    shape = (1,) * (4 - op.mask.type.rank) + op.mask.shape
    static = to.static(op.mask)
    if static is not None:
        mask = to.upload(to.derive(ops.Reshape(_finite(static, to), shape)), to.dtype)
    elif op.mask.dtype is DType.bool:
        mask = to.call(Where(_allowed(op.mask, to), 0.0, EXCLUDED))
    elif (chosen := _of_a_product(op.mask)) is not None:
        mask = to.call(Where(_allowed(op.mask, to), to(chosen[1]), EXCLUDED))
    else:
        mask = to.call(Where(_allowed(op.mask, to), to.call(Clamp(to(op.mask), min=LEAST)), EXCLUDED))
    mask = to.tile(reshaped(mask, shape, to))
    return mask if causal is None else to.call(Add(mask, causal))


def score_mask(op: ops.Attention, to: Lowering) -> Value | None:
    """Return the mask as the fused call takes it: [1 or B, 1 or H, Sq, Sk], with keys excluded also in padded tiles."""
    mask = additive_mask(op, to)
    if mask is None:
        return None
    queries, keys = op.q.shape[2], op.k.shape[2]
    mask = to.tile(expanded(mask, (*mask.shape[:2], queries, keys), to))
    return to.call(FillImplicitTilePadding(mask, EXCLUDED)) if keys % TILE else mask


def _finite(static: Value, to: Lowering) -> Value:
    """Return a static mask as f32 numbers to add, none below `EXCLUDED`, which f16 does not hold."""
    zero, excluded = (to.derive(ops.Full(TensorType(DType.f32, ()), number)) for number in (0.0, EXCLUDED))
    kept = zero
    if static.dtype is not DType.bool:
        numbers = static if static.dtype is DType.f32 else to.derive(ops.Cast(static, DType.f32))
        kept = to.derive(ops.Clamp(numbers, low=LEAST))
    return to.derive(ops.Where(_allowed_static(static, to), kept, excluded))


def _allowed(mask: Value, to: Lowering) -> Value:
    """Return 1 where a mask of run time lets a key through, else 0; a NaN, not below any number, lets keys through."""
    chosen = _of_a_product(mask)
    seen = mask if chosen is None else chosen[0]
    if seen.dtype is DType.bool:
        return to.cast(to(seen), to.dtype)
    return to.call(LogicalNot(to.call(Lt(to(mask), lowest(to.dtype)))))


def _of_a_product(mask: Value) -> tuple[Value, Value] | None:
    """Return the condition and the numbers of where(condition, numbers, -inf), numbers that a product gave; else None.

    Sums of products of finite numbers exclude no key: so relative positions are added.
    """
    match mask.op:
        case ops.Where(condition=condition, a=numbers, b=low) if ops.number_of(low) == -math.inf:
            given = numbers
            while isinstance(given.op, (ops.Reshape, ops.Permute)):
                given = given.op.x
            return (condition, numbers) if isinstance(given.op, ops.Matmul) else None
    return None


def _allowed_static(mask: Value, to: Lowering) -> Value:
    """Return where a mask known before the first run lets a key through: True, or any number but -inf."""
    if mask.dtype is DType.bool:
        return mask
    return to.derive(ops.Ne(mask, to.derive(ops.Full(TensorType(mask.dtype, ()), -math.inf))))


def _causal_mask(op: ops.Attention, to: Lowering) -> Value:
    """Return [1, 1, Sq, Sk] with keys after the query excluded."""
    return to.upload(_finite(_causal(op, to), to), to.dtype)


def _causal(op: ops.Attention, to: Lowering) -> Value:
    """Return [1, 1, Sq, Sk], known before the first run: True where a key is not after the query."""
    queries = to.constant(torch.arange(op.q.shape[2]).reshape(1, 1, -1, 1))
    keys = to.constant(torch.arange(op.k.shape[2]).reshape(1, 1, 1, -1))
    return to.derive(ops.Ge(queries, keys))
