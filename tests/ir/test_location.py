"""Where in the model a value comes from: carried through rewriting, printed when asked for, read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ttc import ops
from ttc.ir import Builder, DType, Graph, Input, TensorType, Value, parse_graph, print_graph, rewrite

TEXT = """\
graph {
  %x: f32[2,4] = input(name="x # y")
  %w: f32[4,4] = const(ref="w")
  %fc: f32[2,4] = linear(x=%x, w=%w)  # encoder.fc at model.py:41
  %act: f32[2,4] = relu(x=%fc)  # encoder.act at model.py:42
  %y: f32[2,4] = exp(x=%act)
  return "y"=%y
}
"""


def places(graph: Graph) -> dict[str, str]:
    return {value.name: value.location for value in graph.values()}


def test_a_comment_behind_a_node_is_its_location():
    graph = parse_graph(TEXT)
    assert places(graph) == {
        "x": "", "w": "", "fc": "encoder.fc at model.py:41", "act": "encoder.act at model.py:42", "y": ""
    }  # fmt: skip
    assert print_graph(graph, locations=True) == TEXT
    assert "#" not in str(graph).replace("x # y", "")


def test_comments_in_lines_of_their_own_mean_nothing():
    lines = TEXT.splitlines()
    apart = "\n".join(["# the whole", lines[0], "# one", "  # two", *lines[1:4], "  # not of fc", *lines[4:], "# end"])
    assert print_graph(parse_graph(apart), locations=True) == TEXT


def test_a_comment_between_the_parts_of_a_node_is_not_its_location():
    graph = parse_graph('graph {\n  %x: f32[2] = input( # a\n name="x")\n  return "x"=%x # b\n}')
    assert places(graph) == {"x": ""}


def test_a_location_is_one_printable_line():
    graph = parse_graph(TEXT)
    node = graph.nodes[2]
    odd = replace(node.results[0], location="a\n%z: f32[1] = exp(x=%x)\x1b[2J")
    shown = print_graph(Graph((*graph.nodes[:2], replace(node, results=(odd,))), ()), locations=True)
    assert shown.splitlines()[3].endswith("# a %z: f32[1] = exp(x=%x)\\x1b[2J")


def test_a_value_says_where_it_is():
    named = {value.name: value.where for value in parse_graph(TEXT).values()}
    assert named["fc"] == "linear %fc in encoder.fc at model.py:41"
    assert named["y"] == "exp %y"
    value = Value(ops.Exp(parse_graph(TEXT).inputs[0]), TensorType(DType.f32, (2, 4)), "act", location="act")
    assert value.where == "exp %act", "an ONNX node without a name is known by its result"


def test_what_a_rule_makes_has_the_location_of_what_it_replaces():
    def squared(op, b):
        match op:
            case ops.Exp(x=x):
                return b(ops.Mul(b(ops.Abs(x)), x))

    text = TEXT.replace("exp(x=%act)", "exp(x=%act)  # encoder at model.py:43")
    after = places(rewrite(parse_graph(text), squared))
    assert after == {**places(parse_graph(text)), "y_0": "encoder at model.py:43"}


def test_a_fused_op_stays_where_its_main_part_was():
    def fused(op, b):
        match op:
            case ops.Relu(x=Value(ops.Linear(x=x, w=w))):
                return b(ops.Linear(b(ops.Neg(x)), w))

    after = places(rewrite(parse_graph(TEXT), fused))
    assert after["act_0"] == "encoder.fc at model.py:41", (
        "it shares its weight with the linear, and nothing with the relu"
    )
    assert after["act"] == "encoder.fc at model.py:41", "what negates x shares x with the linear"

    def separate(op, b):
        match op:
            case ops.Exp(x=x):
                return b(ops.Sin(x))

    assert places(rewrite(parse_graph(TEXT), separate))["y"] == "", "it shares no more with the relu than with the exp"


def test_weights_and_inputs_have_names_instead():
    builder = Builder()
    builder.location = "layer"
    x = builder(Input(TensorType(DType.f32, (2,)), "x"))
    y = builder(ops.Exp(x))
    assert (x.location, y.location) == ("", "layer")
    assert builder(ops.Exp(x)) is y


@pytest.mark.parametrize("count", [2000])
def test_many_comments_are_read_without_recursion(count: int):
    text = TEXT.replace("graph {\n", "graph {\n" + "# no more\n" * count)
    assert print_graph(parse_graph(text), locations=True) == TEXT
