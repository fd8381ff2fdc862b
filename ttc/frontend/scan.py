"""Results of every prefix of a line, in as many steps as the line's length has bits (Hillis and Steele 1986)."""

from __future__ import annotations

from collections.abc import Callable

from ttc.ops.expr import Expr, concat

Values = tuple[Expr, ...]


def scan(xs: Values, axis: int, combine: Callable[[Values, Values], Values]) -> Values:
    """Combine each prefix along `axis`: tensors of one shape in, as many out, in the same shape.

    `combine` takes earlier and later elements and must be associative. In step k each element is combined with the
    one 2^k before it, which stands for the 2^k elements up to there.
    """
    size, reach = xs[0].shape[axis], 1
    while reach < size:
        earlier = tuple(x.part(axis, 0, size - reach) for x in xs)
        later = tuple(x.part(axis, reach, size) for x in xs)
        heads = (x.part(axis, 0, reach) for x in xs)
        tails = combine(earlier, later)
        xs = tuple(concat((head, tail), axis) for head, tail in zip(heads, tails, strict=True))
        reach *= 2
    return xs
