"""Pages of measured models: rows as they come, a page of docs/ if asked, an exit status."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from ttc.calls.target import TARGETS


class Row(Protocol):
    """A line of the page."""

    @property
    def good(self) -> bool:
        """Whether the model is as it must be."""
        ...


def main(prog: str, what: str, page: Path, head: str, names: Iterable[str], measured: Callable[[str], Row]) -> int:
    """Measure the models named on the command line, by default all, and print each row as soon as it is known."""
    parser = argparse.ArgumentParser(prog=f"python -m {prog}", description=what)
    parser.add_argument("names", nargs="*", help="models, by default all")
    parser.add_argument("--write", action="store_true", help=f"renew docs/{page.name}")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the packages' own
    found = []
    for name in arguments.names or names:
        found.append(measured(name))
        print(found[-1], flush=True)
    if arguments.write:
        filled = head.format(cards=" | ".join(TARGETS), bars="|".join("---" for _ in TARGETS))
        page.write_text(filled + "".join(f"{row}\n" for row in found))
    return 0 if all(row.good for row in found) else 1
