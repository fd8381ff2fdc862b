"""What the verifier finds: each fault with both sides and the lines around it."""

import pytest

from ttc import ops
from ttc.errors import TypeRuleError
from ttc.ir import Builder, DType, Graph, Input, Node, TensorType, Value, parse_graph, verify
from ttc.runtime.run.program import parse_program

GOOD = """graph {
  %x: f32[2] = input(name="x")
  %a: f32[2] = relu(x=%x)
  %b: f32[2] = abs(x=%a)
  %c: f32[2] = neg(x=%b)
  %d: f32[2] = exp(x=%c)
  return "y"=%d
}"""


def test_a_well_formed_graph_is_given_back():
    graph = parse_graph(GOOD)
    assert verify(graph) is graph


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("%b: f32[2]", "%b: f32[3]", "abs gives f32[2] but the program says f32[3]"),
        ("%b: f32[2] =", "%b: f32[2], %e: f32[2] =", "abs gives f32[2] but the program says f32[2], f32[2]"),
        ("%b: f32[2] = abs(x=%a)", "%b: f32[2] = not(x=%a)", "not: needs bool, got f32[2]"),
        ("%b: f32[2] = abs(x=%a)", "%b: f32[2] = slice(x=%a, starts=[], ends=[0], steps=[1])",
         "slice: its operands and attributes do not fit together"),
        ('"y"=%d', '"y"=%d, "y"=%c', "two outputs share a name"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["", "a pass"])
def test_faults(old, new, message, where):
    with pytest.raises(TypeRuleError) as error:
        verify(parse_graph(GOOD.replace(old, new)), where)
    assert str(error.value).startswith(f"{where}: {message}" if where else message)


def test_the_lines_around_a_fault_are_shown():
    with pytest.raises(TypeRuleError) as error:
        verify(parse_graph(GOOD.replace("%b: f32[2]", "%b: f32[3]")))
    assert str(error.value).splitlines()[1:] == [
        '  %x: f32[2] = input(name="x")',
        "  %a: f32[2] = relu(x=%x)",
        "> %b: f32[3] = abs(x=%a)",
        "  %c: f32[2] = neg(x=%b)",
        "  %d: f32[2] = exp(x=%c)",
    ]


def test_the_first_and_the_last_line_have_fewer_around_them():
    with pytest.raises(TypeRuleError) as error:
        verify(parse_graph(GOOD.replace("%d: f32[2]", "%d: f32[3]")))
    assert [line[0] for line in str(error.value).splitlines()[1:]] == [" ", " ", ">"]


X = Value(Input(TensorType(DType.f32, (2,)), "x"), TensorType(DType.f32, (2,)), "x")


def node(op, name: str) -> Node:
    return Node(op, (Value(op, op.infer(), name),))


def test_what_comes_too_late():
    relu = node(ops.Relu(X), "y")
    with pytest.raises(TypeRuleError, match="relu reads %x before it is defined"):
        verify(Graph((relu, Node(X.op, (X,))), (("y", relu.results[0]),)))


def test_two_values_of_one_name():
    first, second = node(ops.Relu(X), "y"), node(ops.Neg(X), "y")
    with pytest.raises(TypeRuleError, match="%y is defined twice"):
        verify(Graph((Node(X.op, (X,)), first, second), (("y", second.results[0]),)))


@pytest.mark.parametrize("where", ["", "late"])
def test_an_output_that_nothing_defines(where):
    relu = node(ops.Relu(X), "y")
    with pytest.raises(TypeRuleError) as error:
        verify(Graph((Node(X.op, (X,)),), (("out", relu.results[0]),)), where)
    assert str(error.value) == f"{where + ': ' if where else ''}output 'out' is %y, which nothing defines"


OVERWRITTEN = """graph {
  %x: bf16[32,32] tile dram = input(name="x")
  %h: bf16[32,32] tile dram = ttnn.relu(%x)
  %new: bf16[32,32] tile dram = ttnn.add(%x, 1.0, output_tensor=%h)
  %y: bf16[32,32] tile dram = ttnn.relu(%new)
  return "y"=%y
}"""


def test_what_is_overwritten_is_read_no_more():
    verify(parse_program(OVERWRITTEN))
    with pytest.raises(TypeRuleError, match="relu reads %h, which is overwritten before"):
        verify(parse_program(OVERWRITTEN.replace("ttnn.relu(%new)", "ttnn.relu(%h)")))
    with pytest.raises(TypeRuleError, match="output 'y' is %h, which is overwritten"):
        verify(parse_program(OVERWRITTEN.replace('"y"=%y', '"y"=%h')))
    verify(parse_program(OVERWRITTEN.replace("  return", "  ttnn.deallocate(%h)\n  return")))


def test_a_builder_refuses_what_has_no_type():
    builder = Builder()
    x = builder(X.op)
    with pytest.raises(TypeRuleError, match="needs bool"):
        builder(ops.Not(x))
