"""Docstrings are written in one way: functions begin with a verb, classes name the thing, sentences their nouns."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ttc

ROOT = Path(ttc.__file__).parent

QUESTIONS = {"how", "what", "when", "where", "whether", "which", "who", "why"}
"""Words that begin a question: a docstring names a thing or says what a function does."""

PRONOUNS = {"it", "its", "their", "them", "they"}
"""Words that stand for a noun, which a sentence that begins with one of them has not named."""

VERBS = {
    "add", "advise", "allocate", "analyse", "apply", "ask", "attend", "average", "bind", "bound", "bring",
    "broadcast", "build", "call", "check", "choose", "clamp", "clip", "close", "combine", "compare", "compile",
    "compute", "concatenate", "convert", "convolve", "copy", "count", "cross", "cut", "decompose", "describe",
    "divide", "draw", "drop", "emulate", "estimate", "evaluate", "expand", "explain", "export", "fill", "find",
    "fold", "follow", "free", "fuse", "gather", "give", "group", "import", "infer", "insert", "interpolate", "join",
    "keep", "lead", "let", "link", "list", "load", "look", "lower", "make", "map", "mark", "mask", "match",
    "measure", "merge", "move", "multiply", "name", "normalise", "note", "open", "order", "pack", "pad", "parse",
    "pass", "permute", "pick", "place", "plan", "predict", "print", "project", "put", "raise", "read", "rebuild",
    "record", "reduce", "reflect", "refuse", "register", "reinterpret", "release", "remove", "repeat", "replace",
    "replay", "report", "require", "reserve", "reset", "reshape", "resize", "restore", "return", "reverse",
    "rewrite", "round", "run", "sample", "save", "scale", "scatter", "select", "send", "set", "share", "show",
    "silence", "simplify", "slice", "solve", "sort", "split", "stack", "start", "state", "stop", "store", "strip",
    "sum", "swap", "take", "tell", "trace", "transform", "translate", "transpose", "try", "turn", "undo", "unpack",
    "unroll", "upload", "use", "verify", "wait", "walk", "watch", "wrap", "write", "yield",
}  # fmt: skip
"""Verbs in the imperative that docstrings of functions begin with; a new one is added here."""


def documented(source: str) -> Iterator[tuple[bool, int, str]]:
    """Every docstring, and every string below a constant: whether it is a function's, its line, its text."""
    for owner in ast.walk(ast.parse(source)):
        body = getattr(owner, "body", None)
        for place, statement in enumerate(body if isinstance(body, list) else ()):
            match statement:
                case ast.Expr(ast.Constant(str() as text)):
                    function = isinstance(owner, (ast.FunctionDef, ast.AsyncFunctionDef)) and place == 0
                    yield function, statement.lineno, text


def faults(text: str, function: bool) -> list[str]:
    """Each rule that a docstring breaks, in words."""
    first = re.match(r"[A-Za-z]+", text.strip())
    word = first[0].lower() if first else ""
    found = []
    if word in QUESTIONS:
        found.append(f"begins with {first[0]!r}: name the thing, or begin with a verb")
    elif function and word not in VERBS:
        found.append(f"a function's docstring begins with a verb in the imperative (VERBS), not {text.strip()[:20]!r}")
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", text.strip()):
        beginning = sentence.partition(" ")[0]
        if beginning.lower() in PRONOUNS:
            found.append(f"a sentence begins with {beginning!r}: repeat the noun")
    return found


def faults_of(path: Path) -> list[str]:
    where = path.relative_to(ROOT)
    return [
        f"ttc/{where}:{line} {fault}"
        for function, line, text in documented(path.read_text())
        for fault in faults(text, function)
    ]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_begin_with_a_verb_or_name_the_thing(path: Path):
    assert not faults_of(path)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (True, "Return the shape."),
        (True, "Return whether it is what the op knows."),
        (True, "Match rows.\n\n    A row that it holds is cut."),
        (False, "The shape of x: its sizes."),
        (False, "a + b."),
        (False, "`exact`: fp32."),
        (False, "Itself and whatever is in it."),
    ],
)
def test_such_docstrings_are_taken(function: bool, text: str):
    assert not faults(text, function)


@pytest.mark.parametrize(
    ("function", "text", "fault"),
    [
        (True, "The shape of x.", "begins with a verb"),
        (True, "Returns the shape.", "begins with a verb"),
        (True, "[N, C] of x.", "begins with a verb"),
        (True, "", "begins with a verb"),
        (True, "Whether x is finite.", "begins with 'Whether'"),
        (False, "What a call needs.", "begins with 'What'"),
        (False, "how a call rounds.", "begins with 'how'"),
        (False, "Rows of x. It is static.", "begins with 'It'"),
        (True, "Return x.\n\n    Their order is kept.", "begins with 'Their'"),
        (False, "They are rows.", "begins with 'They'"),
    ],
)
def test_such_docstrings_are_not(function: bool, text: str, fault: str):
    assert fault in " ".join(faults(text, function))


def test_strings_below_constants_and_in_classes_are_read():
    source = 'A = 1\n"""What A is."""\n\n\nclass B:\n    """B."""\n\n    def f(self):\n        """F."""\n        "x"\n'
    read = sorted((line, function, text) for function, line, text in documented(source))
    assert read == [(2, False, "What A is."), (6, False, "B."), (9, True, "F."), (10, False, "x")]
