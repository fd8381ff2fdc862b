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
from typing import Any

from ttc.errors import TtcError

MEMORY_BYTES = 2 << 30
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
}  # fmt: skip
FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect"}


class Watch:
    """Notes what is written outside `folder`, and what is started; Python tells it of both as audit events."""

    def __init__(self, folder: Path):
        self.folder = os.path.realpath(folder)
        self.on = False
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, (str, bytes, os.PathLike)) and flags & WRITING:
                self._note(event, path)
        elif event in CHANGES:
            for path in arguments[:2] if event in ("os.rename", "os.link", "os.symlink") else arguments[:1]:
                self._note(event, path)
        elif event in FORBIDDEN:
            self.seen.append(f"{event} {arguments}")

    def _note(self, event: str, path: Any) -> None:
        real = os.path.realpath(os.fsdecode(path))
        if real != os.devnull and os.path.commonpath([self.folder, real]) != self.folder:
            self.seen.append(f"{event} {real}")


def main(kind: str, seed: str, first: str, last: str, folder: str, whole: str) -> None:
    """Try the inputs from `first` to before `last`."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
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
        started = time.monotonic()
        watch.seen.clear()
        outcome, said = _outcome(attempt, Random(f"{kind} {seed} {number}"), place, whole == "whole", watch)
        if watch.seen:
            outcome, said = "fault", f"it reached out of its folder: {watch.seen[:5]}"
        if stray := _stray(place):
            outcome, said = "fault", f"it left {stray}"
        spent = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer = {"number": number, "outcome": outcome, "said": said, "seconds": spent, "peak": peak}
        print(json.dumps(answer), file=answers, flush=True)


def _attempt(kind: str, whole: bool) -> Any:
    """The function that tries an input; for the test of the traps themselves, what the environment says."""
    if kind == "told":
        return lambda random, place, whole: exec(os.environ["TTC_FUZZ_ATTEMPT"], {"os": os, "time": time})
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
        return ("refused" if str(error).strip() else "fault"), str(error)
    except Exception:
        return "fault", traceback.format_exc()
    finally:
        watch.on = False


def _stray(place: Path) -> list[str]:
    """Files that nobody asked for; what was asked for is removed."""
    asked = {"model.onnx", "model.ttc", "weights.bin", "out", "out/model.ttc"}
    found = {str(path.relative_to(place)) for path in place.rglob("*")}
    for name in ("model.onnx", "model.ttc", "out/model.ttc"):
        (place / name).unlink(missing_ok=True)
    return sorted(found - asked)


if __name__ == "__main__":
    main(*sys.argv[1:])
