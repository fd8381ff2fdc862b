"""The pass that makes one op of scaled dot-product attention written out as products and a softmax."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ttc import ops
from ttc.errors import TypeRuleError
from ttc.ir import Builder, DType, Graph, Value
from ttc.ir.types import broadcast
from ttc.ops.expr import Expr, where
from ttc.passes.fuse.match import factors
from ttc.passes.fuse.seen_keys import lets_a_key_through
from ttc.passes.normal import rebuild

LAST_TWO = (0, 1, 3, 2)
"""The permutation that transposes k [B, H, S, D] for the product of scores."""
EXCLUDED = -1e9
"""The mask value at or below which a key is excluded: a score added to such a value vanishes in rounding."""


def fuse_attention(graph: Graph) -> Graph:
    """Fuse softmax(scale * q @ k.T + mask) @ v over [B, H, S, D], wherever the scale is applied.

    A row whose mask leaves no key is NaN, or 0 behind a guard against NaN: the attribute `empty` states which.

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
    return rebuild(graph, _attention, _of_merged_heads, _never_empty, _grouped)


@dataclass(frozen=True)
class _Scores:
    """The operands of scores = scale * q @ k.T + mask; q is [B, H, S, D], the mask broadcasts to [B, H, S, T]."""

    q: Value
    k: Value
    scale: float
    mask: Value | None = None


def _attention(op: ops.Matmul, builder: Builder) -> Value | None:
    """Match p @ v, where p = softmax(scores), as attention."""
    match op:
        # y = softmax(scores) @ v, the softmax over the keys
        case ops.Matmul(a=Value(ops.Softmax(x=scores, dim=3)), b=v) if v.type.rank == 4:
            guarded = False
        # y = where(isnan(p), 0, p) @ v: rows without keys give 0
        case ops.Matmul(a=Value(ops.Where()) as where, b=v) if (scores := _guarded(where)) and v.type.rank == 4:
            guarded = True
        case _:
            return None
    # scores = scale * q @ k.T + mask
    found = _scores(scores, builder)
    if found is None:
        return None
    # a row without keys is softmax(-inf, ..) = NaN, unless the guard makes 0 of the NaN or no row is without keys
    empty = "zero" if guarded or _finite_rows(found.mask, builder) else "nan"
    attention = ops.Attention(found.q, found.k, v, found.mask, scale=found.scale, empty=empty)
    try:
        fits = attention.infer() == op.infer() and found.k.shape[:2] == found.q.shape[:2]
    except TypeRuleError:  # one of the products broadcasts batches
        return None
    if not fits:
        return None
    return _grouped(attention, builder) or builder(attention)


def _of_merged_heads(op: ops.Matmul, builder: Builder) -> Value | None:
    """Match attention over [B * H, S, D], where reshapes merged [B, H], as attention over [B, H, S, D].

    Weights that something else reads, too, as the products with relative values do, stay.
    """
    match op:
        # y = softmax(scores) @ reshape(v), the softmax over the keys
        case ops.Matmul(a=Value(ops.Softmax(x=scores, dim=2)) as weights, b=merged) if builder.uses[weights] == 1:
            v = _unmerged(merged)
            found = None if v is None else _of_heads(scores, v.shape[:2], builder)
            if v is None or found is None:
                return None
            empty = "zero" if _finite_rows(found.mask, builder) else "nan"
            attention = ops.Attention(found.q, found.k, v, found.mask, scale=found.scale, empty=empty)
            return builder(ops.Reshape(_grouped(attention, builder) or builder(attention), op.infer().shape))
    return None


