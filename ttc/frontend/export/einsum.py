"""torch.einsum as transposes, one batched product for each pair of operands, and sums."""

from __future__ import annotations

import math

from ttc.errors import Refusal
from ttc.frontend.export.table import ExportBuilder, aten
from ttc.ops.expr import Expr

Labelled = tuple[Expr, str]
"""A tensor and one letter for each dimension."""


@aten("einsum")
def einsum(b: ExportBuilder, equation: str, tensors: list[Expr], path: list[int] | None = None) -> Expr:
    terms, output = _letters(equation, [x.rank for x in tensors])
    current = _summed((tensors[0], terms[0]), set("".join(terms[1:]) + output))
    for position in range(1, len(tensors)):
        rest = set("".join(terms[position + 1 :]) + output)
        other = _summed((tensors[position], terms[position]), rest | set(current[1]))
        current = _product(_summed(current, rest | set(other[1])), other, rest)
    x, letters = _summed(current, set(output))
    return x.permute(*[letters.index(letter) for letter in output])


def _letters(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """Return the letters of each operand and of the result; dots become capital letters from the alphabet's end."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    spare = [letter for letter in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if letter not in equation]
    dots = max((rank - len(term) + 3 for term, rank in zip(terms, ranks, strict=True) if "..." in term), default=0)
    lead = "".join(reversed(spare[:dots]))
    terms = [
        term.replace("...", lead[len(lead) - (rank - len(term) + 3) :]) for term, rank in zip(terms, ranks, strict=True)
    ]
    if not arrow:
        every = "".join(terms)
        output = lead + "".join(sorted(letter for letter in set(every) - set(lead) if every.count(letter) == 1))
    if any(len(set(term)) < len(term) for term in terms):
        raise Refusal(f"einsum {equation!r} takes a diagonal, which is not supported")
    return terms, output.replace("...", lead)


def _summed(x: Labelled, wanted: set[str]) -> Labelled:
    """Sum x over the letters that nobody wants."""
    value, letters = x
    dims = tuple(i for i, letter in enumerate(letters) if letter not in wanted)
    if not dims:
        return x
    return value.sum(dims), "".join(letter for letter in letters if letter in wanted)


def _product(x: Labelled, y: Labelled, wanted: set[str]) -> Labelled:
    """Multiply two operands, and sum over the letters that they share and nobody wants."""
    (left, xs), (right, ys) = x, y
    shared = [letter for letter in xs if letter in ys]
    batch = [letter for letter in shared if letter in wanted]
    inner = [letter for letter in shared if letter not in wanted]
    rows, columns = [c for c in xs if c not in ys], [c for c in ys if c not in xs]
    if not inner or any(left.shape[xs.index(c)] != right.shape[ys.index(c)] for c in shared):
        return _elementwise(x, y, wanted)
    sizes = {c: left.shape[xs.index(c)] for c in xs} | {c: right.shape[ys.index(c)] for c in ys}
    a = _grouped(x, (batch, rows, inner), sizes)
    c = _grouped(y, (batch, inner, columns), sizes)
    letters = [*batch, *rows, *columns]
    return (a @ c).reshape(*[sizes[letter] for letter in letters]), "".join(letters)


def _grouped(x: Labelled, groups: tuple[list[str], ...], sizes: dict[str, int]) -> Expr:
    """Reshape x to each group of letters as one dimension of a batched matrix; an empty batch has none."""
    value, letters = x
    order = [letters.index(letter) for group in groups for letter in group]
    batch, *matrix = groups
    shape = [sizes[c] for c in batch] + [math.prod(sizes[c] for c in group) for group in matrix]
    return value.permute(*order).reshape(*shape)


def _elementwise(x: Labelled, y: Labelled, wanted: set[str]) -> Labelled:
    """Multiply by broadcasting, for operands that share no summed letter."""
    (left, xs), (right, ys) = x, y
    letters = "".join((xs, *(c for c in ys if c not in xs)))
    return _summed((_aligned(left, xs, letters) * _aligned(right, ys, letters), letters), wanted)


def _aligned(x: Expr, own: str, letters: str) -> Expr:
    """Reshape x to a dimension for each letter, of size 1 where x has none."""
    x = x.permute(*(own.index(letter) for letter in letters if letter in own))
    sizes = iter(x.shape)
    return x.reshape(*(next(sizes) if letter in own else 1 for letter in letters))
