"""The tables of `make bench`: their form, and those that need no timing."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import networks
from bench.__main__ import LONG, PAGE, TABLES, machine, main, renewed, write
from bench.networks import LAYER
from bench.table import Table, of_times
from bench.timing import Row
from ttc.models import light

SMALL = Table("Sizes", ("what", "bytes", "share"), [("a", 12345, 0.5), ("b", 7, 1 / 3)])


def test_a_table_as_markdown_and_as_values():
    assert str(SMALL).splitlines() == [
        "## Sizes",
        "",
        "| what | bytes | share |",
        "|---|---:|---:|",
        "| a | 12,345 | 0.5 |",
        "| b | 7 | 0.3333 |",
    ]
    assert SMALL.to_dict() == {
        "title": "Sizes",
        "rows": [{"what": "a", "bytes": 12345, "share": 0.5}, {"what": "b", "bytes": 7, "share": 1 / 3}],
    }


def test_times_are_told_with_ratios():
    found = of_times("Runs", [Row("run", {"ttc": 2.0, "other": 4.0, "third": 1.0})])
    assert [row[1:] for row in found.rows] == [("ttc", 2.0, 1.0), ("other", 4.0, 0.5), ("third", 1.0, 2.0)]


def test_files_name_the_machine(tmp_path: Path):
    write([SMALL], tmp_path / "new")
    values = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert values == {"machine": machine(), "tables": [SMALL.to_dict()]}
    text = (tmp_path / "new" / "bench.md").read_text()
    assert machine() in text
    assert str(SMALL) in text
    assert machine().endswith(" cores")


def test_a_page_keeps_the_tables_that_were_not_measured(tmp_path: Path):
    other = replace(SMALL, title="Other")
    write([SMALL, other], tmp_path)
    page = (tmp_path / "bench.md").read_text()
    write([replace(SMALL, rows=SMALL.rows[:1])], tmp_path)
    measured = (tmp_path / "bench.md").read_text()
    assert renewed(page, measured) == measured + "\n" + str(other)
    assert renewed(page, page) == page
    assert renewed(measured, page) == page
    assert renewed(text := PAGE.read_text(), text) == text


def test_the_command_measures_what_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "cost", "--directory", str(tmp_path)])
    main()
    (table,) = json.loads((tmp_path / "bench.json").read_text())["tables"]
    together = {row["board"]: row["mean error %"] for row in table["rows"] if row["family"] == "all but matmul"}
    assert together.keys() == {"blackhole", "p100a", "p150", "wormhole_b0"}
    assert max(together.values()) <= 25
    assert not TABLES.keys() & LONG.keys()


def test_figures_of_a_network_at_both_levels():
    compiled = networks.convolutional("squeezenet", 2)
    assert compiled.report.to_dict()["device_programs"] == networks._figures(compiled)[0]
    assert all(ratio > 1 for ratio in networks.ratios(compiled))
    assert "squeezenet" in light.NAMES


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("model.layers.11.mlp at m.py:4", "11"),
        ("transformer_blocks.3.attn at t.py:8", "3"),
        ("encoder.layer.0", "0"),
        ("h.2.attn", "2"),
        ("scratch.4", None),
        ("layers.norm", None),
        ("layers.4b", None),
        ("pos_embed.proj at e.py:364", None),
    ],
)
def test_calls_are_told_apart_by_the_layers_that_they_stand_in(place: str, number: str | None):
    found = LAYER.search(place)
    assert (found and found[1]) == number
