from __future__ import annotations

import numpy as np
import pytest

from tests.cards import FIRST
from tests.emulated import emulated
from tests.mock_cards import check
from tests.passes.check import graph_of
from ttc.backend.rules.moves import joined
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.pipeline import Build, Options, compile_graph


@pytest.mark.parametrize(
    ("shape", "dims", "wanted"),
    [
        ((2, 3, 4), (0, 1, 2), ((24,), (0,))),
        ((2, 3, 4), (0, 2, 1), ((2, 3, 4), (0, 2, 1))),
        ((2, 3, 4), (2, 0, 1), ((6, 4), (1, 0))),
        ((2, 3, 4, 5), (2, 3, 0, 1), ((6, 20), (1, 0))),
        ((2, 3, 4, 5), (0, 3, 1, 2), ((2, 12, 5), (0, 2, 1))),
        ((2, 1, 4), (0, 2, 1), ((8,), (0,))),
        ((2, 1, 4, 3), (0, 2, 3, 1), ((24,), (0,))),
        ((2, 3, 1, 4), (0, 3, 2, 1), ((2, 3, 4), (0, 2, 1))),
        ((1, 1), (1, 0), ((), ())),
    ],
)
def test_dimensions_that_stay_together_are_joined(shape, dims, wanted):
    assert joined(shape, dims) == wanted
    x = np.arange(np.prod(shape)).reshape(shape)
    sizes, order = wanted
    assert np.array_equal(x.reshape(sizes).transpose(order).ravel(), x.transpose(dims).ravel())


def padded(size: int, shape: tuple[int, ...], target: str = "n150") -> Build:
    """A line [2, size], which a pad leaves in rows, under another shape."""
    text = f"""
        %x: f32[2,{size - 7}] = input(name="x")
        %line: f32[2,{size}] = pad(x=%x, pads=[[0, 0], [3, 4]])
        %y: f32[{",".join(map(str, shape))}] = reshape(x=%line, shape={list(shape)})
        return "y"=%y
    """
    return compile_graph(graph_of(text), Options(TARGETS[target], "fp32"))


@pytest.mark.parametrize(("rows", "width", "parts"), [(334, 256, 1), (335, 256, 2), (451, 256, 2), (451, 255, 1)])
@pytest.mark.parametrize("target", FIRST)
def test_a_line_that_becomes_rows_is_cut_where_it_does_not_fit(
    rows: int, width: int, parts: int, target: str, ttnn_python: str
):
    """Rows of a multiple of 16 bytes lie in L1 with the line four times, others twice."""
    build = padded(rows * width, (2, rows, width), target)
    assert str(build.program.graph).count("= ttnn.reshape(") == parts
    assert check(build.program).faults == []
    x = np.random.default_rng(0).standard_normal((2, rows * width - 7), np.float32)
    found = emulated(build, {"x": x})["y"]
    np.testing.assert_array_equal(found, np.pad(x, ((0, 0), (3, 4))).reshape(2, rows, width))


def test_rows_of_several_lines_may_be_counted_as_one(ttnn_python: str):
    build = padded(451 * 256, (902, 256))
    assert check(build.program).faults == []
    x = np.random.default_rng(0).standard_normal((2, 451 * 256 - 7), np.float32)
    found = emulated(build, {"x": x})["y"]
    np.testing.assert_array_equal(found, np.pad(x, ((0, 0), (3, 4))).reshape(902, 256))


def test_a_line_that_becomes_other_rows_is_refused():
    with pytest.raises(Refused, match=r"reshaping \[2, 180000\] to \[3, 120000\] needs rows that do not fit into L1"):
        padded(180000, (3, 120000))


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
@pytest.mark.parametrize("target", FIRST)
def test_lines_too_long_for_pad_are_concatenated(target: str, dtype: str, ttnn_python: str):
    """The longest row that TTNN pads, three of which L1 holds, and a row of 64 bytes more."""
    longest = TARGETS[target].l1_bytes // 3 // 64 * 64 // (2 if dtype == "bf16" else 4)
    for size, wanted in ((longest, "ttnn.pad"), (longest + 32, "ttnn.concat")):
        text = f"""
            %x: f32[2,{size - 3}] = input(name="x")
            %y: f32[3,{size}] = pad(x=%x, pads=[[1, 0], [1, 2]], value=7.0)
            return "y"=%y
        """
        build = compile_graph(graph_of(text), Options(TARGETS[target], dtype))
        assert wanted in [node.op.mnemonic for node in build.program.graph.nodes]
        assert check(build.program).faults == []
        x = np.arange(2 * (size - 3), dtype=np.float32).reshape(2, -1) % 100
        found = emulated(build, {"x": x})["y"]
        np.testing.assert_array_equal(found, np.pad(x, ((1, 0), (1, 2)), constant_values=7))
