"""The pass that makes one op of a rotary position embedding written out by hand."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Builder, Graph, Op, Value
from ttc.passes.fuse.match import factors
from ttc.passes.normal import rebuild

Turned = tuple[Value, bool]
"""A value, and whether pairs of neighbours were turned rather than halves."""


def fuse_rotary(graph: Graph) -> Graph:
    """Fuse x * cos + turned(x) * sin, where turned(x) is [-b, a] for the halves, or the neighbours, a and b of x.

    Before:
        %a: f32[1,2,5,4] = slice(x=%x, starts=[0, 0, 0, 0], ends=[1, 2, 5, 4])
        %b: f32[1,2,5,4] = slice(x=%x, starts=[0, 0, 0, 4], ends=[1, 2, 5, 8])
        %n: f32[1,2,5,4] = neg(x=%b)
        %t: f32[1,2,5,8] = concat(xs=[%n, %a], dim=3)
        %p: f32[1,2,5,8] = mul(a=%x, b=%cos)
        %q: f32[1,2,5,8] = mul(a=%t, b=%sin)
        %y: f32[1,2,5,8] = add(a=%p, b=%q)
    After:
        %y: f32[1,2,5,8] = rotary(x=%x, cos=%cos, sin=%sin)
    """
    return rebuild(graph, _rotary)


def _rotary(op: ops.Add, builder: Builder) -> Value | None:
    """Match x * cos + turned(x) * sin, the sum and the products in any order."""
    match op:
        case ops.Add(a=Value(ops.Mul()) as a, b=Value(ops.Mul()) as b) if op.a.dtype.is_float:
            for first, second in ((a, b), (b, a)):
                made = _from_products(first.op, second.op)
                if made is not None and made.infer() == op.infer():
                    return builder(made)
    return None


def _from_products(straight: Op, across: Op) -> ops.Rotary | None:
    """Match the products x * cos and turned(x) * sin."""
    assert isinstance(straight, ops.Mul)
    assert isinstance(across, ops.Mul)
    for rows, sin in ((across.a, across.b), (across.b, across.a)):
        found = _by_halves(rows) or _by_pairs(rows)
        if found is None:
            continue
        x, pairs = found
        for same, cos in ((straight.a, straight.b), (straight.b, straight.a)):
            if same is x and x.shape == rows.shape and cos.shape == sin.shape and _narrower(cos, x):
                return ops.Rotary(x, cos, sin, pairs)
    return None


def _narrower(cos: Value, x: Value) -> bool:
    """Return whether the table is broadcast to x, and not x to the table."""
    rank = cos.type.rank
    return rank <= x.type.rank and all(
        a in (1, b) for a, b in zip(cos.shape, x.shape[x.type.rank - rank :], strict=True)
    )


def _by_halves(rows: Value) -> Turned | None:
    """Match [-b, a], where x = [a, b] along the last dimension."""
    match rows.op:
        case ops.Concat(xs=(minus, first), dim=dim) if dim == rows.type.rank - 1:
            second = _negated(minus)
            return None if second is None else _halves(first, second)
    return None


def _negated(value: Value) -> Value | None:
    """Return b where `value` is -b, else None."""
    number, parts = factors(value)
    return parts[0] if number == -1 and len(parts) == 1 else None


def _halves(first: Value, second: Value) -> Turned | None:
    """Match the first and the second half of one value's last dimension."""
    match first.op, second.op:
        case ops.Slice(x=x), ops.Slice(x=same) if same is x:
            size = x.shape[-1]
            if _columns(first.op) == (0, size // 2) and _columns(second.op) == (size // 2, size) and size % 2 == 0:
                return x, False
    return None


def _columns(part: Op) -> tuple[int, int] | None:
    """Return the start and the end of a slice that takes all but some columns whole; None for other slices."""
    assert isinstance(part, ops.Slice)
    whole = all(part.starts[i] == 0 and part.ends[i] == part.x.shape[i] for i in range(part.x.type.rank - 1))
    return (part.starts[-1], part.ends[-1]) if whole and set(part.steps) == {1} else None


def _by_pairs(rows: Value) -> Turned | None:
    """Match [.., D/2, 2] of -b and a brought back to [.., D], where x = [.., D/2, 2] holds a and b side by side."""
    match rows.op:
        case ops.Reshape(x=Value(ops.Concat(xs=(minus, first), dim=dim)) as stacked) if dim == stacked.type.rank - 1:
            # a = x[.., 0] and -b = -x[.., 1], each with a last dimension of one
            second = _negated(_unsqueezed(minus))
        case _:
            return None
    if second is None:
        return None
    match _unsqueezed(first).op, _unsqueezed(second).op:
        case ops.Slice(x=Value(ops.Reshape(x=x)) as split) as a, ops.Slice(x=same) as b if (
            same is split and split.shape == (*x.shape[:-1], x.shape[-1] // 2, 2) and x.shape == rows.shape
        ):
            return (x, True) if (_columns(a), _columns(b)) == ((0, 1), (1, 2)) else None
    return None


def _unsqueezed(value: Value) -> Value:
    """Return what is reshaped by a last dimension of one that is added or taken away, or the value itself."""
    match value.op:
        case ops.Reshape(x=x) if (*x.shape, 1) == value.shape or x.shape == (*value.shape, 1):
            return x
    return value
