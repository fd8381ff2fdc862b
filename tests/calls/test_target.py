"""The numbers of targets that no opened card tells, and how far sisters differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cards import FIRST, SISTERS
from ttc.calls.target import ARCHITECTURES, PLANNED, TARGETS, target_named
from ttc.errors import InputError


@pytest.mark.parametrize(
    ("name", "gigabytes_per_second", "gigahertz", "gibibytes"),
    [("n150", 288, 1.0, 12), ("n300", 288, 1.0, 12), ("p150", 512, 1.35, 32), ("p100", 448, 1.35, 28)],
)
def test_rates_and_sizes_are_the_published_ones(name: str, gigabytes_per_second: int, gigahertz: float, gibibytes: int):
    """Of one chip; firmware and tables take some DRAM from what is published."""
    target = TARGETS[name]
    assert target.dram_bytes_per_second == gigabytes_per_second * 1e9
    assert target.clock_hz == gigahertz * 1e9
    assert 0.99 * gibibytes < target.dram_bytes / 2**30 < gibibytes


def test_buffers_leave_room_at_both_ends_of_l1():
    assert all(target.l1_bytes < target.circular_buffer_end < 1536 * 1024 + 1 for target in TARGETS.values())


def test_each_architecture_has_a_first_card():
    assert [TARGETS[name].arch for name in FIRST] == list(ARCHITECTURES)
    assert set(FIRST) | set(SISTERS) == set(TARGETS)


@pytest.mark.parametrize("name", SISTERS)
def test_sisters_differ_in_dram_banks_alone(name: str):
    """So their programs are the same, and what the long tests try on the first card holds for them."""
    sister = TARGETS[name]
    (first,) = (TARGETS[other] for other in FIRST if TARGETS[other].arch == sister.arch)
    assert replace(first, name=name, summary=sister.summary, dram_banks=sister.dram_banks) == sister


@pytest.mark.parametrize("name", [*PLANNED, "N150", "n151", "", "n150 ", None, 150, ["n150"]])
def test_other_names_are_refused_with_the_known_ones(name: object):
    with pytest.raises(InputError, match="n150, n300, p150, p100"):
        target_named(name)  # type: ignore[arg-type]
