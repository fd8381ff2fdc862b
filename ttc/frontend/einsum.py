"""Einsum as permutes, reshapes, products and sums, two operands at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ttc.errors import Refusal
from ttc.frontend.composer import Composer
from ttc.ops.expr import Expr, where


@dataclass(frozen=True)
class Labelled:
    """A value and a label for each of its dimensions."""

    x: Expr
    labels: tuple[str, ...]

    def size(self, label: str) -> int:
        return self.x.shape[self.labels.index(label)]


def einsum(b: Composer, equation: str, xs: Sequence[Expr]) -> Expr:
    """Compute an equation in numpy's notation, which torch and ONNX share; Refusal where the equation does not fit."""
    terms, wanted = _parse(equation, [x.rank for x in xs])
    items = [_diagonal(b, Labelled(x, term)) for x, term in zip(xs, terms, strict=True)]
    left = items[0]
    for position, right in enumerate(items[1:], start=1):
        later = {label for item in items[position + 1 :] for label in item.labels}
        left = _product(left, right, later | set(wanted))
    left = _summed(left, set(wanted))
    return left.x.permute(*(left.labels.index(label) for label in wanted))


def _parse(equation: str, ranks: list[int]) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Parse labels of each operand and of the result; `...` becomes labels 0, 1, ... counted from the right."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise Refusal(f"the equation {equation!r} is for {len(terms)} operands, got {len(ranks)}")
    found = []
    for term, rank in zip(terms, ranks, strict=True):
        hidden = rank - len(term.replace("...", ""))
        if hidden < 0 or (hidden and "..." not in term) or not re.fullmatch(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*", term):
            raise Refusal(f"the term {term!r} of {equation!r} does not fit rank {rank}")
        found.append(_labels(term, hidden))
    widest = max((sum(label.isdigit() for label in labels) for labels in found), default=0)
    if arrow:
        return found, _labels(right, widest)
    letters = [label for labels in found for label in labels if not label.isdigit()]
    once = sorted(label for label in set(letters) if letters.count(label) == 1)
    return found, (*_labels("...", widest), *once)


def _labels(term: str, hidden: int) -> tuple[str, ...]:
    before, dots, after = term.partition("...")
    return (*before, *(str(i) for i in reversed(range(hidden)) if dots), *after)


def _diagonal(b: Composer, item: Labelled) -> Labelled:
    """Take repeated labels once: sum the diagonal over the second; other elements may be inf and are not touched."""
    for label in item.labels:
        if item.labels.count(label) < 2:
            continue
        first = item.labels.index(label)
        second = item.labels.index(label, first + 1)
        size = item.x.shape[first]
        shape = tuple(n if i in (first, second) else 1 for i, n in enumerate(item.x.shape))
        diagonal = b.constant(torch.eye(size, dtype=torch.bool)).reshape(*shape)
        x = where(diagonal, item.x, 0).sum((second,))
        return _diagonal(b, Labelled(x, item.labels[:second] + item.labels[second + 1 :]))
    return item


def _summed(item: Labelled, kept: set[str]) -> Labelled:
    """Sum over all labels that are not kept."""
    dims = tuple(i for i, label in enumerate(item.labels) if label not in kept)
    if not dims:
        return item
    return Labelled(item.x.sum(dims), tuple(label for label in item.labels if label in kept))


def _product(left: Labelled, right: Labelled, kept: set[str]) -> Labelled:
    """Multiply by one matmul: common labels that stay are its batch, common ones that go are contracted."""
    left = _summed(left, kept | set(right.labels))
    right = _summed(right, kept | set(left.labels))
    common = [label for label in left.labels if label in right.labels]
    contracted = [label for label in common if label not in kept and left.size(label) == right.size(label)]
    batch = [label for label in common if label not in contracted]
    rows = [label for label in left.labels if label not in common]
    columns = [label for label in right.labels if label not in common]
    if not contracted:
        return _summed(_outer(left, right, batch, rows, columns), kept)
    a = _grouped(left, batch, rows, contracted)
    c = _grouped(right, batch, contracted, columns)
    y = a @ c
    sizes = (*y.shape[:-2], *(left.size(label) for label in rows), *(right.size(label) for label in columns))
    return _summed(Labelled(y.reshape(*sizes), (*batch, *rows, *columns)), kept)


def _grouped(item: Labelled, batch: list[str], first: list[str], second: list[str]) -> Expr:
    """Permute and reshape to [*batch, prod(first), prod(second)]."""
    order = [*batch, *first, *second]
    x = item.x.permute(*(item.labels.index(label) for label in order))
    sizes = [math.prod(item.size(label) for label in group) for group in (first, second)]
    return x.reshape(*(item.size(label) for label in batch), *sizes)


def _outer(left: Labelled, right: Labelled, batch: list[str], rows: list[str], columns: list[str]) -> Labelled:
    """Multiply elementwise over common labels, every row with every column."""
    x = left.x.permute(*(left.labels.index(label) for label in [*batch, *rows]))
    y = right.x.permute(*(right.labels.index(label) for label in [*batch, *columns]))
    x = x.reshape(*x.shape, *[1] * len(columns))
    y = y.reshape(*y.shape[: len(batch)], *[1] * len(rows), *y.shape[len(batch) :])
    return Labelled(x * y, (*batch, *rows, *columns))