def _of_heads(scores: Value, heads: tuple[int, ...], builder: Builder) -> _Scores | None:
    """Match scores [B * H, S, T]: a product of merged heads, perhaps with a bias for each head, perhaps masked."""
    match scores.op:
        # where(condition, scores, low), the condition the same for all heads of all samples
        case ops.Where(condition=condition, a=a, b=b) if (low := ops.number_of(b)) is not None and low <= EXCLUDED:
            found = _of_heads(a, heads, builder)
            if found is None or condition.type.rank > 3 or condition.shape[:-2] not in ((), (1,)):
                return None
            seen = _rank_four(condition, builder)
            return replace(found, mask=_added(seen, low, True, scores, builder, found.mask))
        # q @ k.T + bias
        case ops.Add(a=a, b=b) if a.shape == b.shape:
            for product, bias in ((a, b), (b, a)):
                found = _of_heads(product, heads, builder)
                if found is not None and found.mask is None:
                    return replace(found, mask=builder(ops.Reshape(bias, (*heads, *bias.shape[1:]))))
        # q @ k.T, from which no scale is taken that something else reads, too
        case ops.Matmul(a=merged, b=Value(ops.Permute(x=keys, dims=(0, 2, 1)))):
            q, k = _unmerged(merged), _unmerged(keys)
            if q is not None and k is not None and q.shape[:2] == k.shape[:2] == heads:
                left, q = _unscaled(q, builder) if builder.uses[merged] == 1 else (1.0, q)
                right, k = _unscaled(k, builder) if builder.uses[keys] == 1 else (1.0, k)
                return _Scores(q, k, left * right)
    return None


def _unmerged(x: Value) -> Value | None:
    """Return [B, H, S, D] where x is that reshaped to [B * H, S, D], else None."""
    match x.op:
        case ops.Reshape(x=heads, shape=(_, *sizes)) if heads.type.rank == 4 and heads.shape[2:] == tuple(sizes):
            return heads
    return None


def _grouped(op: ops.Attention, builder: Builder) -> Value | None:
    """Match attention over k and v repeated for each query head of a group as grouped-query attention."""
    match op:
        # k, v: [B, Hkv, T, D] in place of [B, H, T, D], where H is a multiple of Hkv
        case ops.Attention(k=k, v=v):
            first, second = _unrepeated(k, builder), _unrepeated(v, builder)
            if first is not None and second is not None and first.shape[1] == second.shape[1]:
                return builder(replace(op, k=first, v=second))
    return None


def _never_empty(op: ops.Attention, builder: Builder) -> Value | None:
    """State that every query sees a key where the mask says so."""
    match op:
        case ops.Attention(mask=Value() as mask, causal=False) if op.empty != "never" and mask.dtype is DType.bool:
            if lets_a_key_through(mask, builder):
                sure = replace(op, empty="never")
                return _grouped(sure, builder) or builder(sure)
    return None


def _unrepeated(x: Value, builder: Builder) -> Value | None:
    """Return [B, Hkv, S, D] where x is [B, H, S, D] that repeats each head H / Hkv times, else None."""
    match x.op:
        # [B, Hkv, S, D], or a view of it -> [B, Hkv, 1, S, D] -> [B, Hkv, H / Hkv, S, D] -> [B, H, S, D]
        case ops.Reshape(x=Value(ops.Expand(x=Value(ops.Reshape(x=heads, shape=(b, h, 1, s, d))), shape=wide))):
            fits = wide == (b, h, wide[2], s, d) and x.shape == (b, h * wide[2], s, d)
            return _with_shape(heads, (b, h, s, d), builder) if fits else None
    return None


def _with_shape(x: Value, shape: tuple[int, ...], builder: Builder) -> Value:
    return x if x.shape == shape else builder(ops.Reshape(x, shape))


def _guarded(where: Value) -> Value | None:
    """Match where(isnan(p), 0, p), where p = softmax(scores), and return the scores."""
    match where.op:
        case ops.Where(condition=Value(ops.IsNan(x=p)), a=zero, b=Value(ops.Softmax(x=scores, dim=3)) as same):
            return scores if p is same and ops.number_of(zero) == 0 else None
    return None


def _scores(value: Value, builder: Builder) -> _Scores | None:
    """Match masked scores: a product and a mask that is added or selected, or both, or the product alone."""
    match value.op:
        # where(condition, scale * q @ k.T + bias, low), or the branches swapped (keep=False), low being -inf or as good
        case ops.Where(condition=condition, a=a, b=b):
            for scores, other, keep in ((a, b, True), (b, a, False)):
                found, low = _shifted(scores, builder) or _product(scores, builder), ops.number_of(other)
                if found is not None and low is not None and low <= EXCLUDED and _broadcasts(condition, scores.shape):
                    if found.mask is not None and found.mask.dtype is DType.bool:
                        return None  # two masks
                    condition = _rank_four(condition, builder)
                    return replace(found, mask=_added(condition, low, keep, value, builder, found.mask))
    # scale * q @ k.T without a mask
    return _shifted(value, builder) or _product(value, builder)


