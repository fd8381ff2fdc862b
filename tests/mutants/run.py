"""Runs narrow tests with a mutant in place: in a copy of the tree, in a process forked from one that has torch."""

from __future__ import annotations

import importlib
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutations import Mutant
from tests.mutants.narrow import SAMPLES, families, narrow_tests

PRELOADED = (
    "numpy",
    "torch",
    "torch.export",
    "torch._dynamo",
    "onnx",
    "onnxruntime",
    "networkx",
    "hypothesis",
    "pytest",
)
"""What tests import that is not ours: a fork has it already."""

COPIED = ("ttc", "tests", "bench", "examples", "scripts", "docs")
LINKED = (".venv", ".venv-ttnn")
SECONDS = 180
"""Processor time after which a mutant counts as noticed: it made something endless."""
WALL_SECONDS = 600
STOPPED = "stopped"
"""How what is said of a run begins that was ended from outside."""


@dataclass(frozen=True)
class Outcome:
    """What the tests said: `failed` is the first test that noticed the mutant, "" if none did."""

    failed: str
    seconds: float


class Copy:
    """A tree of its own, in which files may be changed."""

    def __init__(self, root: Path, place: Path):
        self.place = place
        for name in COPIED:
            shutil.copytree(root / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in LINKED:
            if (root / name).exists():
                (place / name).symlink_to(root / name)
        for name in ("pyproject.toml", "README.md", "Makefile", "constraints.txt", "CHANGELOG.md"):
            shutil.copy(root / name, place / name)
        self.clock = time.time() + 1000

    def read(self, path: str) -> str:
        """A source file."""
        return (self.place / path).read_text()

    def write(self, path: str, text: str) -> None:
        """Write a source file; no two versions share a time, by which Python knows what it has compiled."""
        (self.place / path).write_text(text)
        self.clock += 10
        os.utime(self.place / path, (self.clock, self.clock))


def try_mutant(mutant: Mutant, copy: Copy, first: str = "") -> Outcome:
    """The word of the narrow tests on a mutant, that of `first` before others; the copy is as before afterwards."""
    source, narrow = copy.read(mutant.path), narrow_tests(mutant.path, copy.place)
    own, samples = ([name for name in narrow if (name == SAMPLES) is last] for last in (False, True))
    seconds = 0.0
    copy.write(mutant.path, mutant.code(source) or source)
    try:
        for tests in ([first] if "::" in first else [], own, samples):  # samples take a while to collect
            outcome = run_tests(tests, copy, families(mutant.path))
            seconds += outcome.seconds
            if outcome.failed:
                return Outcome(outcome.failed, seconds)
    finally:
        copy.write(mutant.path, source)
    return Outcome("", seconds)


def is_sound(mutant: Mutant, test: str, copy: Copy) -> bool:
    """Whether it is the mutant that made a test fail (or all tests take forever), so that without it all is well."""
    if test.startswith(STOPPED):
        tests = [name for name in narrow_tests(mutant.path, copy.place) if name != SAMPLES]
        return not run_tests(tests, copy, families(mutant.path)).failed
    return not run_tests(test.split(maxsplit=1) if test.startswith("-") else [test], copy).failed


def preload() -> None:
    """Import what all tests need."""
    for name in PRELOADED:
        importlib.import_module(name)


def run_tests(tests: list[str], copy: Copy, families: tuple[str, ...] = ()) -> Outcome:
    """Run tests in a fork until one fails; of samples those of some families (all if none is named)."""
    if not tests:
        return Outcome("", 0.0)
    started = time.monotonic()
    log = copy.place / "failed.txt"
    log.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _become_tests(tests, copy.place, families, log)
    status = _wait(child, started + WALL_SECONDS)
    seconds = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) == 0:
        return Outcome("", seconds)
    if log.exists():
        return Outcome(log.read_text(), seconds)
    if os.WIFSIGNALED(status):
        return Outcome(f"{STOPPED} by signal {os.WTERMSIG(status)}", seconds)
    raise RuntimeError(f"pytest ended with {os.waitstatus_to_exitcode(status)} over {' '.join(tests)}")


def _wait(child: int, deadline: float) -> int:
    """The exit status; what runs on beyond the deadline is stopped, with all that it started."""
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _become_tests(tests: list[str], place: Path, families: tuple[str, ...], log: Path) -> None:
    """Be pytest over the copy; never returns."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    quiet = os.open(os.devnull, os.O_WRONLY)
    if not os.environ.get("TTC_MUTANTS_LOUD"):
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
    os.chdir(place)
    os.environ["PYTHONPATH"] = str(place)
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "ttc", "bench")]:
        del sys.modules[name]
    sys.path[:] = [str(place), *(entry for entry in sys.path if entry not in ("", str(Path.cwd())))]
    import pytest

    status = 1
    try:
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain", "--tb=short", *tests]
        status = int(pytest.main(arguments, plugins=[_Narrow(families, log)]))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0 if status in (0, 5) else 1)


class _Narrow:
    """Leaves out samples of other families and, but for the runtime's own tests, what asks the real library."""

    def __init__(self, families: tuple[str, ...], log: Path):
        self.families, self.log = families, log

    def pytest_collection_modifyitems(self, items: list) -> None:
        items[:] = [item for item in items if self._wanted(item)]

    def _wanted(self, item) -> bool:
        if "ttnn_python" in item.fixturenames and "tests/runtime/" not in item.nodeid:
            return False
        if not item.nodeid.startswith(SAMPLES) or not self.families:
            return True
        sample = getattr(item, "callspec", None) and item.callspec.params.get("sample")
        return bool(sample) and sample.kind.__module__.split(".")[-1] in self.families

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed and not self.log.exists():
            self.log.write_text(report.nodeid)

    def pytest_collectreport(self, report) -> None:
        if report.failed and not self.log.exists():
            self.log.write_text(f"--collect-only {report.nodeid}")
