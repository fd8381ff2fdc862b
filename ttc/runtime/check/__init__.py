"""`check`: does the real `ttnn` take this program, and are its results what was predicted?

The calls run without data on a mock card, in a process of its own (`worker`), since ttnn may need
another Python and a wrong call may end the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import IO, Any

from ttc.calls.target import Target, target_named
from ttc.errors import TtcError
from ttc.ir import print_graph
from ttc.runtime.check.interpreter import cannot_start, command, surroundings, ttnn_interpreter
from ttc.runtime.run.program import Program

SECONDS_PER_STEP = 120.0
"""The seconds that one call may take: most take milliseconds, preparing a large convolution's weights some seconds."""

WARNING = re.compile(r"^.*\| warning +\| +\w+ \| (.*?)(?: \(\S+:\d+\))?$", re.MULTILINE)
"""A warning in TTNN's log: time, level, part, message, place in TTNN's sources."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""An escape sequence of a terminal: TTNN's log is coloured where the variable CI is set."""

HARMLESS = (
    "ttnn::to_layout: memory_config is specified but the tensor is already in the requested layout!",
    "Conv2D DRAM doesn't support specifying memory config, as the output will always be DRAM Interleaved",
    "ttnn::tilize: Using input shard spec for output tensor because the legacy sharded optimized program factory",
)
"""Beginnings of warnings of where a result lies: a memory config is not heeded, by parts of TTNN's composite calls
(slice, concat of rows that are not aligned) and by sliced convolutions; or a tilize keeps its operand's shards. That
each result lies where it should is compared."""

Progress = Callable[[int, int], None]
"""Called before each step of a program with its number and how many there are."""


@dataclass(frozen=True)
class CheckReport:
    """The results of the real ttnn for a program, in one run (what is done once before the first is not counted).

    `conversions` are device programs that change a tensor's form only, `conversion_ops` which. `dram_bytes`
    is what was allocated at the fullest moment, `peak_l1_per_core` the bytes of the fullest core. `refusal`
    is the first call that ttnn did not take, in its own words; counts then end there. `per_call` holds each
    call's node number, device programs, device ops and own L1 peak. `host_ops` are the calls that ttnn was not asked
    about, as the host does them. `warnings` are ttnn's own, logged while the program ran; ttnn says each once in a
    process. `miscount` is the first call that is more or fewer device programs, or conversions, than its report says.
    `unsafe` is what ttnn takes and a card gets wrong: the program's lints, and what ttnn's trace shows. `l1_depths`
    tells of each value in L1, by name, how many bytes below the end of L1 the buffer begins; not in bodies of loops.
    """

    calls: int = 0
    device_programs: int = 0
    conversions: int = 0
    dram_bytes: int = 0
    peak_l1_per_core: int = 0
    spec_mismatches: tuple[str, ...] = ()
    refusal: str | None = None
    miscount: str | None = None
    host_ops: int = 0
    conversion_ops: dict[str, int] = field(default_factory=dict)
    per_call: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    unsafe: tuple[str, ...] = ()
    l1_depths: dict[str, int] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        """Return what is wrong, a line each: wrong predictions, what is unsafe, ttnn's warnings, a refused call."""
        return [
            *(f"not as predicted: {mismatch}" for mismatch in self.spec_mismatches),
            *([f"not as predicted: {self.miscount}"] if self.miscount is not None else []),
            *(f"unsafe on a card: {fault}" for fault in self.unsafe),
            *(f"ttnn warns: {warning}" for warning in self.warnings),
            *([f"refused: {self.refusal}"] if self.refusal is not None else []),
        ]

    @property
    def ok(self) -> bool:
        """Return whether ttnn took every call without a warning, every result is as predicted and nothing unsafe."""
        return not self.faults

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {"ok": self.ok, **asdict(self)}


def check(program: Program, target: Target | None = None, progress: Progress | None = None) -> CheckReport:
    """Check a program on a mock card, by default of its own target; TtcError if no Python with ttnn is found."""
    return check_many([print_graph(program.graph)], target or target_named(program.target), progress)[0]


