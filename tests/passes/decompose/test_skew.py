"""Skews as pads, reshapes and slices: in one line, and by halves of the rows where a line would be too long."""

from __future__ import annotations

import pytest

from tests.cards import FIRST
from tests.mock_cards import check
from tests.passes.check import agree, body, graph_of
from ttc.calls.target import TARGETS
from ttc.ir import Graph
from ttc.passes.decompose import skew
from ttc.passes.decompose.decompose import decompose
from ttc.passes.runner import run
from ttc.pipeline import Options, compile_graph


def graph(rows: int, columns: int, slope: int, offset: int, size: int) -> Graph:
    return graph_of(
        f"""
        %x: f32[2,{rows},{columns}] = input(name="x")
        %y: f32[2,{rows},{size}] = skew(x=%x, slope={slope}, offset={offset}, size={size})
        return "y"=%y
        """
    )


FORMS = [
    (100, 9, -1, 4, 100), (100, 100, 1, -4, 9), (70, 9, -1, 0, 70), (70, 9, -1, 12, 5), (33, 3, 1, 40, 4),
    (65, 1, -1, -70, 3), (97, 40, 1, 2, 60), (64, 200, -1, 99, 80), (32, 9, -1, 4, 32),
]  # fmt: skip


@pytest.mark.parametrize("longest", [1, 3000, skew.LONGEST_LINE])
@pytest.mark.parametrize("form", FORMS)
def test_the_numbers_stay(form: tuple[int, int, int, int, int], longest: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(skew, "LONGEST_LINE", longest)
    before = graph(*form)
    after = run((decompose,), before, twice=True)
    assert "skew" not in body(after)
    assert ("concat" in body(after)) >= (longest == 1 and form[0] > 32)
    agree(before, after, tolerance=0.0)


@pytest.mark.parametrize(("longest", "halves"), [(10700, 0), (10699, 1), (5300, 2)])
def test_rows_are_halved_where_a_line_is_too_long(longest: int, halves: int, monkeypatch: pytest.MonkeyPatch):
    """100 rows are written at 106 columns, and read at 105; 64 of them at 106, too."""
    monkeypatch.setattr(skew, "LONGEST_LINE", longest)
    assert body(run((decompose,), graph(100, 9, -1, 4, 100), twice=True)).count("concat") == halves


def test_no_row_of_tiles_is_halved(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(skew, "LONGEST_LINE", 1)
    assert "concat" not in body(run((decompose,), graph(32, 9, -1, 4, 32), twice=True))


@pytest.mark.parametrize(("longest", "width"), [(20801, 104), (20799, 105)])
@pytest.mark.parametrize("form", [(100, 9, -1, 4, 100), (100, 1, 1, 0, 4)])
def test_rows_of_a_long_line_are_no_whole_units(
    longest: int, width: int, form: tuple[int, int, int, int, int], monkeypatch: pytest.MonkeyPatch
):
    """More than half of the longest line: 100 rows of 104 columns, which would lie in L1 four times."""
    monkeypatch.setattr(skew, "LONGEST_LINE", longest)
    after = body(run((decompose,), graph(*form), twice=True))
    assert f"[2,100,{width}] = reshape(" in after


@pytest.mark.parametrize("target", FIRST)
@pytest.mark.parametrize(("rows", "form"), [(320, (9, -1, 4, 320)), (320, (320, 1, -4, 9)), (352, (9, -1, 4, 352))])
def test_real_ttnn_takes_long_lines(rows: int, form: tuple[int, int, int, int], target: str, ttnn_python: str):
    """Of fp32: with 320 rows a line is read at 324 columns unless told otherwise, with 352 it is cut."""
    program = compile_graph(graph(rows, *form), Options(TARGETS[target], "fp32")).program
    assert check(program).faults == []
