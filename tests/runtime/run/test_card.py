"""A program goes to a card like the one that it was compiled for, or is refused before anything is uploaded."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.runtime.probing import probed
from ttc.calls.target import TARGETS, Target
from ttc.errors import InputError
from ttc.runtime.mock.environment import CARDS
from ttc.runtime.run import devices
from ttc.runtime.run.card import ADDING, like, require_like

N150, N300, P100, P150 = (TARGETS[name] for name in ("n150", "n300", "p100", "p150"))


def refusal(card: Target, target: Target) -> str:
    with pytest.raises(InputError) as refused:
        require_like(card, target)
    return str(refused.value)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_a_card_takes_its_own_programs(target: Target):
    require_like(target, target)
    require_like(replace(target, name="card", summary="", dram_bank_bytes=1), target)


def test_an_n300_s_chip_takes_what_an_n150_takes():
    require_like(N300, N150)
    require_like(N150, N300)


def test_all_that_differs_is_said():
    assert refusal(N150, P150) == (
        "the card in this machine has the architecture wormhole_b0, 8 x 8 cores, 12 DRAM banks, "
        "1,393,312 B of L1 per core, but the program was compiled for p150, which has the architecture blackhole, "
        "11 x 10 cores, 8 DRAM banks, 1,461,120 B of L1 per core; compile the model for n150"
    )


@pytest.mark.parametrize(
    ("card", "target", "found", "wanted", "advice"),
    [
        (P100, P150, "7 DRAM banks", "8 DRAM banks", "compile the model for p100"),
        (replace(P100, name="card"), P150, "7 DRAM banks", "8 DRAM banks", "compile the model for p100"),
        (P150, P100, "8 DRAM banks", "7 DRAM banks", "compile the model for p150"),
        (
            replace(P150, grid=(13, 10)),
            P150,
            "13 x 10 cores",
            "11 x 10 cores",
            "the card's firmware is older than 19.5, which leaves 11 x 10: update it with tt-flash",
        ),
        (
            replace(N300, grid=(8, 7)),
            N300,
            "8 x 7 cores",
            "8 x 8 cores",
            "a row of cores is kept for dispatch: leave dispatch to the Ethernet cores",
        ),
        (replace(N150, grid=(7, 8)), N150, "7 x 8 cores", "8 x 8 cores", ADDING),
        (
            replace(N150, l1_bytes=1_393_311),
            N150,
            "1,393,311 B of L1 per core",
            "1,393,312 B of L1 per core",
            ADDING,
        ),
        (replace(N150, arch="quasar"), N150, "the architecture quasar", "the architecture wormhole_b0", ADDING),
    ],
)
def test_one_difference_is_enough(card: Target, target: Target, found: str, wanted: str, advice: str):
    assert refusal(card, target) == (
        f"the card in this machine has {found}, but the program was compiled for {target.name}, "
        f"which has {wanted}; {advice}"
    )


def test_nothing_is_uploaded_to_another_card(monkeypatch: pytest.MonkeyPatch):
    """A session asks for a card of the program's target, and gets no device where the card is another."""
    asked = []

    def join_card(target: Target, trace_region: int) -> None:
        asked.append(target)
        require_like(replace(target, dram_banks=target.dram_banks - 1), target)

    monkeypatch.setattr(devices, "no_card", lambda: None)
    monkeypatch.setitem(sys.modules, "ttc.runtime.run.device_ttnn", SimpleNamespace(join_card=join_card))  # type: ignore
    with pytest.raises(InputError, match="has 11 DRAM banks, but the program was compiled for n150, which has 12"):
        devices.open_device("ttnn", target="n150")
    assert asked == [N150]


def test_an_opened_card_is_the_target_that_it_is_like():
    """An n300's chip has the numbers of an n150: the name that TTNN gives the board decides."""
    assert like(N150) is N150
    assert like(N300) is N300
    assert like(replace(N300, name="n300_x2", summary="two of them")) is N150
    assert like(replace(TARGETS["p150"], name="card")) is TARGETS["p150"]


@pytest.mark.parametrize(
    ("card", "advice"),
    [
        (replace(TARGETS["p150"], grid=(13, 10)), "13 x 10 cores, .* update it with tt-flash"),
        (replace(N150, dram_banks=11), "11 DRAM banks, .* docs/adding-a-target.md adds it"),
    ],
)
def test_a_card_like_no_target_gets_advice(card: Target, advice: str):
    with pytest.raises(InputError, match=f"no program is compiled for a card of the architecture .*{advice}"):
        like(card)


@pytest.mark.parametrize("card", TARGETS.values(), ids=lambda card: card.name)
def test_a_mock_card_takes_programs_of_its_like(card: Target, ttnn_python: str):
    said = probed(ttnn_python, "card_probe", str(CARDS / f"{card.name}.yaml"))
    like = {"n150": {"n150", "n300"}, "n300": {"n150", "n300"}}.get(card.name, {card.name})
    assert said == {name: "taken" if name in like else refusal(card, target) for name, target in TARGETS.items()}


def test_an_n300_that_dispatches_with_worker_cores_is_refused(tmp_path: Path, ttnn_python: str):
    """A chip of a real n300 has two harvested rows; worker dispatch takes another."""
    card = tmp_path / "n300.yaml"
    card.write_text((CARDS / "n300.yaml").read_text().replace("harvest_mask: 64", "harvest_mask: 65"))
    found = replace(N300, grid=(8, 7))
    assert probed(ttnn_python, "card_probe", str(card), "WORKER") == {
        t.name: refusal(found, t) for t in TARGETS.values()
    }


def test_a_p150_with_old_firmware_is_refused(tmp_path: Path, ttnn_python: str):
    card = tmp_path / "p150.yaml"
    card.write_text((CARDS / "p150.yaml").read_text().replace("harvest_mask: 192", "harvest_mask: 0"))
    found = replace(P150, grid=(13, 10))
    assert probed(ttnn_python, "card_probe", str(card)) == {t.name: refusal(found, t) for t in TARGETS.values()}
