"""`ttc target`: rows of the table, known by name or measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ttc.calls import target as table
from ttc.calls.target import TARGETS
from ttc.cli import main
from ttc.commands import target as command
from ttc.commands.target import row
from ttc.runtime.mock.environment import CARDS

SOURCE = Path(table.__file__).read_text()


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["target", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", TARGETS)
def test_a_row_is_a_line_of_the_table(name: str, capsys: pytest.CaptureFixture[str]):
    line = printed(capsys, name)
    assert line.count("\n") == 1
    assert f"        {line}" in SOURCE
    assert eval(line.rstrip().rstrip(","), vars(table)) == TARGETS[name]


def test_a_target_as_json(capsys: pytest.CaptureFixture[str]):
    assert json.loads(printed(capsys, "p100", "--json")) == {
        "ok": True,
        "name": "p100",
        "summary": "Blackhole p100",
        "arch": "blackhole",
        "grid": [11, 10],
        "l1_bytes": 1_461_120,
        "dram_banks": 7,
        "dram_bank_bytes": 4_277_141_376,
        "circular_buffer_end": 1_572_864,
        "dram_bytes_per_second": 448e9,
        "clock_hz": 1.35e9,
        "row": row(TARGETS["p100"]),
    }


def test_all_targets(capsys: pytest.CaptureFixture[str]):
    found = json.loads(printed(capsys, "--json"))
    assert found["ok"] is True
    assert [target["name"] for target in found["targets"]] == list(TARGETS)
    head, *lines = printed(capsys).splitlines()
    assert [line.split()[0] for line in lines] == list(TARGETS)
    assert head.split()[0] == "target"
    assert "one chip of a Wormhole n300  8 x 8" in lines[1]


def test_a_descriptor_is_measured(tmp_path: Path, ttnn_python: str, capsys: pytest.CaptureFixture[str]):
    descriptor = tmp_path / "new card"
    descriptor.write_text((CARDS / "p100.yaml").read_text().replace("harvest_mask: 192", "harvest_mask: 64"))
    line = 'Target("p100", "Blackhole p100", "blackhole", (12, 10), 1_461_120, 7, 4_277_141_376),'
    assert printed(capsys, str(descriptor)) == f"{line}\n"
    found = json.loads(printed(capsys, str(descriptor), "--json"))
    assert (found["row"], found["grid"]) == (line, [12, 10])


def test_what_is_no_descriptor_is_said(tmp_path: Path, ttnn_python: str, capsys: pytest.CaptureFixture[str]):
    descriptor = tmp_path / "bad.yml"
    descriptor.write_text("arch: [")
    assert main(["target", str(descriptor), "--json"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"ttc: ttnn cannot open a mock card of {descriptor}: yaml-cpp: error at line 1")
    assert said.err.count("\n") == 1
    assert json.loads(said.out) == {"ok": False, "error": said.err.removeprefix("ttc: ").rstrip()}


def test_a_name_comes_before_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n150").write_text("no card")
    assert printed(capsys, "n150") == f"{row(TARGETS['n150'])}\n"


def test_the_card_in_the_machine_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(command, "no_card", lambda: None)
    monkeypatch.setattr(command, "measure", lambda descriptor: TARGETS["p150"] if descriptor is None else None)
    assert printed(capsys, "--device", "ttnn") == f"{row(TARGETS['p150'])}\n"
