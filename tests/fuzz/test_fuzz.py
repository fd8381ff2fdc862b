"""The short part of the fuzz run, and proof that its traps work; `make fuzz` is the long one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fuzz.attempts import ATTEMPTS
from tests.fuzz.run import fuzz
from tests.fuzz.watch import Watch


@pytest.mark.parametrize("kind", ATTEMPTS)
def test_damaged_inputs_end_in_a_sentence(kind: str):
    findings = fuzz(kind, seed=1, first=0, last=20 if kind == "pt2" else 95, whole=False, tell=lambda line: None)
    assert not findings.faults, next(iter(findings.faults.values()))
    assert findings.outcomes["done"] >= 2, "the damage is too heavy to get anywhere"
    assert findings.outcomes["refused"] >= 4, "the damage is too light"


def test_the_watch_sees_writing_outside_its_folder(tmp_path: Path):
    inside, outside = tmp_path / "place", tmp_path / "other"
    inside.mkdir()
    watch = Watch(inside)
    watch.on = True
    watch("open", (str(inside / "x"), "w", os.O_WRONLY))
    watch("open", (os.__file__, "r", os.O_RDONLY))
    assert not watch.seen
    watch("open", (str(outside), "w", os.O_WRONLY))
    watch("os.rename", (str(inside / "x"), str(outside), -1, -1))
    watch("subprocess.Popen", ("ls", ["ls"], None, None))
    watch("open", (str(outside), "r", os.O_RDONLY))
    assert len(watch.seen) == 4


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        ("raise KeyError('a defect')", "a defect"),
        ("bytearray(4 << 30)", "MemoryError"),
        ("x = b'x' * (9 << 27)", "bytes"),
        ("exec('x = 1')", "exec by"),
        ("import canary", "import canary"),
        ("open('/etc/passwd').close()", "/etc/passwd"),
        ("import socket; socket.socket()", "socket"),
        ("import pickle, io; pickle.loads(b'cos\\nsystem\\n.')", "pickle.find_class"),
        ("end = time.process_time() + 2.2\nwhile time.process_time() < end: pass", "it took"),
        ("os._exit(3)", "ended with status 3"),
        ("os.kill(os.getpid(), 11)", "ended with status -11"),
        ("open('stray', 'w').close()", "stray"),
        ("open('../stray', 'w').close()", "reached out"),
        ("time.sleep(60)", "no answer"),
    ],
)
def test_each_kind_of_fault_is_noticed(attempt: str, said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TTC_FUZZ_ATTEMPT", attempt)
    if "sleep" in attempt:
        monkeypatch.setattr("tests.fuzz.run.SECONDS_PER_INPUT", 3.0)
    findings = fuzz("told", seed=0, first=0, last=1, whole=False, tell=lambda line: None)
    assert list(findings.faults) == [0]
    assert said in findings.faults[0]
