"""Traversal of operands without recursion, each value once, so that chains of any length are walked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ttc.ir.graph import Value


def operands_first(roots: Iterable[Value], into: Callable[[Value], bool] = lambda value: True) -> Iterator[Value]:
    """Yield the values that `roots` depend on and `into` accepts, once each, operands first; the roots come last.

    Operands of a value that `into` does not accept are not looked at.
    """
    done: set[Value] = set()
    waiting = list(roots)[::-1]
    while waiting:
        value = waiting[-1]
        if value in done or not into(value):
            waiting.pop()
            continue
        missing = [operand for operand in value.op.operands() if operand not in done and into(operand)]
        if missing:
            waiting += reversed(missing)
            continue
        waiting.pop()
        done.add(value)
        yield value
