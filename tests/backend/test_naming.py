"""The main call of an op has the op's name."""

from __future__ import annotations

import re

from tests.backend.lowered import lowered
from ttc.backend import lower
from ttc.calls.target import TARGETS
from ttc.ir import DType, parse_graph

ATTENTION = """
    %q: f32[1,2,32,33] = input(name="q")
    %m: bool[1,1,32,32] = input(name="m")
    %attend: f32[1,2,32,33] = attention(q=%q, k=%q, v=%q, mask=%m)
    return "y"=%attend
"""


def named(text: str) -> dict[str, str]:
    """The calls by the names of their results."""
    return dict(re.findall(r"^%(\S+): .* = (ttnn\.[a-z_.]+)\(", lowered(text), re.MULTILINE))


def test_the_name_goes_to_what_takes_longest_and_not_to_what_moves_elements_for_it():
    calls = named(ATTENTION)
    assert calls["attend"] == "ttnn.transformer.scaled_dot_product_attention"
    assert "ttnn.pad" in calls.values()
    assert "ttnn.where" in calls.values(), "it works, and comes later, but takes less"


def test_of_equal_calls_the_last_is_the_main_one():
    text = '%x: f32[2,33] = input(name="x")\n%y: f32[2,33] = hard_sigmoid(x=%x, alpha=0.2)\nreturn "y"=%y'
    assert named(text) == {"y_0": "ttnn.multiply", "y_1": "ttnn.add", "y": "ttnn.clamp"}


def test_where_all_calls_move_elements_the_last_is_the_main_one():
    text = '%x: f32[2,3,5] = input(name="x")\n%y: f32[2,1,5] = slice(x=%x, starts=[0, 1, 0], ends=[2, 2, 5])'
    assert named(text + '\nreturn "y"=%y') == {"y_0": "ttnn.to_layout", "y": "ttnn.slice"}


def test_no_two_values_have_one_name():
    text = """
        %y: f32[2,33] = input(name="y_0")
        %y_0: f32[2,33] = hard_sigmoid(x=%y, alpha=0.2)
        %y_1: f32[2,33] = hard_sigmoid(x=%y_0, alpha=0.3)
        return "a"=%y_0, "b"=%y_1
    """
    calls = named(text)
    assert len(calls) == 6
    assert "y_0" not in calls, "the input is called so"
    assert (calls["y_0_0"], calls["y_1"]) == ("ttnn.clamp", "ttnn.clamp")


def test_values_of_calls_are_known_by_the_names_of_ops():
    graph = parse_graph("graph {" + ATTENTION + "}")
    program, _, names, _ = lower(graph, TARGETS["n150"], DType.bf16, DType.bf16)
    types = {value.name: value.type.shape for value in program.values()}
    assert types[names["attend"]] == (1, 2, 32, 33), "what is compared with the op is its result, not its main call"
