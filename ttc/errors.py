"""What can go wrong, in the words a user reads.

Every error that a user can cause is a `TtcError`; the command line prints its text and exits 2.
Anything else that escapes is a defect of ttc.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unicodedata import category


def printable(text: str) -> str:
    """The text with what a terminal would obey, and what turns or hides text, written as escapes; lines stay."""
    return "".join(char if char == "\n" or _is_plain(char) else ascii(char)[1:-1] for char in text)


def _is_plain(char: str) -> bool:
    """Whether a character is seen: neither a control, a format (bidi) or a surrogate, nor an odd line break."""
    return (char.isascii() and char.isprintable()) or category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


class TtcError(Exception):
    """A plain sentence that names the culprit and, where possible, what to do; names in it are safe to print."""

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(TtcError):
    """A file, array or argument that the user gave is unusable."""


class TypeRuleError(TtcError):
    """An op's operands or attributes break its type rule; also raised when a graph is malformed."""


class Refusal(TtcError):
    """Something that TTNN, or ttc's use of it, cannot do exactly: the reason as a sentence."""


UNREADABLE = "replace these parts of the model, or end it before them: `ttc ops` lists what is supported"
"""What can be done about what a front end refuses."""

NAMED = 3
"""How many places of one reason are named."""


class Refused(TtcError):
    """A whole model that cannot be compiled: every `(where, reason)` at once.

    `advice` is what can be done about them. `rest`, where it is known, is a graph of all that could be read, inputs in
    place of what could not: what later stages refuse of it belongs to the same message.
    """

    def __init__(self, reasons: list[tuple[str, str]], advice: Sequence[str] = (), rest: Any = None):
        self.reasons, self.advice, self.rest = reasons, tuple(dict.fromkeys(advice)), rest
        found = self.by_reason()
        head = f"{len(found)} thing{'s' if len(found) > 1 else ''} in this model cannot be compiled:"
        lines = [f"  {_places(where)}: {reason}" for reason, where in found.items()]
        super().__init__("\n".join([head, *lines, *self.advice]))

    def by_reason(self) -> dict[str, list[str]]:
        """Where each reason holds, in order of appearance."""
        found: dict[str, list[str]] = {}
        for where, reason in self.reasons:
            found.setdefault(reason, []).append(where)
        return found


def _places(where: list[str]) -> str:
    """The first places that a reason has, and how many it has in all."""
    if len(where) <= NAMED:
        return ", ".join(where)
    return f"{', '.join(where[:NAMED])} and {len(where) - NAMED} more ({len(where)} in all)"


@contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Say in a sentence that `what` needs more memory than there is, whoever finds out: Python, numpy or torch."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(sign in str(error) for sign in NO_MEMORY):
            raise
        raise TtcError(f"{what} needs more memory than this machine gives") from None


NO_MEMORY = ("can't allocate memory", "Storage size calculation overflowed", "not enough memory")
"""How torch says it."""


COMPILER = ("torch", "onnx", "networkx")
"""Packages that compiling needs and running does not: `tt-compile[compile]` brings them."""


def require(what: str, packages: Sequence[str] = COMPILER) -> None:
    """TtcError with what to install, if `what` needs a package that this Python does not have."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise TtcError(f"{what} needs {', '.join(missing)}: pip install 'tt-compile[compile]'")


class NeedsValues(Refused):
    """A model that can be compiled only once the values of some of its inputs (`names`) are known."""

    def __init__(self, reasons: list[tuple[str, str]], names: list[str], rest: Any = None):
        super().__init__(reasons, (UNREADABLE,), rest)
        self.names = names
