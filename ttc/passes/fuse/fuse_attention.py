"""Attention written out as products and a softmax becomes one op."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ttc import ops
from ttc.errors import TypeRuleError
from ttc.ir import Builder, Graph, Op, Value
from ttc.ops.expr import Expr, where
from ttc.ops.rules import broadcast
from ttc.passes.fuse.match import factors
from ttc.passes.normal import rebuild

LAST_TWO = (0, 1, 3, 2)
EXCLUDED = -1e9
"""Scores at or below this are excluded: beside it no real score makes a difference in any dtype that holds it."""


def fuse_attention(graph: Graph) -> Graph:
    """softmax(scale * q @ k.T + mask) @ v over [B, H, S, D], wherever the scale is applied.

    A row whose mask leaves no key is NaN, and 0 behind a guard that looks for NaN: attention's `empty` says which.

    Before:
        %kt: f32[1,2,4,5] = permute(x=%k, dims=[0, 1, 3, 2])
        %s: f32[1,2,5,5] = matmul(a=%q, b=%kt)
        %d: f32[1,2,5,5] = mul(a=%s, b=%half)
        %m: f32[1,2,5,5] = add(a=%d, b=%mask)
        %p: f32[1,2,5,5] = softmax(x=%m, dim=3)
        %y: f32[1,2,5,4] = matmul(a=%p, b=%v)
    After:
        %y: f32[1,2,5,4] = attention(q=%q, k=%k, v=%v, mask=%mask, scale=0.5)
    """
    return rebuild(graph, _attention, _grouped)


@dataclass(frozen=True)
class _Scores:
    """scale * q @ k.T + mask."""

    q: Value
    k: Value
    scale: float
    mask: Value | None = None


def _attention(op: Op, builder: Builder) -> Value | None:
    match op:
        case ops.Matmul(a=Value(ops.Softmax(x=scores, dim=3)), b=v) if v.type.rank == 4:
            guarded = False
        case ops.Matmul(a=Value(ops.Where()) as where, b=v) if (scores := _guarded(where)) and v.type.rank == 4:
            guarded = True
        case _:
            return None
    found = _scores(scores, builder)
    if found is None:
        return None
    empty = "zero" if guarded or _finite_rows(found.mask, builder) else "nan"
    attention = ops.Attention(found.q, found.k, v, found.mask, scale=found.scale, empty=empty)
    try:
        fits = attention.infer() == op.infer() and found.k.shape[:2] == found.q.shape[:2]
    except TypeRuleError:  # one of the products broadcasts batches
        return None
    if not fits:
        return None
    return _grouped(attention, builder) or builder(attention)


def _grouped(op: Op, builder: Builder) -> Value | None:
    """Attention whose k and v were repeated for every query of their group: it does that itself."""
    match op:
        case ops.Attention(k=k, v=v):
            first, second = _unrepeated(k), _unrepeated(v)
            if first is not None and second is not None and first.shape[1] == second.shape[1]:
                return builder(replace(op, k=first, v=second))
    return None


def _unrepeated(x: Value) -> Value | None:
    """[B, Hkv, S, D] before it went by [B, Hkv, 1, S, D] and an expansion to [B, H, S, D]."""
    match x.op:
        case ops.Reshape(x=Value(ops.Expand(x=Value(ops.Reshape(x=heads, shape=(b, h, 1, s, d))), shape=wide))):
            fits = heads.shape == (b, h, s, d) and wide == (b, h, wide[2], s, d)
            return heads if fits and x.shape == (b, h * wide[2], s, d) else None
    return None


def _guarded(where: Value) -> Value | None:
    """The scores behind where(isnan(p), 0, p) with p = softmax(scores)."""
    match where.op:
        case ops.Where(condition=Value(ops.IsNan(x=p)), a=zero, b=Value(ops.Softmax(x=scores, dim=3)) as same):
            return scores if p is same and ops.number_of(zero) == 0 else None
    return None


def _scores(value: Value, builder: Builder) -> _Scores | None:
    match value.op:
        case ops.Add(a=a, b=b):
            for product, mask in ((a, b), (b, a)):
                found = _product(product, builder)
                if found is not None and _broadcasts(mask, product.shape):
                    return replace(found, mask=_rank_four(_choice(mask, builder), builder))
        case ops.Where(condition=condition, a=a, b=b):
            for product, other, keep in ((a, b, True), (b, a, False)):
                found, low = _product(product, builder), ops.number_of(other)
                if found is not None and low is not None and low <= EXCLUDED and _broadcasts(condition, product.shape):
                    condition = _rank_four(condition, builder)
                    return replace(found, mask=_added(condition, low, keep, value, builder))
    return _product(value, builder)


def _added(condition: Value, low: float, keep: bool, like: Value, builder: Builder) -> Value:
    """The mask that adds `low` where where(condition, ..) put it: beside it the scores vanish in rounding."""
    if low == -math.inf:
        return condition if keep else builder(ops.Not(condition))
    zero, excluded = (Expr(like, builder).number(number) for number in (0.0, low))
    return where(Expr(condition, builder), *((zero, excluded) if keep else (excluded, zero))).value


def _choice(mask: Value, builder: Builder) -> Value:
    """Which keys are seen, as booleans, of a mask that adds 0 to their scores and -inf to all others; else the mask."""
    match mask.op:
        case ops.Where(condition=seen, a=a, b=b) if seen.shape == mask.shape:
            numbers = (ops.number_of(a), ops.number_of(b))
            if numbers == (0, -math.inf):
                return seen
            if numbers == (-math.inf, 0):
                return builder(ops.Not(seen))
    return mask


def _rank_four(mask: Value, builder: Builder) -> Value:
    return builder(ops.Reshape(mask, (1,) * (4 - mask.type.rank) + mask.shape))


def _broadcasts(mask: Value, shape: tuple[int, ...]) -> bool:
    return mask.type.rank <= 4 and broadcast(mask.shape, shape) == shape


def _product(value: Value, builder: Builder) -> _Scores | None:
    """scale * (q @ kt), the scale before or after the product."""
    if value.type.rank != 4:
        return None
    scale, parts = factors(value)
    if len(parts) != 1 or not isinstance(parts[0].op, ops.Matmul):
        return None
    left, q = _unscaled(parts[0].op.a, builder)
    right, kt = _unscaled(parts[0].op.b, builder)
    if not isinstance(kt.op, ops.Permute) and kt not in builder.constants:
        return None  # nothing transposes k: fusing would add a transpose
    return _Scores(q, builder(ops.Permute(kt, LAST_TWO)), scale * left * right)


def _unscaled(value: Value, builder: Builder, depth: int = 8) -> tuple[float, Value]:
    """A number that multiplies the whole of `value`, and the rest; looks through heads being split."""
    number, parts = factors(value)
    if len(parts) != 1:
        return 1.0, value
    match parts[0].op:
        case (ops.Reshape(x=x) | ops.Permute(x=x)) as move if depth:
            inner, source = _unscaled(x, builder, depth - 1)
            moved = parts[0] if source is x else builder(replace(move, x=source))
            return number * inner, moved
    return number, parts[0]


def _finite_rows(mask: Value | None, builder: Builder) -> bool:
    """Whether every row of the mask leaves some key, so that softmax gives no NaN of its own."""
    if mask is None or _bound(mask) < math.inf:
        return True
    known = ops.known(mask, builder)
    return (
        known is not None and bool(known.isfinite().any(-1).all()) and not bool((known.isnan() | (known > 1e30)).any())
    )


def _bound(value: Value, depth: int = 8) -> float:
    """A bound of |value|; infinite if none is known, or none within `depth` ops."""
    if not depth:
        return math.inf
    match value.op:
        case ops.Full(value=number):
            return abs(number) if math.isfinite(number) else math.inf
        case ops.Literal(data=data):
            return max(map(abs, data)) if all(map(math.isfinite, data)) else math.inf
        case ops.Where(a=a, b=b):
            return max(_bound(a, depth - 1), _bound(b, depth - 1))
        case ops.Cast(x=x) if x.dtype.kind == "bool":
            return 1.0
        case ops.Reshape(x=x) | ops.Permute(x=x) | ops.Slice(x=x) | ops.Expand(x=x) | ops.Cast(x=x) | ops.Neg(x=x):
            return _bound(x, depth - 1)
        case ops.Add(a=a, b=b) | ops.Sub(a=a, b=b):
            return _bound(a, depth - 1) + _bound(b, depth - 1)
        case ops.Mul(a=a, b=b):
            return _bound(a, depth - 1) * _bound(b, depth - 1)
        case ops.Concat(xs=xs):
            return max(_bound(x, depth - 1) for x in xs)
    return math.inf