def _shifted(value: Value, builder: Builder) -> _Scores | None:
    """Match scale * q @ k.T + mask, the sum in either order."""
    match value.op:
        case ops.Add(a=a, b=b):
            for product, mask in ((a, b), (b, a)):
                found = _product(product, builder)
                if found is not None and _broadcasts(mask, product.shape):
                    return replace(found, mask=_rank_four(_choice(mask, builder), builder))
    return None


def _added(condition: Value, low: float, keep: bool, like: Value, builder: Builder, bias: Value | None = None) -> Value:
    """Return the mask that adds `low` where where(condition, ..) selects `low`, and elsewhere a bias, if any.

    Scores vanish beside `low`.
    """
    if low == -math.inf and bias is None:
        return condition if keep else builder(ops.Not(condition))
    zero, excluded = (Expr(like, builder).number(number) for number in (0.0, low))
    kept = zero if bias is None else Expr(bias, builder)
    return where(Expr(condition, builder), *((kept, excluded) if keep else (excluded, kept))).value


def _choice(mask: Value, builder: Builder) -> Value:
    """Return a mask of 0 (key seen) and -inf (key excluded) as booleans, True for seen; any other mask as given."""
    match mask.op:
        # where(seen, 0, -inf), or where(excluded, -inf, 0)
        case ops.Where(condition=seen, a=a, b=b) if seen.shape == mask.shape:
            numbers = (ops.number_of(a), ops.number_of(b))
            if numbers == (0, -math.inf):
                return seen
            if numbers == (-math.inf, 0):
                return builder(ops.Not(seen))
    return mask


def _rank_four(mask: Value, builder: Builder) -> Value:
    """Reshape a mask to rank 4, with leading dimensions of size 1."""
    return builder(ops.Reshape(mask, (1,) * (4 - mask.type.rank) + mask.shape))


def _broadcasts(mask: Value, shape: tuple[int, ...]) -> bool:
    """Return whether a mask broadcasts to the scores' shape [B, H, S, T]."""
    return mask.type.rank <= 4 and broadcast(mask.shape, shape) == shape


def _product(value: Value, builder: Builder) -> _Scores | None:
    """Match scale * (q @ kt), where the scale may multiply q, kt or the product."""
    if value.type.rank != 4:
        return None
    # scale * (a @ b)
    scale, parts = factors(value)
    if len(parts) != 1 or not isinstance(parts[0].op, ops.Matmul):
        return None
    # a = left * q and b = right * kt, so the whole is (scale * left * right) * (q @ kt)
    left, q = _unscaled(parts[0].op.a, builder)
    right, kt = _unscaled(parts[0].op.b, builder)
    if not isinstance(kt.op, ops.Permute) and kt not in builder.constants:
        return None  # nothing transposes k: fusing would add a transpose
    return _Scores(q, builder(ops.Permute(kt, LAST_TWO)), scale * left * right)


def _unscaled(value: Value, builder: Builder, depth: int = 8) -> tuple[float, Value]:
    """Split `value` into a constant factor of all elements and the rest, through the reshapes that split heads."""
    number, parts = factors(value)
    if len(parts) != 1:
        return 1.0, value
    match parts[0].op:
        # move(c * x) = c * move(x)
        case (ops.Reshape(x=x) | ops.Permute(x=x)) as move if depth:
            inner, source = _unscaled(x, builder, depth - 1)
            moved = parts[0] if source is x else builder(replace(move, x=source))
            return number * inner, moved
    return number, parts[0]


def _finite_rows(mask: Value | None, builder: Builder) -> bool:
    """Return whether every row of the mask leaves some key, so that the softmax makes no NaN."""
    if mask is None or _bound(mask) < math.inf:
        return True
    known = ops.known(mask, builder)
    return (
        known is not None and bool(known.isfinite().any(-1).all()) and not bool((known.isnan() | (known > 1e30)).any())
    )


def _bound(value: Value, depth: int = 8) -> float:
    """Bound |value| by interval arithmetic over at most `depth` ops; infinite where no bound is known."""
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
