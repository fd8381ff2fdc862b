"""`ttc inspect --calls`: a line a call, and the totals; in JSON the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ttc
from tests.analysis.test_report import N150, PROGRAM
from tests.analysis.test_residency import LOOP
from ttc.analysis.report import report
from ttc.analysis.run_calls import run_calls
from ttc.cli import main
from ttc.commands.call_table import call_table
from ttc.runtime.run.program import parse_program

TABLE = """\
#  name   call            output                      programs  cores  DRAM bytes  L1 bytes  L1/core    us  bound by  from
0  %a     ttnn.add        bf16[64,64] tile l1                1      4      16,384     8,192   @0  ~0  dispatch  first
1  %b     ttnn.to_layout  bf16[64,64] row_major l1           1      4           0    16,384   @1  ~1  NoC       layer.0 at m.py:7
2  %c     ttnn.relu       bf16[64,64] row_major dram         1     64       8,192     8,192   @2  ~2  dispatch
3  %d     ttnn.relu       bf16[64,64] row_major dram         1     64      16,384         0   @3  ~3  dispatch
   total  4 calls                                            4             40,960    32,768   @t  ~t
at least 0.1 us by DRAM and the matrix engine at peak; predicted ~x times as much
2 calls before the first run: not in the table
"""  # noqa: E501


def table(text: str) -> str:
    graph = parse_program(text)
    return call_table(list(run_calls(graph, N150)), report(graph, N150))


def test_a_line_a_call_and_the_totals():
    text = PROGRAM.replace("buffer=L1))", "buffer=L1))  # first").replace(
        "ROW_MAJOR)", "ROW_MAJOR)  # layer.0 at m.py:7"
    )
    calls = list(run_calls(parse_program(PROGRAM), N150))
    total = report(parse_program(PROGRAM), N150)
    most = max(call.l1_per_core for call in calls)
    rows = [*((call.l1_per_core, call.cost.seconds) for call in calls), (most, total.predicted_seconds)]
    expected = TABLE.replace("~x", f"{total.predicted_seconds / total.limit_seconds:.1f}")
    for mark, (size, seconds) in zip("0123t", rows, strict=True):
        expected = expected.replace(f"@{mark}", f"{size:6,}").replace(f"~{mark}", f"{seconds * 1e6:4.1f}")
    assert table(text) == expected


def test_a_call_in_a_loop_says_where_it_is_and_how_often_it_runs():
    lines = table(LOOP).splitlines()
    (line,) = (line for line in lines if "ttnn.add" in line)
    assert "%h_n > %new  ttnn.add x 4" in line
    assert "loop.take x 4" in next(line for line in lines if "%h_n > %t " in line)
    assert not any(" x " in line for line in lines if "%h_n" not in line)
    assert "total" in lines[-2]
    assert "at peak; predicted" in lines[-1]


def test_hostile_names_are_escaped():
    text = PROGRAM.replace("ROW_MAJOR)", "ROW_MAJOR)  # \x1b[2J\u202e evil")
    graph = parse_program(text)
    found = call_table(list(run_calls(graph, N150)), report(graph, N150))
    assert "\\x1b[2J\\u202e evil" in found
    assert found.isascii()
    assert len(found.splitlines()) == len(TABLE.splitlines())


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 32)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.fc(x)) + 1


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    ttc.compile(Model().eval(), (torch.ones(2, 64),)).save(tmp_path / "m.ttc")
    return tmp_path / "m.ttc"


def test_inspect_shows_the_table_and_its_numbers(artifact: Path, capsys: pytest.CaptureFixture[str]):
    executable = ttc.load(artifact)
    assert main(["inspect", str(artifact), "--calls"]) == 0
    assert capsys.readouterr().out == call_table(executable.calls, executable.report)
    assert main(["inspect", str(artifact), "--calls", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"calls": [call.to_dict() for call in executable.calls], "total": executable.report.to_dict()}
    assert [call["call"] for call in found["calls"]] == ["ttnn.linear", "ttnn.add"]
    assert found["calls"][0]["location"].startswith("fc at test_call_table.py:")


def test_every_view_is_there_as_json(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    executable = ttc.load(artifact)
    assert main(["inspect", str(artifact), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["report"] == executable.report.to_dict()
    assert found["buckets"] == []
    assert "  # fc at test_call_table.py:" in found["text"]
    assert main(["inspect", str(artifact), "--html", str(tmp_path / "m.html"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"output": str(tmp_path / "m.html")}


@pytest.mark.parametrize("other", [["--html", "m.html"], ["--after", "lower"]])
def test_one_view_at_a_time(other: list[str], artifact: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(["inspect", str(artifact), "--calls", *other])
    assert "not allowed with argument" in capsys.readouterr().err
