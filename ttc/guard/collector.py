"""Python's collector of reference cycles, and how it is kept waiting."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_waiting() -> Iterator[None]:
    """Keep the collector from running where next to no cycles are made; one that is turned off already stays off.

    Each of its full runs visits all objects that torch holds: an eighth of the time of a compile.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
