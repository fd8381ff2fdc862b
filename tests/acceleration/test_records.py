"""Records and tables: times without what is inside, calls by kind, CSV."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest
import torch
from torch import nn

import ttc
from tests.acceleration.models import net
from ttc.acceleration.records import DEVICE, Records
from ttc.acceleration.tables import TABLES
from ttc.validation.compare import Comparison


def test_the_time_of_a_block_is_without_that_of_blocks_inside():
    records = Records()
    with records.timed("outer", "A", DEVICE):
        time.sleep(0.02)
        for _ in range(2):
            with records.left_to_torch("inner", "B", True, "why"):
                time.sleep(0.05)
                with records.timed("core", "C", DEVICE):
                    time.sleep(0.05)
    outer, core = records.times["outer", DEVICE], records.times["core", DEVICE]
    inner = records.in_torch["inner", "why"]
    assert (outer.calls, inner.calls, core.calls) == (1, 2, 2)
    assert 0.02 <= outer.seconds < 0.05
    assert 0.1 <= inner.seconds < 0.2
    assert 0.1 <= core.seconds < 0.2
    assert 0.05 <= core.least_seconds <= core.most_seconds <= core.seconds - core.least_seconds


def test_a_block_that_fails_has_taken_its_time_too():
    records = Records()

    def failing() -> None:
        with records.timed("m", "A", DEVICE):
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert records.times["m", DEVICE].calls == 1
    with records.timed("n", "A", DEVICE):
        pass
    assert records.times["n", DEVICE].seconds < 1


def test_the_least_agreement_counts():
    records = Records()
    for found in ([Comparison("a", 0.9, 0.1), Comparison("b", 0.5, 0.3)], [Comparison("a", 0.8, 0.7)], []):
        records.compare("m", "A", found)
    kept = records.compared["m"]
    assert (kept.calls, kept.pcc, kept.scaled_error) == (3, 0.5, 0.7)


@torch.no_grad()
def test_tables_can_be_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    model, x = net()
    named = nn.ModuleDict({"=1+1": model.head})
    with ttc.accelerate(named, {nn.Linear}, device="emulator", mode="SEL") as acceleration:
        for _ in range(3):
            named["=1+1"](x)
        tables = acceleration.tables
    assert tuple(tables) == TABLES
    for name, table in tables.items():
        table.write(tmp_path / f"{name}.csv")
        table.print()
    assert "ttnn.linear" in capsys.readouterr().out
    read = {name: list(csv.DictReader((tmp_path / f"{name}.csv").read_text().splitlines())) for name in TABLES}
    assert [row["what"] for row in read["modules"]] == ["compile", "preprocess", "upload", "torch", "device"]
    ran = read["modules"][-1]
    assert (ran["module"], ran["kind"], ran["calls"]) == ("'=1+1", "Linear", "3"), "nothing that a sheet computes"
    assert (int(ran["uploaded_bytes"]), int(ran["downloaded_bytes"])) == (3 * 2 * 32 * 32, 3 * 2 * 32 * 32)
    assert float(ran["least_seconds"]) <= float(ran["seconds"]) / 3 <= float(ran["most_seconds"])
    (op,) = read["ops"]
    assert (op["call"], op["calls"]) == ("ttnn.linear", "3")
    predicted = ttc.compile(model.head, x).report.predicted_seconds
    assert float(op["predicted_seconds"]) == pytest.approx(3 * predicted)
    assert [row["calls"] for row in read["comparisons"]] == ["3"]
    assert read["in_torch"] == []
