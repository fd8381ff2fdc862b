"""`ttc selftest`: the recorded programs are of every call, and a call that is wrong on a device is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.selftest.wrong import Wrong
from tests.test_samples import call_classes
from ttc.calls.call import Call
from ttc.calls.layout import Bitcast
from ttc.calls.target import TARGETS
from ttc.cli import main
from ttc.commands import selftest as command
from ttc.errors import InputError, Refusal
from ttc.ir import Spec, Weights, bodies, verify
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import Program, check_program
from ttc.runtime.run.session import Session
from ttc.selftest.models import MODELS
from ttc.selftest.programs import RECORD, call_programs
from ttc.selftest.rows import RUNS, Bench, Row, compared, moves_alone
from ttc.selftest.trials import chosen

N150, P150 = TARGETS["n150"], TARGETS["p150"]
NOT_ALONE = {
    *("ttnn.deallocate", "loop.take", "loop.put", "loop.view"),  # the session's own, and as slices and fills of a cache
    "host.run",
}
"""Calls that no recorded program shows as such."""


def test_every_kind_of_call_is_tried_and_each_program_is_sound():
    names = set()
    for name, program in call_programs(N150):
        check_program(program)
        names.update(node.op.mnemonic for node in program.calls())
        for node in program.calls():
            for body in bodies(node.op):
                verify(body)
        assert name.partition(" ")[0] in {node.op.mnemonic for node in program.calls()}
    assert names == {kind.mnemonic for kind in call_classes()} - NOT_ALONE


def test_calls_are_tried_in_whole_tiles_and_in_parts_of_tiles():
    names = set(json.loads(RECORD.read_text()))
    for call in ("add", "exp", "layer_norm", "matmul", "max", "softmax", "sum", "topk", "where"):
        for form in ("parts of tiles", "whole tiles"):
            assert f"ttnn.{call} bf16, {form}" in names
            assert f"ttnn.{call} f32, {form}" in names


def test_fidelities_are_those_of_the_target():
    texts = [str(dict(call_programs(t))["ttnn.matmul bf16, parts of tiles"].graph) for t in (N150, P150)]
    assert ["HiFi4" in text for text in texts] == [False, True]


# ---------------------------------------------------------------- devices that are wrong


def row(device: EmulatorDevice, name: str) -> Row:
    (trial,) = (t for t in chosen(N150, name).calls if t.name == name)
    return compared(trial, Bench(device, lambda: None, EmulatorDevice("tensix")))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("ttnn.gelu bf16, parts of tiles", lambda x, times: x * 1.1, "scaled error 1.0e-01 (asked 0.999 and 0.03)"),
        ("ttnn.gelu bf16, parts of tiles", lambda x, times: x * (1 + 2**-7), ""),  # rounding
        ("ttnn.gelu f32, parts of tiles", lambda x, times: x * 1.02, "scaled error 2.0e-02 (asked 0.999 and 0.01)"),
        ("ttnn.gelu f32, parts of tiles", lambda x, times: x * 1.0001, ""),
        (
            "ttnn.gelu bf16, parts of tiles",
            lambda x, times: x * (1 + (times == 3) / 128),
            "y0 is another in a later run, by",
        ),
        ("ttnn.gelu bf16, parts of tiles", lambda x, times: x * torch.nan, "y0 differs: PCC 0.000000"),
        ("ttnn.permute bf16, parts of tiles", lambda x, times: x * (1 + 2**-7), "and must be equal"),
        ("ttnn.abs i32, parts of tiles", lambda x, times: x + (x == x.max()), "and must be equal"),
        ("ttnn.empty bf16, parts of tiles", lambda x, times: torch.full_like(x, times), ""),  # room for any numbers
    ],
)
def test_differences_that_rounding_does_not_explain(name: str, change: Any, words: str):
    found = row(Wrong(name.partition(" ")[0], change), name)
    assert words in found.fault
    assert found.ok == (not words)


def test_what_only_moves_is_equal():
    moving = {name for name, program in call_programs(N150) if moves_alone(program)}
    assert {"ttnn.permute bf16, parts of tiles", "ttnn.clone f32, parts of tiles"} <= moving
    assert not any(name.startswith(("ttnn.typecast", "ttnn.add", "loop")) for name in moving)


def test_a_refused_call_is_a_fault_with_its_words():
    class Refusing(EmulatorDevice):
        def run(self, call: Call, operands: Mapping[str, Any], specs: tuple[Spec, ...]) -> tuple[Any, ...]:
            raise Refusal("no such call")

    assert row(Refusing(), "ttnn.gelu bf16, parts of tiles").fault == "refused: no such call"


def test_times_are_those_of_the_calls_each_waited_for():
    device = Wrong("")
    (trial,) = (t for t in chosen(N150, "ttnn.gelu").calls if t.name == "ttnn.gelu bf16, parts of tiles")
    found = compared(trial, Bench(device, device.synchronize, EmulatorDevice("tensix")))
    assert device.waited == 6  # the first run and the five after it
    assert found.seconds is not None
    assert 0 < found.seconds < 1
    assert found.predicted_seconds is not None
    assert 0 < found.predicted_seconds < 1e-3


def test_inputs_are_such_that_calls_are_defined():
    for trial in chosen(N150).calls:
        assert all(np.isfinite(array).all() for array in trial.inputs.values() if array.dtype.kind == "f"), trial.name
        bits = any(isinstance(node.op, Bitcast) for node in trial.program.calls())
        assert bits or all(abs(a).max(initial=0) <= 4096 for a in trial.inputs.values() if a.dtype.kind != "f")


# ---------------------------------------------------------------- models, as traces


class Replaying:
    """A session whose results are others from a run on."""

    def __init__(self, session: Session, wrong_from: int, eager: str | None = None):
        self.session, self.wrong_from, self.eager, self.runs, self.closed = session, wrong_from, eager, 0, False

    def __enter__(self) -> Replaying:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def run(self, inputs: Any) -> dict[str, np.ndarray]:
        self.runs += 1
        found = self.session.run(inputs)
        return {name: array + (self.runs >= self.wrong_from) for name, array in found.items()}


@pytest.mark.parametrize(("wrong_from", "right"), [(1, False), (3, False), (2 + RUNS, False), (3 + RUNS, True)])
def test_replays_give_what_the_first_run_gives(wrong_from: int, right: bool):
    found, session = replayed(wrong_from)
    assert ("y0 is another in a traced run, by" in found.fault) == (not right)
    assert found.traced_seconds is not None
    assert (session.runs, session.closed) == (2 + RUNS, True)


def test_a_model_that_is_not_traced_says_why():
    found, session = replayed(1, "the host does some of the ops")
    assert (found.ok, found.traced_seconds, found.note) == (True, None, "not traced: the host does some of the ops")
    assert session.runs == 0


def replayed(wrong_from: int, eager: str | None = None) -> tuple[Row, Replaying]:
    (trial,) = (t for t in chosen(N150, "ttnn.gelu").calls if t.name == "ttnn.gelu bf16, parts of tiles")
    sessions: list[Replaying] = []

    def traced(program: Program, weights: Weights) -> Any:
        session = Session([Bucket.exact(program)], weights, EmulatorDevice("tensix"))
        sessions.append(Replaying(session, wrong_from, eager))
        return sessions[-1]

    bench = Bench(EmulatorDevice("tensix"), lambda: None, EmulatorDevice("tensix"), traced)
    return compared(replace(trial, model=True), bench), sessions[0]


# ---------------------------------------------------------------- the command


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Wrong:
    """A card whose gelu is wrong."""
    device = Wrong("ttnn.gelu")
    emulated = command.open_device

    def opened(name: str, *given: Any, **named: Any) -> Any:
        if name != "ttnn":
            return emulated(name, *given)
        device.opened.append(named)
        return device

    monkeypatch.setattr(command, "no_card", lambda: None)
    monkeypatch.setattr(command, "open_device", opened)
    return device


def test_a_wrong_call_is_named_and_the_report_holds_everything(card: Wrong, tmp_path: Path, capsys):
    path = tmp_path / "report.json"
    assert main(["selftest", "-k", "ttnn.ge", "-o", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "on a p150, beside the emulator in mode tensix"
    assert {line.split()[1] for line in lines if line.startswith("FAULT")} == {"ttnn.gelu"}
    assert {line.split()[1] for line in lines if line.startswith("ok")} == {"ttnn.ge"}
    report = json.loads(path.read_text())
    assert (report["ok"], report["target"]["name"], report["packages"]["torch"]) == (False, "p150", torch.__version__)
    rows = {row["name"]: row for row in report["rows"]}
    wrong = rows["ttnn.gelu bf16, parts of tiles"]
    assert not wrong["ok"]
    assert wrong["scaled_error"] == pytest.approx(0.1, rel=0.1)
    assert rows["ttnn.ge f32, parts of tiles"]["ok"]
    assert all(row["predicted_seconds"] > 0 and row["seconds"] > 0 for row in rows.values())
    assert card.left == len(card.opened)
    assert card.waited


def test_a_right_card_passes(card: Wrong, capsys):
    assert main(["selftest", "-k", "ttnn.ge "]) == 0
    assert "0 not as they must be; 0 not run" in capsys.readouterr().out


def test_the_emulator_alone(capsys):
    assert main(["selftest", "--device", "emulator", "-k", "ttnn.s"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("on the emulator alone: mode exact beside mode tensix\n")
    assert "ttnn.softmax bf16, whole tiles" in out


@pytest.mark.parametrize("target", ["n150", "p150"])
def test_a_mock_card_tells_what_is_accepted(target: str, ttnn_python: str, tmp_path: Path, capsys):
    path = tmp_path / "report.json"
    assert main(["selftest", "--device", "ttnn", "--target", target, "-k", "ttnn.c", "-o", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"on a mock {target}, which computes nothing: what is compared is what TTNN accepts")
    assert "accepted, specs as predicted" in out
    assert all(row["ok"] and row["pcc"] is None for row in json.loads(path.read_text())["rows"])


@pytest.mark.sweep
@pytest.mark.parametrize("target", ["n150", "p150"])
def test_everything_on_a_mock_card(target: str, ttnn_python: str):
    assert main(["selftest", "--device", "ttnn", "--target", target]) == 0


@pytest.mark.sweep
def test_everything_on_the_emulator():
    assert main(["selftest", "--device", "emulator"]) == 0


def test_a_model_that_cannot_be_compiled_here_is_not_run(monkeypatch: pytest.MonkeyPatch, capsys):
    def missing(target: str) -> Any:
        raise InputError("no onnx here")

    monkeypatch.setitem(MODELS, "model light_resnet50", missing)
    assert main(["selftest", "--device", "emulator", "-k", "resnet"]) == 0
    out = capsys.readouterr().out
    assert "not run: no onnx here" in out
    assert "0 tried, 0 not as they must be; 1 not run" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-k", "nothing"], "no trial has 'nothing' in its name"),
        (["--target", "n160"], "no target is called 'n160'"),
        (["-o", "no/where.json"], "where.json"),
    ],
)
def test_wrong_arguments_get_a_sentence(arguments: list[str], words: str, capsys):
    assert main(["selftest", "--device", "emulator", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_card_that_no_program_is_for_gets_advice(card: Wrong, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(card, "measured", lambda: replace(P150, grid=(13, 10)))
    assert main(["selftest", "-k", "ttnn.ge"]) == 2
    assert "update it with tt-flash" in capsys.readouterr().err
    assert card.left == len(card.opened)
