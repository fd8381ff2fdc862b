"""Errors, in the words that a user reads.

Every error that a user can cause is a `TtcError`; the command line prints its text and exits 2. Any other error that
escapes is a defect of ttc.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unicodedata import category


def printable(text: str) -> str:
    """Write characters that a terminal would obey, or that turn or hide text, as escapes; lines stay."""
    return "".join(char if char == "\n" or _is_plain(char) else ascii(char)[1:-1] for char in text)


def _is_plain(char: str) -> bool:
    """Return whether a character is seen: neither a control, a format (bidi) or a surrogate, nor an odd line break."""
    return (char.isascii() and char.isprintable()) or category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, of up to 200 characters; the type's name where there is no text."""
    return next(iter(str(error).splitlines()), "")[:200] or type(error).__name__


class TtcError(Exception):
    """Sentence that names the culprit and, where possible, what to do; names in the sentence are safe to print."""

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(TtcError):
    """Refusal of a file, array or argument that the user gave and ttc cannot use."""


class TypeRuleError(TtcError):
    """Breach of an op's type rule by its operands or attributes; also raised for a malformed graph."""


class Refusal(TtcError):
    """Refusal of an op that TTNN, or ttc's use of TTNN, cannot do exactly: the reason as a sentence."""


UNREADABLE = "replace these parts of the model, or end it before them: `ttc ops` lists what is supported"
"""Advice for nodes that a front end refuses."""

NAMED = 3
"""Number of places of one reason that a message names."""


class Refused(TtcError):
    """Refusal of a whole model: every `(where, reason)` at once.

    `advice` tells what can be done about the reasons. `rest`, where known, is the graph of all nodes that the stage
    did not refuse, with inputs in place of the others: what later stages refuse of it belongs to the same message.
    """

    def __init__(self, reasons: list[tuple[str, str]], advice: Sequence[str] = (), rest: Any = None):
        self.reasons, self.advice, self.rest = reasons, tuple(dict.fromkeys(advice)), rest
        found = self.by_reason()
        head = f"{len(found)} thing{'s' if len(found) > 1 else ''} in this model cannot be compiled:"
        lines = [f"  {_places(where)}: {reason}" for reason, where in found.items()]
        super().__init__("\n".join([head, *lines, *self.advice]))

    def by_reason(self) -> dict[str, list[str]]:
        """Return the places of each reason, in order of appearance."""
        found: dict[str, list[str]] = {}
        for where, reason in self.reasons:
            found.setdefault(reason, []).append(where)
        return found


def _places(where: list[str]) -> str:
    """Return the first places of a reason, and the number of all its places."""
    if len(where) <= NAMED:
        return ", ".join(where)
    return f"{', '.join(where[:NAMED])} and {len(where) - NAMED} more ({len(where)} in all)"


@contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Turn a lack of memory for `what` into a sentence, whoever finds out: Python, numpy or torch."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(sign in str(error) for sign in NO_MEMORY):
            raise
        raise TtcError(f"{what} needs more memory than this machine gives") from None


NO_MEMORY = ("can't allocate memory", "Storage size calculation overflowed", "not enough memory")
"""Signs of a lack of memory in torch's messages."""


COMPILER = ("torch", "onnx", "networkx")
"""Packages that compiling needs and running does not: `tt-compile[compile]` brings them."""


def require(what: str, packages: Sequence[str] = COMPILER, extra: str = "compile") -> None:
    """Refuse with the extra to install, if `what` needs a package that this Python does not have."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise TtcError(f"{what} needs {', '.join(missing)}: pip install 'tt-compile[{extra}]'")


class NeedsValues(Refused):
    """Refusal of a model that can be compiled only once the values of some of its inputs (`names`) are known.

    `alone` states that these values are all that is missing: no reason is another's.
    """

    def __init__(self, reasons: list[tuple[str, str]], names: Sequence[str], alone: bool, rest: Any = None):
        advice = f"the values of {', '.join(names)} decide shapes: run the model once with them"
        super().__init__(reasons, (advice,) if alone else (UNREADABLE, advice), rest)
        self.names, self.alone = list(names), alone
