import textwrap

import pytest

from ttc.errors import TypeRuleError
from ttc.ir import Body, Builder, Step, backward, bodies, parse_graph, rewrite, verify, with_bodies
from ttc.runtime.run.program import parse_program

PROGRAM = textwrap.dedent(
    """\
    graph {
      %x: bf16[4,1,2,64] tile dram = input(name="x")
      %zero: bf16[1,1,2,64] tile dram = const(ref="zero")
      %r: bf16[1,1,64,64] tile dram = const(ref="r")
      %h0: bf16[1,1,2,64] tile dram = ttnn.clone(%zero, memory_config=MemoryConfig())
      %y0: bf16[4,1,2,64] tile dram = ttnn.empty([4, 1, 2, 64], bf16, TILE)
      %h_n: bf16[1,1,2,64] tile dram, %y: bf16[4,1,2,64] tile dram = loop(count=4, carried=[%h0], scanned=[%x], stacked=[%y0], captured=[%r], body=body {
        %h: bf16[1,1,2,64] tile dram = input(name="h")
        %x: bf16[4,1,2,64] tile dram = input(name="x")
        %ys: bf16[4,1,2,64] tile dram = input(name="ys")
        %r: bf16[1,1,64,64] tile dram = input(name="r")
        %p: bf16[1,1,2,64] tile dram = ttnn.matmul(%h, %r)
        %t: bf16[1,1,2,64] tile dram = loop.take(%x, step=Step(scale=-1, offset=3))
        %new: bf16[1,1,2,64] tile dram = ttnn.add(%p, %t, output_tensor=%h, activations=[UnaryWithParam(op_type="TANH")])
        %put: bf16[4,1,2,64] tile dram = loop.put(%ys, %new)
        return "h"=%new, "y"=%put
      })
      return "y"=%y, "h_n"=%h_n
    }
    """  # noqa: E501
)


def test_text_round_trips_with_names_of_its_own_inside():
    graph = verify(parse_program(PROGRAM))
    assert str(graph) == PROGRAM
    (body,) = (body for node in graph.nodes for body in bodies(node.op))
    assert isinstance(body, Body)
    assert [value.name for value in body.inputs] == ["h", "x", "ys", "r"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ttnn.matmul(%h, %r)", "ttnn.matmul(%h, %x)", "the body of loop: ttnn.matmul"),
        ("%p: bf16[1,1,2,64]", "%p: bf16[1,1,2,32]", "gives bf16.1,1,2,64. tile dram but the program says"),
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
        ("loop.put(%ys, %new)", "loop.put(%ys, %h)", "loop.put reads %h, which is overwritten before"),
        ('"y"=%y, "h_n"=%h_n', '"y"=%y, "h_n"=%h0', "output 'h_n' is %h0, which is overwritten"),
    ],
)
def test_what_is_wrong_with_a_loop_is_said(old: str, new: str, message: str):
    assert PROGRAM.count(old) == 1
    with pytest.raises(TypeRuleError, match=message):
        verify(parse_program(PROGRAM.replace(old, new)))


def test_a_body_cannot_have_constants():
    body = PROGRAM.replace("%p: bf16", '%k: bf16[1,1,2,64] tile dram = const(ref="k")\n    %p: bf16')
    with pytest.raises(TypeRuleError, match="the body of loop has constants of its own"):
        verify(parse_program(body))


def test_loops_stand_only_so_deep_in_one_another():
    text = "loop(count=1, body=body { %x: f32[1] = " * 20
    with pytest.raises(TypeRuleError, match="loops stand more than 8 deep"):
        parse_graph("graph { %x: f32[1] = " + text)


def test_rewriting_goes_into_bodies():
    graph = parse_program(PROGRAM)
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
