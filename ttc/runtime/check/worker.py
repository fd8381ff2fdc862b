"""The other half of `check`: a process that has `ttnn` and checks programs on a mock card.

`python -m ttc.runtime.check.worker TARGET` says `{"ready": ...}`, then reads one JSON string a line, the text
of a program, and answers in lines of JSON: `{"step", "steps", "line"}` before each step, so that whoever
listens knows where a crash happened, and in the end `{"found": ...}`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any, TextIO

from ttc.calls.target import target_named
from ttc.runtime.check.checker import Checker
from ttc.runtime.mock import environment

MEMORY_BYTES = 8 << 30
"""Of address space: tensors hold no data, so a call that needs more than this is out of hand."""

WARNINGS = {"TT_METAL_LOGGER_LEVEL": "Warn"}
"""TTNN's own word for the level; it takes any other, WARNING too, for all levels."""


def main(target: str) -> None:
    """Check the program of each input line until the input ends."""
    answers = take_over_stdout()
    os.environ.update({**environment(target), **WARNINGS})
    limit_memory()
    from ttc.runtime.run.device_ttnn import TtnnDevice  # TTNN reads the environment when it is imported

    def answer(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=answers, flush=True)

    def progress(step: int, steps: int, line: str) -> None:
        answer({"step": step, "steps": steps, "line": line})

    with TtnnDevice() as card:
        checker = Checker(card, target_named(target))
        answer({"ready": target})
        for text in sys.stdin:
            answer({"found": vars(checker.check(json.loads(text), progress))})


def limit_memory() -> None:
    """Set limits to the process of a mock card; those of a real card would not do, whose memory is mapped whole."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def take_over_stdout() -> TextIO:
    """Reserve stdout for answers alone; whatever else TTNN prints goes where errors go."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main(sys.argv[1])
