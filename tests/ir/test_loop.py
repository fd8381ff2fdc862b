import pytest

from tests.ir.loops import LOOP
from ttc.errors import TypeRuleError
from ttc.ir import Body, Builder, Step, backward, bodies, parse_graph, rewrite, verify, with_bodies
from ttc.runtime.run.program import parse_program


def test_text_round_trips_with_names_of_its_own_inside():
    graph = verify(parse_program(LOOP))
    assert str(graph) == LOOP
    (body,) = (body for node in graph.nodes for body in bodies(node.op))
    assert isinstance(body, Body)
    assert [value.name for value in body.inputs] == ["h", "x", "ys", "r"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(count=4", "(count=5", "is not 5 long in its first dimension"),
        ("(count=4", "(count=0", "a loop of 0 steps"),
        (", captured=[%r]", "", "the body has 4 inputs, the loop gives it 3"),
        ("carried=[%h0]", "carried=[%zero]", "the loop writes into %zero, which const made for others too"),
        (
            'output_tensor=%h, activations=[UnaryWithParam(op_type="TANH")]',
            "",
            "the body's output 'h' does not lie in the buffer of its input",
        ),
        (', "y"=%put', "", "the body has 1 outputs for 2 results"),
        ("ttnn.matmul(%h, %r)", "ttnn.matmul(%h, %zero)", "%zero is not defined"),
        ("captured=[%r]", "captured=[%zero]", "the body takes %r as"),
    ],
)
def test_what_is_wrong_with_a_loop_is_said(old: str, new: str, message: str):
    assert LOOP.count(old) == 1
    with pytest.raises(TypeRuleError, match=message):
        verify(parse_program(LOOP.replace(old, new)))


def test_rewriting_goes_into_bodies():
    graph = parse_program(LOOP)
    seen: list[str] = []

    def see(op, builder: Builder):
        seen.append(op.mnemonic)

    assert rewrite(graph, see) is graph
    assert seen.index("loop.put") < seen.index("loop")
    (loop,) = (node.op for node in graph.nodes if bodies(node.op))
    assert with_bodies(loop, lambda body: body) is loop
    assert with_bodies(loop, lambda body: parse_graph("graph {\n  return\n}")).body == Body((), ())


def test_steps_are_spelled_as_python_counts_them():
    assert (str(Step()), str(Step() + 1), str(backward(8)), str(backward(8) + 1)) == ("t", "t + 1", "7 - t", "8 - t")
    assert str(Step(2, 1)) == "2 * t + 1"
    assert [backward(8).at(step) for step in (0, 7)] == [7, 0]
