"""Entries of a tensor of rows: views where they begin in the first bank of DRAM, else slices."""

import numpy as np
import pytest

from tests.cards import EACH_CARD
from tests.emulated import emulated
from tests.mock_cards import check
from tests.passes.check import numbers, random, retyped
from ttc.backend import lower
from ttc.calls.target import TARGETS
from ttc.ir import DType, Graph, verify
from ttc.pipeline import Options, compile_graph


def entries(count: int, width: int, rows: int = 1, of: int | None = None, source: str = "relu(x=%x)") -> str:
    """`count` entries of `of`, each by itself."""
    shape = f"[{of or count},{rows},{width}]"
    lines = [f'%x: f32{shape} = input(name="x")', f"%s: f32{shape} = {source}"]
    for i in range(count):
        part = f"slice(x=%s, starts=[{i}, 0, 0], ends=[{i + 1}, {rows}, {width}])"
        lines += [f"%e{i}: f32[1,{rows},{width}] = {part}", f"%y{i}: f32[1,{rows},{width}] = sin(x=%e{i})"]
    return "\n".join([*lines, "return " + ", ".join(f'"y{i}"=%y{i}' for i in range(count))])


def calls(text: str, target: str = "n150", dtype: DType = DType.bf16) -> str:
    return str(verify(lower(retyped(text), TARGETS[target], dtype, dtype).program))


def test_entries_of_whole_rounds_of_banks_are_views():
    """12 tiles to each of 12 banks, or 8 to each of 8."""
    text = calls(entries(2, 12 * 32))
    assert text.count("ttnn.narrow") == 2
    assert "ttnn.pad" not in text
    assert calls(entries(2, 8 * 32), "p150").count("ttnn.narrow") == 2


def test_zeros_between_let_others_begin_in_the_first_bank():
    """Of 16 tiles every third entry begins there, with 12 banks."""
    text = calls(entries(4, 512))
    assert "[[0, 0], [0, 2], [0, 0], [0, 0]]" in text
    assert ["[12,1,512]" in text, text.count("ttnn.narrow")] == [True, 4]
    assert [f", 0, {start}, 1)" in text for start in (0, 3, 6, 9)] == [True] * 4


def test_two_entries_are_cut_out_where_zeros_cost_as_many_programs():
    text = calls(entries(2, 512))
    assert (text.count("ttnn.slice"), text.count("ttnn.narrow")) == (2, 0)
    assert calls(entries(3, 512)).count("ttnn.narrow") == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("slice(x=%s, starts=[1, 0, 0], ends=[2, 1, 512])", "slice(x=%s, starts=[1, 0, 0], ends=[3, 1, 512])"),
        ("slice(x=%s, starts=[1, 0, 0], ends=[2, 1, 512])", "slice(x=%s, starts=[1, 0, 0], ends=[2, 1, 256])"),
        ("slice(x=%s, starts=[1, 0, 0], ends=[2, 1, 512])", "slice(x=%s, starts=[1, 0, 32], ends=[2, 1, 512])"),
        (
            "slice(x=%s, starts=[1, 0, 0], ends=[2, 1, 512])",
            "slice(x=%s, starts=[1, 0, 0], ends=[2, 1, 512], steps=[1, 1, 2])",
        ),
        ("slice(x=%s, starts=[1, 0, 0], ends=[2, 1, 512])", "exp(x=%s)"),
        ("= relu(x=%x)", "= abs(x=%w)"),
    ],
)
def test_near_misses(old: str, new: str):
    text = '%w: f32[4,1,512] = const(ref="w")\n' + entries(4, 512)
    assert "ttnn.narrow" in calls(text)
    assert text.count(old) == 1
    assert "ttnn.narrow" not in calls(text.replace(old, new))


def test_what_is_given_is_cut_out():
    text = entries(4, 512).replace("x=%s,", "x=%x,")
    assert "ttnn.narrow" not in calls(text)


@pytest.mark.parametrize(("rows", "views"), [(32, True), (33, False)])
def test_entries_of_several_rows_of_tiles_are_cut_out(rows: int, views: bool):
    assert ("ttnn.narrow" in calls(entries(4, 512, rows))) == views


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
@pytest.mark.parametrize("target", EACH_CARD)
def test_the_card_takes_them_and_the_numbers_are_theirs(target: str, dtype: str, ttnn_python: str):
    graph: Graph = retyped(entries(5, 70, 3))
    build = compile_graph(graph, Options(TARGETS[target], dtype))
    text = str(build.program.graph)
    assert text.count("ttnn.narrow") == 5
    report = check(build.program)
    assert report.ok, report
    x = random(graph.inputs[0].type, "x")
    found = emulated(build, {"x": x.numpy()})
    tolerance = 1e-6 if dtype == "fp32" else 2e-2
    for name, wanted in numbers(graph).items():
        assert np.abs(np.asarray(found[name], np.float32) - wanted.numpy()).max() <= tolerance
