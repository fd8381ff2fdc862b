"""What can go wrong, in the words a user reads.

Every error that a user can cause is a `TtcError`; the command line prints its text and exits 2.
Anything else that escapes is a defect of ttc.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TtcError(Exception):
    """A plain sentence that names the culprit and, where possible, what to do."""


class InputError(TtcError):
    """A file, array or argument that the user gave is unusable."""


class TypeRuleError(TtcError):
    """An op's operands or attributes break its type rule; also raised when a graph is malformed."""


class Refusal(TtcError):
    """Something that TTNN, or ttc's use of it, cannot do exactly: the reason as a sentence."""


class Refused(TtcError):
    """A whole model that cannot be compiled: every `(where, reason)` at once."""

    def __init__(self, reasons: list[tuple[str, str]]):
        self.reasons = reasons
        count = len(reasons)
        head = f"{count} thing{'s' if count > 1 else ''} in this model cannot be compiled:"
        super().__init__("\n".join([head, *(f"  {where}: {reason}" for where, reason in reasons)]))


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


class NeedsValues(Refused):
    """A model that can be compiled only once the values of some of its inputs (`names`) are known."""

    def __init__(self, reasons: list[tuple[str, str]], names: list[str]):
        super().__init__(reasons)
        self.names = names
