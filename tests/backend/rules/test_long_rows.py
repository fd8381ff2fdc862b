"""Rows of raw sound: slices in pieces, and the longest rows that the real library moves."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cards import FIRST
from tests.emulated import emulated
from tests.mock_cards import check
from tests.passes.check import graph_of
from ttc.calls.target import L1_SMALL_BYTES, TARGETS
from ttc.errors import Refused
from ttc.pipeline import Build, Options, compile_graph

WIDTH = {"bf16": 2, "fp32": 4}


def compiled(op: str, size: int, result: int, card: str, dtype: str) -> Build:
    text = f"""
        %x: f32[1,{size}] = input(name="x")
        %z: f32[1,{size}] = neg(x=%x)
        %y: f32[1,{result}] = {op}
        return "y"=%y
    """
    return compile_graph(graph_of(text), Options(TARGETS[card], dtype))


def accepted(build: Build, wanted: np.ndarray, x: np.ndarray) -> None:
    assert check(build.program).faults == []
    found = emulated(build, {"x": x})["y"]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("card", FIRST)
@pytest.mark.parametrize("dtype", WIDTH)
def test_slices_off_the_alignment_are_cut_where_two_rows_do_not_fit(card: str, dtype: str, ttnn_python: str):
    room = TARGETS[card].l1_bytes - L1_SMALL_BYTES
    longest = (room // 2 // 64 - 1) * 64 // WIDTH[dtype]
    for result, pieces in ((longest, 1), (longest + 32, 2)):
        size = result + 1
        op = f"slice(x=%x, starts=[0, 1], ends=[1, {size}])"
        build = compiled(op, size, result, card, dtype)
        assert [node.op.mnemonic for node in build.program.graph.nodes].count("ttnn.slice") == pieces
        x = np.arange(size, dtype=np.float32)[None] % 100
        accepted(build, x[:, 1:], x)


def test_an_aligned_slice_stays_whole(ttnn_python: str):
    size = 400_000
    build = compiled(f"slice(x=%x, starts=[0, 16], ends=[1, {size}])", size, size - 16, "n150", "fp32")
    assert [node.op.mnemonic for node in build.program.graph.nodes].count("ttnn.slice") == 1
    assert check(build.program).faults == []


@pytest.mark.parametrize("card", FIRST)
def test_steps_keep_two_rows_of_the_operand(card: str, ttnn_python: str):
    longest = TARGETS[card].l1_bytes // 2 // 64 * 64 // 4
    result = -(-longest // 3)
    x = np.arange(longest, dtype=np.float32)[None]
    accepted(compiled(f"slice(x=%x, starts=[0, 0], ends=[1, {longest}], steps=[1, 3])", longest, result, card, "fp32"),
             x[:, ::3], x)  # fmt: skip
    longer = longest + 96
    with pytest.raises(Refused, match=r"a slice by steps of 3 takes .* bytes of L1 for its rows"):
        compiled(f"slice(x=%x, starts=[0, 0], ends=[1, {longer}], steps=[1, 3])", longer, result + 32, card, "fp32")


@pytest.mark.parametrize("card", FIRST)
def test_a_concatenation_holds_a_row_of_the_result(card: str, ttnn_python: str):
    longest = TARGETS[card].l1_bytes // 128 * 128 // 8 * 2
    x = np.arange(longest // 2, dtype=np.float32)[None]
    accepted(compiled("concat(xs=[%x, %z], dim=1)", longest // 2, longest, card, "fp32"), np.concatenate([x, -x], 1), x)
    with pytest.raises(Refused, match="a concatenation takes"):
        compiled("concat(xs=[%x, %z], dim=1)", longest // 2 + 17, longest + 34, card, "fp32")


def test_a_flip_holds_a_row_beside_its_positions():
    longest = TARGETS["n150"].l1_bytes // 8 // 16 * 16
    with pytest.raises(Refused, match="a gather takes"):
        compiled("flip(x=%x, dims=[1])", longest + 19, longest + 19, "n150", "fp32")
