"""Progress for people: a line on a terminal once a task takes over two seconds, nothing in a pipe."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType

from ttc.errors import printable

PATIENCE = 2.0
"""Seconds of silence before the line appears."""

PERIOD = 0.1
"""Seconds between two lines."""

ERASE = "\r\x1b[K"
"""Code that brings a terminal back to the beginning of an empty line."""


class ProgressLine:
    """`with ProgressLine("compiling") as line: line.step("fold")`; the number of steps may come with any step."""

    def __init__(self, title: str):
        self._title = title
        self._started = time.monotonic()
        self._shown = 0.0
        self._done = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            print(ERASE, end="", file=sys.stderr, flush=True)

    def step(self, what: str, total: int | None = None) -> None:
        """Show the present task; one step more is done of `total`."""
        self._done += 1
        self.at(what, self._done, total)

    def at(self, what: str, done: int, total: int | None) -> None:
        """Show the present task as step `done` of `total`."""
        now = time.monotonic()
        if now - self._started < PATIENCE or now - self._shown < PERIOD or not sys.stderr.isatty():
            return
        self._shown = now
        part = f" ({done} of {total})" if total else ""
        text = f"{self._title}: {printable(what)}{part}, {now - self._started:.0f} s"
        print(ERASE + text[: shutil.get_terminal_size().columns - 1], end="", file=sys.stderr, flush=True)
