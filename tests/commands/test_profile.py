"""Profiles: every call of a run in order, sums that are the report's, and files that tools read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.test_residency import LOOP
from tests.runtime.run.test_traced import TEXT, bucket, ttnn, weights, x  # noqa: F401 (ttnn is a fixture)
from tests.runtime.stand_in import StandIn
from ttc.analysis.report import report
from ttc.analysis.timeline import timeline
from ttc.calls.target import TARGETS
from ttc.cli import main
from ttc.commands.profile import require_profile, write_profile
from ttc.compiled.executable import Executable
from ttc.errors import InputError
from ttc.runtime.mock import MOCK_CARD
from ttc.runtime.run import devices
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
GRAPHS = {"states": TEXT, "loop": LOOP}


@pytest.mark.parametrize("text", GRAPHS.values(), ids=GRAPHS)
def test_sums_are_the_reports(text: str):
    graph = parse_program(text)
    moments, total = timeline(graph, N150), report(graph, N150)
    assert len(moments) == total.calls
    assert sum(moment.seconds for moment in moments) == pytest.approx(total.predicted_seconds)
    assert sum(moment.cost.programs for moment in moments) == total.device_programs
    assert sum(moment.cost.dram_bytes for moment in moments) == total.dram_bytes
    ends = [moment.start + moment.seconds for moment in moments]
    assert [moment.start for moment in moments] == pytest.approx([0.0, *ends[:-1]])
    assert not any(moment.measured for moment in moments)


def test_loops_come_step_by_step():
    moments = [moment for moment in timeline(parse_program(LOOP), N150) if moment.turns]
    turns = [moment.turns[0][1] for moment in moments]
    assert turns == sorted(turns)
    assert set(turns) == set(range(turns[-1] + 1))
    body = [moment.node for moment in moments if moment.turns[0][1] == 0]
    assert [moment.node for moment in moments] == body * (turns[-1] + 1)


def test_measured_times_stand_in_place_of_predicted_ones():
    moments = timeline(parse_program(TEXT), N150, [float(number) for number in range(1, 6)])
    assert [(moment.start, moment.seconds) for moment in moments] == [(0, 1), (1, 2), (3, 3), (6, 4), (10, 5)]
    assert all(moment.measured for moment in moments)
    with pytest.raises(StopIteration):
        timeline(parse_program(TEXT), N150, [1.0])


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def test_the_table_and_the_events_say_the_same(tmp_path: Path):
    moments = timeline(parse_program(LOOP), N150)
    write_profile(tmp_path / "p.csv", moments)
    write_profile(tmp_path / "p.json", moments)
    rows = rows_of(tmp_path / "p.csv")
    events = json.loads((tmp_path / "p.json").read_text())["traceEvents"]
    assert len(rows) == len(events) == len(moments)
    for row, event, moment in zip(rows, events, moments, strict=True):
        assert row["call"] == event["name"] == moment.node.op.mnemonic
        assert float(row["start_us"]) == event["ts"] == moment.start * 1e6
        assert float(row["duration_us"]) == event["dur"] == moment.seconds * 1e6
        assert (event["ph"], event["cat"], row["time"]) == ("X", "predicted", "predicted")
        assert row["loops"] == event["args"]["loops"] == " ".join(f"%{name}[{turn}]" for name, turn in moment.turns)
    assert sum(event["dur"] for event in events) == pytest.approx(
        report(parse_program(LOOP), N150).predicted_seconds * 1e6
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_cell_that_a_spreadsheet_would_compute_is_text(start: str, tmp_path: Path):
    graph = parse_program(TEXT)
    node = next(node for node in graph.nodes if node.op.mnemonic == "ttnn.multiply")
    object.__setattr__(node.results[0], "location", f"{start}1")
    write_profile(tmp_path / "p.csv", timeline(graph, N150))
    found = [row["from"] for row in rows_of(tmp_path / "p.csv")]
    assert f"'{start}1" in found


@pytest.mark.parametrize("name", ["p", "p.txt", "p.CSV", "csv", "p.json.gz"])
def test_other_suffixes_are_refused_in_a_sentence(name: str):
    with pytest.raises(InputError, match=r"is no name of a profile: it ends in \.csv for a table, in \.json for"):
        require_profile(Path(name))


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    Executable((bucket(),), "", weights()).save(tmp_path / "m.ttc")
    return tmp_path / "m.ttc"


def test_the_command_writes_predicted_times_where_there_is_no_card(artifact: Path, capsys: pytest.CaptureFixture):
    table = artifact.with_name("p.csv")
    assert main(["run", str(artifact), "--device", "emulator", "--profile", str(table)]) == 0
    assert f"wrote {table}: the times of 5 calls, predicted for n150\n" in capsys.readouterr().out
    assert len(table.read_text().splitlines()) == 6


def test_the_command_refuses_before_it_runs(artifact: Path, capsys: pytest.CaptureFixture):
    for wrong in (artifact.with_name("p.txt"), artifact):
        assert main(["run", str(artifact), "--profile", str(wrong)]) == 2
        assert "ran in" not in capsys.readouterr().out
    both = str(artifact.with_name("p.json"))
    assert main(["run", str(artifact), "-o", both, "--profile", both]) == 2


def test_a_card_is_measured_call_by_call(
    ttnn: StandIn,  # noqa: F811
    artifact: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
):
    from ttc.runtime.run.device_ttnn import TtnnDevice

    cards = tmp_path / "cards"
    cards.mkdir()
    (cards / "0").touch()
    monkeypatch.setattr(devices, "CARDS", cards)
    monkeypatch.delenv(MOCK_CARD, raising=False)
    monkeypatch.setattr(TtnnDevice, "measured", lambda self: N150)
    file = tmp_path / "p.json"
    assert main(["run", str(artifact), "--profile", str(file)]) == 0
    said = capsys.readouterr().out
    assert "on a card, call by call\n" in said
    assert "the times of 5 calls, measured call by call\n" in said
    events = json.loads(file.read_text())["traceEvents"]
    assert [event["name"] for event in events] == [f"ttnn.{name}" for name in ("add", "multiply", "add", "add", "add")]
    assert {event["cat"] for event in events} == {"measured"}
    assert all(event["dur"] > 0 for event in events)
    words = ttnn.words("call", "synchronize")
    assert words[-2 * 5 :] == ["call", "synchronize"] * 5
    assert ttnn.words("open", "close") == ["open", "close"] * 2
    found = Executable((bucket(),), "", weights()).session("ttnn", trace=False).run([x(1)])
    assert np.isfinite(found["y"]).all()
