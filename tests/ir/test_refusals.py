"""Every message in `ttc/ir` has a row in refused.py, and every row its message."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.ir.refused import ATTEMPTS, MADE_BY_HAND, PARSER, TAKEN_BY_PARSER, TAKEN_BY_VERIFIER, VERIFIER
from ttc import ir
from ttc.errors import TypeRuleError
from ttc.ir import Graph, parse_graph, verify
from ttc.runtime.run.program import parse_program

FOLDER = Path(ir.__file__).parent
MESSAGES_STAND_IN = {"require": 1, "within": 2, "error": 0}
"""Functions that refuse, or make what is raised, and the place of the message among their arguments."""


@pytest.mark.parametrize(("text", "message"), PARSER)
def test_the_parser_refuses(text: str, message: str):
    with pytest.raises(TypeRuleError) as error:
        parse_graph(text)
    assert str(error.value).startswith(f"program text, {message}")


@pytest.mark.parametrize("text", TAKEN_BY_PARSER)
def test_the_parser_takes(text: str):
    assert parse_graph(text).nodes


@pytest.mark.parametrize(
    ("graph", "message"), [*((parse_program(text), message) for text, message in VERIFIER), *MADE_BY_HAND]
)
@pytest.mark.parametrize("where", ["", "a pass"])
def test_the_verifier_refuses(graph: Graph, message: str, where: str):
    with pytest.raises(TypeRuleError) as error:
        verify(graph, where)
    assert str(error.value).startswith(f"{where}: {message}" if where else message)


@pytest.mark.parametrize("text", TAKEN_BY_VERIFIER)
def test_the_verifier_takes(text: str):
    verify(parse_program(text))


@pytest.mark.parametrize(("attempt", "message"), ATTEMPTS)
def test_the_rest_refuses(attempt: Callable[[], Any], message: str):
    assert said(attempt).startswith(message)


def said(attempt: Callable[[], Any]) -> str:
    """The message of what an attempt raises."""
    with pytest.raises(Exception) as error:  # noqa: PT011 (each kind of error has rows here)
        attempt()
    return str(error.value)


@cache
def met() -> tuple[str, ...]:
    """Every message of every row."""
    graphs = [*(parse_program(text) for text, _ in VERIFIER), *(graph for graph, _ in MADE_BY_HAND)]
    return (
        *(said(lambda text=text: parse_graph(text)) for text, _ in PARSER),
        *(said(lambda graph=graph, where=where: verify(graph, where)) for graph in graphs for where in ("", "a pass")),
        *(said(attempt) for attempt, _ in ATTEMPTS),
    )


def sources(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions of a file that are messages: raised, handed to a function that refuses, or returned faults."""
    for node in ast.walk(tree):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(), args=[message])):
                yield message
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[*arguments]):
                if name in MESSAGES_STAND_IN and len(arguments) > MESSAGES_STAND_IN[name]:
                    yield arguments[MESSAGES_STAND_IN[name]]
            case ast.FunctionDef(name="_fault" | "_stale"):
                yield from (part.value for part in ast.walk(node) if isinstance(part, ast.Return) and part.value)


def patterns(message: ast.expr) -> list[str]:
    """The regular expressions of a message's forms: a hole is any text, a choice of two is a form each."""
    match message:
        case ast.Constant(value=str(text)):
            return [re.escape(text)]
        case ast.FormattedValue(value=ast.IfExp(body=first, orelse=second)):
            return [form for side in (first, second) for form in patterns(side) or [".+"]]
        case ast.JoinedStr(values=parts):
            forms = [""]
            for part in parts:
                forms = [form + more for form in forms for more in patterns(part) or [".+"]]
            return forms
    return []  # handed on from elsewhere


FORMS = [
    (path.name, form)
    for path in sorted(FOLDER.rglob("*.py"))
    for message in sources(ast.parse(path.read_text()))
    for form in patterns(message)
]


@pytest.mark.parametrize(("file", "form"), FORMS)
def test_every_message_has_a_row(file: str, form: str):
    assert any(re.search(rf"(^|: |^[\d,]+ ){form}", message) for message in met()), (
        f"no row in refused.py meets {form!r}"
    )


def test_messages_are_found():
    assert len(FORMS) > 40
    parts = {"graph.py", "parser.py", "tokens.py", "verify.py", "rewrite.py", "types.py", "weights.py"}
    assert {file for file, _ in FORMS} >= parts
    tree = ast.parse("""require(x, "a"); error(f"{'b' if x else ''}c"); print("d")\nraise E(f"{x}e")""")
    found = [form for message in sources(tree) for form in patterns(message)]
    assert sorted(found) == [".+e", "a", "bc", "c"]
