"""The numbers of each target are those of its opened mock card; what is no descriptor of a card is said."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ttc.calls.target import TARGETS
from ttc.errors import InputError, TtcError
from ttc.runtime.check import measure as measuring
from ttc.runtime.check.measure import LARGEST, measure
from ttc.runtime.mock.environment import CARDS

P150 = (CARDS / "p150.yaml").read_text()


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_s_numbers_are_those_of_its_card(target: str, ttnn_python: str):
    assert measure(CARDS / f"{target}.yaml") == TARGETS[target]


def test_another_card_has_other_numbers(tmp_path: Path, ttnn_python: str):
    card = tmp_path / "card.yaml"
    card.write_text(P150.replace("harvest_mask: 192", "harvest_mask: 0").replace("board_type: p150", "board_type: new"))
    assert measure(card) == replace(TARGETS["p150"], name="card", summary="Blackhole card", grid=(13, 10))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Invalid YAML"),
        ("a: 1", "Invalid YAML"),
        ("a: [", "yaml-cpp: error at line 1"),
        (P150.replace("dram_harvesting_mask: 0", "dram_harvesting_mask: 255"), "can be harvested on Blackhole"),
        ("x" * (LARGEST + 1), "is no cluster descriptor: it has more than 1,048,576 B"),
    ],
)
def test_what_is_no_card_is_said(content: str, said: str, tmp_path: Path, ttnn_python: str):
    card = tmp_path / "card.yaml"
    card.write_text(content)
    with pytest.raises(InputError, match=rf"\A[^\n]*card\.yaml[^\n]*{re.escape(said)}[^\n]*\Z"):
        measure(card)


def test_files_that_cannot_be_read_are_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"nope\.yaml: no such file or directory"):
        measure(tmp_path / "nope.yaml")
    with pytest.raises(InputError, match="is a directory"):
        measure(tmp_path)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'a hang of the driver' >&2; exit 3", "the card in this machine .* status 3: a hang of the driver"),
        ("kill -9 $$", "status -9: no word of why"),
        ("echo nonsense", "status 0: no word of why"),
        ("""echo '{"refused": "it is busy"}'""", "ttnn cannot open the card in this machine: it is busy"),
        ("sleep 60", "did not open the card in this machine within 0.5 s"),
    ],
)
def test_a_process_that_fails_is_said(script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script.replace('sleep', 'exec sleep')}\n")
    python.chmod(0o755)
    monkeypatch.setattr(measuring, "ttnn_interpreter", lambda: str(python))
    monkeypatch.setattr(measuring, "SECONDS", 0.5)
    with pytest.raises(TtcError, match=said):
        measure(None)


def test_a_python_that_does_not_start_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measuring, "ttnn_interpreter", lambda: str(tmp_path / "none"))
    with pytest.raises(TtcError, match="none cannot be started: no such file or directory"):
        measure(None)


def test_an_unknown_architecture_is_said(monkeypatch: pytest.MonkeyPatch):
    card = {"name": "q", "summary": "Quasar q", "arch": "quasar", "grid": [4, 8]}
    card |= {"l1_bytes": 1, "dram_banks": 1, "dram_bank_bytes": 1}
    answer = subprocess.CompletedProcess([], 0, str({"found": card}).replace("'", '"').encode(), b"")
    monkeypatch.setattr(measuring, "ttnn_interpreter", lambda: "python")
    monkeypatch.setattr(measuring.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(TtcError, match="has the architecture quasar; ttc knows wormhole_b0 and blackhole"):
        measure(None)
