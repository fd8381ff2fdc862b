"""The tokens of the text form, and the literals that are one token each."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any

from ttc.errors import TypeRuleError

_TOKEN = re.compile(
    r"""\s*(?:(?P<value>%[A-Za-z0-9_.]+)|(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<number>-?(?:inf\b|nan\b|\d+\.?\d*(?:e[+-]?\d+)?))|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)
    |(?P<mark>[(){}\[\],:=<>])|(?P<comment>\#[^\n]*))""",
    re.VERBOSE,
)
_END = re.compile(r"\s*\Z")
_EQUALS = re.compile(r"\s*=")


class Tokens:
    """A line-aware token stream with one token of look-ahead."""

    def __init__(self, text: str):
        self.text, self.position = text, 0
        self.kind, self.token = "", ""
        self.depth = 0  # of loops around the token
        self.comment = ""  # what stands in the line of the token before, behind it
        self.advance()

    def advance(self) -> str:
        """Take the token, and read the next one."""
        taken, self.comment = self.token, ""
        self._read()
        while self.kind == "comment":
            self._read()
        return taken

    def _read(self) -> None:
        if _END.match(self.text, self.position):
            self.kind, self.token = "end", ""
            return
        found = _TOKEN.match(self.text, self.position)
        if not found:
            raise self.error(f"cannot read {self.text[self.position :].strip()[:20]!r}")
        self.kind, self.token, self.position = str(found.lastgroup), found[found.lastgroup or 0], found.end()
        if self.kind == "comment" and "\n" not in found[0]:
            self.comment = self.token[1:].strip()

    def expect(self, token: str) -> None:
        if self.token != token:
            raise self.error(f"expected {token!r}, found {self.token!r}")
        self.advance()

    @property
    def at_keyword(self) -> bool:
        """Return whether the token is a word with `=` after it."""
        return self.kind == "word" and bool(_EQUALS.match(self.text, self.position))

    def take(self, kind: str) -> str:
        if self.kind != kind:
            raise self.error(f"expected a {kind}, found {self.token!r}")
        return self.advance()

    def accept(self, token: str) -> bool:
        if self.token != token:
            return False
        self.advance()
        return True

    def error(self, message: str) -> TypeRuleError:
        line = self.text.count("\n", 0, self.position) + 1
        return TypeRuleError(f"program text, line {line}: {message}")


def string(tokens: Tokens) -> str:
    """Take a quoted string; TypeRuleError for a bad escape."""
    token = tokens.take("string")
    try:
        return json.loads(token)
    except json.JSONDecodeError:
        raise tokens.error(f"{token} is no proper string") from None


def number(tokens: Tokens) -> int | float:
    """Take an integer or a float; TypeRuleError for anything else."""
    return integer(tokens) if re.fullmatch(r"-?\d+", tokens.token) else float(tokens.take("number"))


def integer(tokens: Tokens) -> int:
    """Take an integer of at most 20 digits; TypeRuleError for anything else."""
    token = tokens.take("number")
    if not re.fullmatch(r"-?\d{1,20}", token):
        raise tokens.error(f"expected an integer, found {token[:30]}")
    return int(token)


def member(tokens: Tokens, enum: type[Enum], word: str) -> Any:
    """Return the member of `enum` with this name; TypeRuleError if none has."""
    if word not in enum.__members__:
        raise tokens.error(f"no {enum.__name__} is called {word!r}")
    return enum[word]


def by_value(tokens: Tokens, enum: type[Enum], word: str) -> Any:
    """Return the member of `enum` with this value; TypeRuleError if none has."""
    for member in enum:
        if member.value == word:
            return member
    raise tokens.error(f"no {enum.__name__} is called {word!r}")
