import pytest

from tests.passes.check import graph_of
from ttc.errors import TypeRuleError
from ttc.ir import Builder, rewrite
from ttc.ops import Neg, Relu
from ttc.passes.runner import run

TEXT = """
    %x: f32[4] = input(name="x")
    %y: f32[4] = relu(x=%x)
    return "y"=%y
"""


def nothing(graph):
    return graph


def more(graph):
    builder = Builder(graph.weights)
    x = builder(graph.inputs[0].op)
    (name, value), *_ = graph.outputs
    depth = 0
    while isinstance(value.op, (Relu, Neg)):
        depth, value = depth + 1, value.op.x
    for _ in range(depth + 1):
        x = builder(Neg(x))
    return builder.finish([(name, x)])


def rename(graph):
    return rewrite(graph).__class__(graph.nodes, (("z", graph.outputs[0][1]),))


def broken(graph):
    return graph.__class__(graph.nodes[1:], graph.outputs)


def test_observes_only_what_changes():
    seen = []
    graph = graph_of(TEXT)
    assert run((nothing, nothing), graph, lambda name, after: seen.append(name)) is graph
    run((nothing, more), graph, lambda name, after: seen.append((name, len(after.nodes))))
    assert seen == [("more", 3)]


def test_a_pass_may_not_change_the_signature():
    with pytest.raises(TypeRuleError, match=r"rename changed the signature from .*y: f32\[4\].* to .*z: f32\[4\]"):
        run((rename,), graph_of(TEXT))


def test_a_broken_program_is_the_passes_fault():
    with pytest.raises(TypeRuleError, match="broken: relu reads %x before it is defined"):
        run((broken,), graph_of(TEXT))


def test_debris_is_found():
    with pytest.raises(TypeRuleError, match="more changes its own result"):
        run((more,), graph_of(TEXT), twice=True)
