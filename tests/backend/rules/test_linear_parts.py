"""Products whose columns are too many for the cores beside the banks of DRAM: parts side by side, as few as fit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.emulated import emulated
from tests.mock_cards import check
from tests.passes.check import random, retyped
from ttc import ops
from ttc.backend import lower
from ttc.calls.target import TARGETS
from ttc.ir import DType
from ttc.pipeline import Options, compile_graph
from ttc.validation.accuracy import pcc

HEAD = """%x: f32[1,1,64] = input(name="x")
%w: f32[76800,64] = const(ref="w")
%b: f32[76800] = const(ref="b")
%y: f32[1,1,76800] = linear(x=%x, w=%w, bias=%b, activation="relu")
return "y"=%y"""


def parts(*changes: tuple[str, str], dtype: DType = DType.bf16, target: str = "n150") -> int:
    """Return how many products the changed text becomes."""
    text = HEAD
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    program = lower(retyped(text), TARGETS[target], DType.bf16, dtype).program
    return sum(node.op.mnemonic == "ttnn.linear" for node in program.nodes)


@pytest.mark.parametrize(
    ("target", "dtype", "count"), [("n150", DType.bfp8, 3), ("n150", DType.bf16, 3), ("p150", DType.bf16, 5)]
)
def test_the_fewest_parts_that_fit(target: str, dtype: DType, count: int):
    assert parts(dtype=dtype, target=target) == count


def test_parts_have_the_numbers_of_one_product():
    graph = retyped(HEAD)
    build = compile_graph(graph, Options(TARGETS["n150"], "bfp8"))
    assert (report := check(build.program)).ok, report
    inputs = {"x": random(graph.inputs[0].type, "x")}
    found = emulated(build, {"x": inputs["x"].numpy()})["y"]
    assert pcc(np.asarray(found), ops.evaluate(graph, inputs)["y"].numpy()) > 0.999


NEAR = {
    "two rows of tiles": [("[1,1,64]", "[1,33,64]")],
    "columns that end inside a tile": [("76800", "76801")],
    "columns of tiles that no number of parts divides": [("76800", "77152")],  # 2411 tiles, a prime
    "small weights": [("64]", "16]")],
    "columns that fit": [("76800", "25600"), ("64]", "192]")],
}


@pytest.mark.parametrize("name", NEAR)
def test_what_is_one_product(name: str):
    assert parts(*NEAR[name]) == 1


def test_weights_that_two_products_read_are_whole():
    twice = '%z: f32[1,1,76800] = linear(x=%x, w=%w)\nreturn "y"=%y, "z"=%z'
    assert parts(('return "y"=%y', twice)) == 2
