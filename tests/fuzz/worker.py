"""A process that tries damaged inputs one after another, its memory limited and its writing watched.

`python -m tests.fuzz.worker KIND SEED FIRST LAST FOLDER WHOLE` answers each input in a line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path
from random import Random
from types import FunctionType
from typing import Any

from tests.fuzz.watch import Watch
from ttc.errors import TtcError, printable

ADDRESS_BYTES = 3 << 30
"""Of address space: torch alone maps more than it uses."""

MEMORY_BYTES = 1 << 30
SECONDS = 2.0
"""Of this process's own time, on whatever else the machine may be busy with."""


def main(kind: str, seed: str, first: str, last: str, folder: str, whole: str) -> None:
    """Try the inputs from `first` to before `last`."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    attempt = _attempt(kind, whole == "whole")  # under the limit

    place = Path(folder)
    (place / "out").mkdir(parents=True, exist_ok=True)
    (place / "weights.bin").write_bytes(bytes(range(48)))
    os.chdir(place)
    watch = Watch(place)
    sys.addaudithook(watch)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for number in range(int(first), int(last)):
        started = time.process_time()
        watch.seen.clear()
        Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew: an input answers for its own
        outcome, said = _outcome(attempt, Random(f"{kind} {seed} {number}"), place, whole == "whole", watch)
        spent = time.process_time() - started
        peak = _peak_bytes()
        fault = _fault(watch, place, spent, peak)
        outcome, said = ("fault", fault) if fault else (outcome, said)
        answer = {"number": number, "outcome": outcome, "said": said, "seconds": spent, "peak": peak}
        print(json.dumps(answer), file=answers, flush=True)


def _peak_bytes() -> int:
    """Return the most memory held since the peak was begun anew.

    `ru_maxrss` cannot be, and begins with that of the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))


def _fault(watch: Watch, place: Path, spent: float, peak: int) -> str:
    """What is wrong beside the outcome itself."""
    stray = _stray(place)
    if watch.seen:
        return f"it reached out: {watch.seen[:5]}"
    if stray:
        return f"it left {stray}"
    if peak > MEMORY_BYTES:  # before the time, which much memory takes too
        return f"it took {peak:,} bytes"
    return f"it took {spent:.1f} s" if spent > SECONDS else ""


def _attempt(kind: str, whole: bool) -> Any:
    """The function that tries an input; for the test of the traps themselves, what the environment says."""
    if kind == "told":
        told = FunctionType(compile(os.environ["TTC_FUZZ_ATTEMPT"], __file__, "exec"), {"os": os, "time": time})
        return lambda random, place, whole: told()
    from tests.fuzz import seeds
    from tests.fuzz.attempts import ATTEMPTS

    seeds.prepare(kind, whole)
    return ATTEMPTS[kind]


def _outcome(attempt: Any, random: Random, place: Path, whole: bool, watch: Watch) -> tuple[str, str]:
    """The outcome (done, refused, fault) and what was said."""
    watch.on = True
    try:
        attempt(random, place, whole)
        return "done", ""
    except TtcError as error:
        said = str(error)
        return ("refused" if said.strip() and said == printable(said) else "fault"), said
    except Exception:
        return "fault", traceback.format_exc()
    finally:
        watch.on = False


def _stray(place: Path) -> list[str]:
    """Files that nobody asked for; what was asked for is removed."""
    asked = {"model.onnx", "model.ttc", "model.pt2", "in.npz", "out/model.ttc", "out/page.html", "out/out.npz"}
    found = {str(path.relative_to(place)) for path in place.rglob("*")}
    for name in asked:
        (place / name).unlink(missing_ok=True)
    return sorted(found - asked - {"weights.bin", "out"})


if __name__ == "__main__":
    main(*sys.argv[1:])