def check_many(texts: Sequence[str], target: Target, progress: Progress | None = None) -> list[CheckReport]:
    """Check programs given as text, in one process; a program that crashes it is reported and the rest go on."""
    return list(reports(texts, target, progress or _in_silence))


def reports(texts: Sequence[str], target: Target, progress: Progress) -> Iterator[CheckReport]:
    """Yield a report for each program, as soon as the program is checked."""
    waiting = list(texts)
    while waiting:
        with Worker(target) as worker:
            while waiting and worker.alive:
                yield worker.check(waiting.pop(0), progress)


def _in_silence(step: int, steps: int) -> None:
    """Follow the progress of a check that nobody watches: do nothing."""


class Worker:
    """A `worker` process. Use it as a context manager; it is not `alive` after a crash."""

    def __init__(self, target: Target):
        python = ttnn_interpreter()
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed by __exit__)
        try:
            self._process = subprocess.Popen(
                command(python, "ttc.runtime.check.worker", target.name),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=surroundings(python),
            )
        except OSError as error:
            self._errors.close()
            raise cannot_start(python, error) from None
        self.alive, self._late, self._heard = True, False, b""
        if "ready" not in (self._hear() or {}):
            reason = self._last_words()
            self.__exit__(None, None, None)
            raise TtcError(f"{python} cannot open a mock {target.name} with ttnn: {reason}")

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            _pipe(self._process.stdin).close()
        _pipe(self._process.stdout).close()
        self._process.wait()
        self._errors.close()

    def check(self, text: str, progress: Progress) -> CheckReport:
        """Check one program in the process."""
        logged = self._log_bytes()
        with contextlib.suppress(BrokenPipeError):  # if it died meanwhile, it is heard no more
            _pipe(self._process.stdin).write(json.dumps(text).encode() + b"\n")
            _pipe(self._process.stdin).flush()
        line = "before its first call"
        while (answer := self._hear()) is not None:
            if "found" in answer:
                return _report(answer["found"], self._warnings(logged))
            line = answer["line"]
            progress(answer["step"], answer["steps"])
        return CheckReport(refusal=f"ttnn {self._last_words()} (in: {line})")

    def _log_bytes(self) -> int:
        return os.fstat(self._errors.fileno()).st_size

    def _warnings(self, start: int) -> tuple[str, ...]:
        """Return the warnings logged from this byte on; the file's position, which both processes share, stays."""
        logged = os.pread(self._errors.fileno(), self._log_bytes() - start, start).decode(errors="replace")
        warnings = WARNING.findall(COLOUR.sub("", logged))
        return tuple(dict.fromkeys(warning for warning in warnings if not warning.startswith(HARMLESS)))

    def _hear(self) -> dict[str, Any] | None:
        """Read the next answer; None, and the process is no more, if it crashed or took too long."""
        pipe = _pipe(self._process.stdout).fileno()
        while b"\n" not in self._heard:
            self._late = not select.select([pipe], [], [], SECONDS_PER_STEP)[0]
            heard = b"" if self._late else os.read(pipe, 1 << 16)
            if not heard:
                self.alive = False
                return None
            self._heard += heard
        answer, _, self._heard = self._heard.partition(b"\n")
        return json.loads(answer)

    def _last_words(self) -> str:
        """Describe why there is no answer: how the process ended, and the last line that the process printed."""
        if self._late:
            return f"did not answer within {SECONDS_PER_STEP:g} s"
        code = self._process.wait(SECONDS_PER_STEP)
        self._errors.seek(0)
        said = [line for line in (COLOUR.sub("", line).strip() for line in self._errors) if line]
        how = f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with status {code}"
        return f"{how}: {said[-1]}" if said else how


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _report(found: dict[str, Any], warnings: tuple[str, ...]) -> CheckReport:
    ops = found.pop("conversions")
    lists: dict[str, Any] = {name: tuple(found.pop(name)) for name in ("spec_mismatches", "per_call", "unsafe")}
    return CheckReport(
        **found,
        conversions=sum(ops.values()),
        conversion_ops=ops,
        warnings=warnings,
        **lists,
    )
