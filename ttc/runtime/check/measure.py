"""Measuring a card with the real `ttnn`: the numbers of a target, from a mock card or the one in this machine.

`python -m ttc.runtime.check.measure [DESCRIPTOR]` is the half that has ttnn; it answers with one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from ttc.calls.target import ARCHITECTURES, Target
from ttc.errors import InputError, TtcError
from ttc.guard.files import open_file
from ttc.runtime.check.interpreter import cannot_start, command, surroundings, ttnn_interpreter
from ttc.runtime.check.worker import limit_memory, take_over_stdout
from ttc.runtime.mock import environment_of
from ttc.runtime.mock.environment import QUIET

SECONDS = 120.0
"""The seconds that opening a card may take; a mock card takes half of one."""

LARGEST = 1 << 20
"""Bytes of the largest cluster descriptor: that of a cluster of 32 chips has 20 KB."""


def measure(descriptor: Path | None) -> Target:
    """Measure the mock card of a cluster descriptor, or else the card in this machine.

    InputError for a file that is no cluster descriptor; TtcError if no Python with ttnn is found, or no card opens.
    """
    if descriptor is None:
        return _measured([], "the card in this machine", TtcError)
    with open_file(descriptor) as file:
        if len(file.read(LARGEST + 1)) > LARGEST:
            raise InputError(f"{descriptor} is no cluster descriptor: it has more than {LARGEST:,} B")
    return _measured([str(descriptor.resolve())], f"a mock card of {descriptor}", InputError)


def _measured(arguments: list[str], card: str, kind: type[TtcError]) -> Target:
    """Measure in a process that has ttnn; where that fails raise an error of this kind that names the card."""
    python = ttnn_interpreter()
    try:
        run = subprocess.run(
            command(python, "ttc.runtime.check.measure", *arguments),
            env=surroundings(python),
            capture_output=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise kind(f"ttnn did not open {card} within {SECONDS:g} s") from None
    except OSError as error:
        raise cannot_start(python, error) from None
    try:
        answer = json.loads(run.stdout)
    except ValueError:
        lines = run.stderr.decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "no word of why")
        raise kind(f"{python} cannot open {card} with ttnn, which ended with status {run.returncode}: {said}") from None
    if "refused" in answer:
        raise kind(f"ttnn cannot open {card}: {answer['refused']}")
    found = Target(**{**answer["found"], "grid": tuple(answer["found"]["grid"])})
    if found.arch not in ARCHITECTURES:
        raise kind(f"{card} has the architecture {found.arch}; ttc knows {' and '.join(ARCHITECTURES)}")
    return found


def main(descriptor: str | None = None) -> None:
    """Print the numbers of the card as JSON, or the reason why there are none."""
    answers = take_over_stdout()
    if descriptor is None:
        os.environ.update(QUIET)
    else:
        os.environ.update(environment_of(Path(descriptor)))
        limit_memory()
    from ttc.runtime.run.device_ttnn import open_card  # TTNN reads the environment when it is imported

    try:
        with open_card(None) as card:
            answer = {"found": asdict(card.measured())}
    except TtcError as refusal:
        answer = {"refused": str(refusal)}
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
