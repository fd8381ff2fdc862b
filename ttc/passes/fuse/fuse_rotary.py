"""The pass that makes one op of a rotary position embedding written out by hand."""

from __future__ import annotations

from itertools import product

from ttc import ops
from ttc.ir import Builder, Graph, Op, Value
from ttc.ops.expr import Expr, concat
from ttc.ops.shape import before_reshapes
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

    Likewise of neighbours a and b the products a * cos - b * sin and a * sin + b * cos, written in turn.
    """
    return rebuild(graph, _rotary, _rotary_of_pairs)


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
            if same is x and x.shape == rows.shape and cos.shape == sin.shape and _narrower(cos.shape, x.shape):
                return ops.Rotary(x, cos, sin, pairs)
    return None


def _narrower(table: tuple[int, ...], rows: tuple[int, ...]) -> bool:
    """Return whether a table is broadcast to rows, and not the rows to the table."""
    inner = rows[len(rows) - len(table) :]
    return len(table) <= len(rows) and all(a in (1, b) for a, b in zip(table, inner, strict=True))


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
    parts = _side_by_side(rows.op)
    if parts is None:
        return None
    first, second = parts[1], _negated(parts[0])
    found = None if second is None else _pair(first, second)
    x = None if found is None else found.op.x if isinstance(found.op, ops.Reshape) else found
    return None if x is None or x.shape != rows.shape else (x, True)


def _side_by_side(op: Op) -> tuple[Value, Value] | None:
    """Match two values of the elements of [.., D/2], in whatever shape, that alternate in [.., D]."""
    match op:
        case ops.Reshape(x=Value(ops.Concat(xs=(even, odd), dim=dim)) as stacked, shape=shape) if (
            dim == stacked.type.rank - 1 and stacked.shape == (*shape[:-1], shape[-1] // 2, 2)
        ):
            return before_reshapes(even), before_reshapes(odd)
    return None


def _pair(first: Value, second: Value) -> Value | None:
    """Match the even and the odd elements of the last dimension of x; return x, or x as [.., D/2, 2]."""
    match before_reshapes(first).op, before_reshapes(second).op:
        case ops.Slice(x=Value(ops.Reshape()) as split) as a, ops.Slice(x=same) as b if (
            same is split and split.shape[-1] == 2 and (_columns(a), _columns(b)) == ((0, 1), (1, 2))
        ):
            return split
        case ops.Slice(x=x) as a, ops.Slice(x=same) as b if same is x and x.shape[-1] % 2 == 0:
            return x if (_every_other(a), _every_other(b)) == (0, 1) else None
    return None


def _in_rows(x: Value, shape: tuple[int, ...], builder: Builder) -> Value | None:
    """Return the rows [.., D] of a value that is in rows, or in pairs [.., D/2, 2]; None for other shapes."""
    if x.shape == (*shape[:-1], shape[-1] // 2, 2) and isinstance(x.op, ops.Reshape):
        return x.op.x if x.op.x.shape == shape else Expr(x.op.x, builder).reshape(*shape).value
    return x if x.shape == shape else None


def _every_other(part: ops.Slice) -> int | None:
    """Return the first column of a slice that takes every second column from there on whole; None for other slices."""
    *rows, step = part.steps
    start = part.starts[-1]
    whole = all(part.starts[i] == 0 and part.ends[i] == part.x.shape[i] for i in range(part.x.type.rank - 1))
    rest = len(range(start, part.ends[-1], 2)) == part.x.shape[-1] // 2
    return start if whole and rest and step == 2 and set(rows) <= {1} else None


def _rotary_of_pairs(op: ops.Reshape, builder: Builder) -> Value | None:
    """Match a * c - b * s and a * s + b * c side by side, where a and b are neighbours in x: complex products."""
    match _side_by_side(op):
        case Value(ops.Sub(a=Value(ops.Mul() as ac), b=Value(ops.Mul() as bs))), Value(ops.Add() as odd):
            for a, b in product((ac.a, ac.b), (bs.a, bs.b)):
                found = _pair(a, b)
                x = None if found is None or not a.dtype.is_float else _in_rows(found, op.shape, builder)
                tables = None if x is None else _tables(ac, bs, odd, a, b)
                if x is not None and tables is not None and _are_narrow(tables, x):
                    cos, sin = (_alternating(even, odd, builder) for even, odd in (tables[:2], tables[2:]))
                    return builder(ops.Rotary(x, cos, sin, True))
    return None


Tables = tuple[Value, Value, Value, Value]
"""The cosines of even and odd elements, and the sines."""


def _tables(ac: ops.Mul, bs: ops.Mul, odd: ops.Add, a: Value, b: Value) -> Tables | None:
    """Return c, c', s and s' of a * c - b * s and a * s' + b * c', whose sum may be in either order."""
    for across, straight in ((odd.a.op, odd.b.op), (odd.b.op, odd.a.op)):
        if isinstance(across, ops.Mul) and isinstance(straight, ops.Mul):
            cosines, sines = (_factor(ac, a), _factor(straight, b)), (_factor(bs, b), _factor(across, a))
            match (*cosines, *sines):
                case Value() as c, Value() as d, Value() as s, Value() as t:
                    return c, d, s, t
    return None


def _factor(whole: ops.Mul, known: Value) -> Value | None:
    """Return the factor of a product beside a known one; None where the known value is no factor."""
    return whole.b if whole.a is known else whole.a if whole.b is known else None


def _are_narrow(tables: Tables, x: Value) -> bool:
    """Return whether all have one type, and are broadcast to x's pairs but for the last dimension."""
    shape, halves = tables[0].shape, (*x.shape[:-1], x.shape[-1] // 2)
    return len({table.type for table in tables}) == 1 and shape[-1:] == halves[-1:] and _narrower(shape, halves)


def _alternating(even: Value, odd: Value, builder: Builder) -> Value:
    """Return the elements of two values [.., D/2] in turn: [.., D]."""
    columns = [Expr(item, builder).reshape(*item.shape, 1) for item in (even, odd)]
    return concat(columns, even.type.rank).reshape(*even.shape[:-1], 2 * even.shape[-1]).value
