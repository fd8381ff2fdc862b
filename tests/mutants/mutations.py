"""The mutants of a source file: what cosmic-ray's operators make of it, place by place."""

from __future__ import annotations

import ast
import difflib
import itertools
import random
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

FOLDERS = (
    "ttc/passes",
    "ttc/ops",
    "ttc/analysis",
    "ttc/backend",
    "ttc/calls",
    "ttc/runtime",
    "ttc/frontend",
)
"""What is mutated; the folders below these, too."""

COMPARISONS = {
    "Eq": ("NotEq", "LtE", "GtE"),
    "NotEq": ("Eq", "Lt", "Gt"),
    "Lt": ("LtE", "GtE"),
    "LtE": ("Lt", "Gt", "Eq"),
    "Gt": ("GtE", "LtE"),
    "GtE": ("Gt", "Lt", "Eq"),
    "Is": ("IsNot",),
    "IsNot": ("Is",),
}
ARITHMETIC = {
    "Add": ("Sub",),
    "Sub": ("Add",),
    "Mul": ("Add", "FloorDiv"),
    "Div": ("Mul",),
    "FloorDiv": ("Mul",),
    "Mod": ("FloorDiv", "Mul"),
    "Pow": ("Mul",),
    "BitAnd": ("BitOr",),
    "BitOr": ("BitAnd",),
    "LShift": ("RShift",),
    "RShift": ("LShift",),
}
OPERATORS = tuple(
    f"core/{name}"
    for name in (
        *(f"ReplaceComparisonOperator_{old}_{new}" for old, others in COMPARISONS.items() for new in others),
        *(f"ReplaceBinaryOperator_{old}_{new}" for old, others in ARITHMETIC.items() for new in others),
        "ReplaceUnaryOperator_USub_UAdd",
        "ReplaceUnaryOperator_Delete_Not",
        "AddNot",
        "NumberReplacer",
        "ReplaceAndWithOr",
        "ReplaceOrWithAnd",
        "ReplaceTrueWithFalse",
        "ReplaceFalseWithTrue",
        "ReplaceBreakWithContinue",
        "ReplaceContinueWithBreak",
        "ZeroIterationForLoop",
        "ExceptionReplacer",
        "RemoveDecorator",
    )
)
"""One step away from what is written. Most other replacements (`a << b` for `a + b`) would crash at once."""

Place = tuple[int, int]
"""Line and column."""


@dataclass(frozen=True)
class Mutant:
    """One change to one file."""

    path: str
    place: Place
    operator: str
    occurrence: int

    def code(self, source: str) -> str | None:
        """The file's text with the change; None if that is no Python."""
        made = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        try:
            ast.parse(made or "!")
        except SyntaxError:  # the star of an argument, say, is no product
            return None
        return made

    def diff(self, source: str) -> tuple[str, str]:
        """The lines taken out and put in, each as one string without indentation."""
        lines = difflib.ndiff(source.splitlines(), (self.code(source) or source).splitlines())
        found = [line for line in lines if line[:2] in ("- ", "+ ")]
        return tuple(" ".join(line[2:].strip() for line in found if line[0] == mark) for mark in "-+")  # type: ignore[return-value]

    def __str__(self) -> str:
        return f"{self.path}:{self.place[0]}:{self.place[1]} {self.operator.removeprefix('core/')}[{self.occurrence}]"


def mutants_of(path: str, source: str) -> dict[Place, list[Mutant]]:
    """All mutants of a file by place; annotations have none, for nothing evaluates them."""
    tree, silent = get_ast(source), _annotations(source)
    nodes = list(ast_nodes(tree))
    found: defaultdict[Place, list[Mutant]] = defaultdict(list)
    for name in OPERATORS:
        operator, occurrence = get_operator(name)(), -1
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                occurrence += 1
                if not any(first <= start < last for first, last in silent):
                    found[start].append(Mutant(path, start, name, occurrence))
    return dict(found)


def _annotations(source: str) -> list[tuple[Place, Place]]:
    """Where annotations stand."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.AnnAssign() | ast.arg():
                found.append(node.annotation)
            case ast.FunctionDef():
                found.append(node.returns)
    return [
        ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
        for node in found
        if node is not None and node.end_lineno is not None and node.end_col_offset is not None
    ]


def files(root: Path) -> list[str]:
    """The files that are mutated, in order."""
    return sorted(str(path.relative_to(root)) for folder in FOLDERS for path in (root / folder).rglob("*.py"))


def sample(root: Path, count: int, seed: int, only: str = "") -> list[Mutant]:
    """`count` different mutants of the files that begin with `only`: lines at random, then what is mutated there."""
    generator = random.Random(seed)
    lines = [(path, n) for path in files(root) if path.startswith(only) for n in _lines(root / path)]
    generator.shuffle(lines)
    places = cache(lambda path: mutants_of(path, (root / path).read_text()))
    drawn: list[Mutant] = []
    for path, line in lines:
        here = [mutant for place, mutants in sorted(places(path).items()) if place[0] == line for mutant in mutants]
        generator.shuffle(here)
        source = (root / path).read_text()
        drawn += itertools.islice((mutant for mutant in here if mutant.code(source)), 1)
        if len(drawn) == count:
            break
    return drawn


def _lines(path: Path) -> range:
    return range(1, 1 + path.read_text().count("\n"))
