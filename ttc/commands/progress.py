"""Progress for people: a bar on a terminal once something takes over two seconds, nothing in a pipe."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PATIENCE = 2.0
"""Seconds of silence before the bar appears."""


class ProgressBar:
    """`with ProgressBar("compiling") as bar: bar.step("fold")`; `total` may come with any step."""

    def __init__(self, title: str):
        self._title = title
        self._started = time.monotonic()
        self._bar: Progress | None = None
        self._done = 0

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def step(self, what: str, total: int | None = None) -> None:
        """Say what is being done now; one step more is done of `total`."""
        self._done += 1
        if not sys.stderr.isatty() or time.monotonic() - self._started < PATIENCE:
            return
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task(self._title)
        task = self._bar.task_ids[0]
        self._bar.update(task, description=f"{self._title}: {what}", completed=self._done, total=total)
