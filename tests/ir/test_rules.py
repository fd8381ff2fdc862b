"""Rules are offered the ops that they are written for, and nothing is walked, inferred or simplified twice."""

from collections import Counter
from dataclasses import replace

import pytest

from ttc import ops
from ttc.errors import TypeRuleError
from ttc.ir import Builder, DType, Input, Op, Rules, TensorType, parse_graph, rewrite
from ttc.ir.types import broadcast
from ttc.ops.unary import Unary

TEXT = """graph {
  %x: f32[2] = input(name="x")
  %a: f32[2] = relu(x=%x)
  %b: f32[2] = neg(x=%a)
  %c: f32[2] = exp(x=%a)
  %y: f32[2] = add(a=%b, b=%c)
  return "y"=%y
}
"""


def shared(normal: Rules | None = None):
    """The graph as a builder leaves it: shared, without dead ops, its ops in a normal form."""
    return rewrite(replace(parse_graph(TEXT), shared=True), normal=normal)


def counting(seen: Counter, *classes: type[Op]):
    def rule(op, builder):
        seen[op.mnemonic] += 1

    rule.__annotations__["op"] = classes[0] if len(classes) == 1 else classes[0] | classes[1] if classes else Op
    return rule


@pytest.mark.parametrize(
    ("classes", "offered"),
    [
        ((ops.Relu,), {"relu"}),
        ((ops.Relu, ops.Add), {"relu", "add"}),
        ((Unary,), {"relu", "neg", "exp"}),
        ((ops.Mul,), set()),
        ((), {"input", "relu", "neg", "exp", "add"}),
    ],
)
@pytest.mark.parametrize("graph", [shared(), parse_graph(TEXT)], ids=["normal", "parsed"])
def test_a_rule_is_offered_the_ops_of_its_annotation(graph, classes, offered):
    seen: Counter = Counter()
    assert rewrite(graph, counting(seen, *classes)) is graph
    assert seen == dict.fromkeys(offered, 1)


def test_a_rule_without_annotation_is_offered_all():
    seen = []
    rewrite(parse_graph(TEXT), lambda op, builder: seen.append(op.mnemonic))
    assert seen == ["input", "relu", "neg", "exp", "add"]


def to_abs(op: ops.Neg, builder: Builder):
    builder(ops.Sin(op.x), "debris")
    return builder(ops.Abs(op.x))


def gives_up(op: ops.Relu | ops.Exp, builder: Builder):
    builder(ops.Sin(op.x), "debris")


@pytest.mark.parametrize("rules", [(to_abs,), (gives_up,), (gives_up, to_abs), (to_abs, gives_up)])
def test_a_graph_in_normal_form_is_rewritten_as_any_other(rules):
    graph = shared()
    assert str(rewrite(graph, *rules)) == str(rewrite(replace(graph, shared=False), *rules))


def test_only_what_comes_after_a_change_is_built_again(monkeypatch):
    kept, graph, keep = [], shared(), Builder.keep

    def noting(builder, node):
        kept.append(node.op.mnemonic)
        return keep(builder, node)

    monkeypatch.setattr(Builder, "keep", noting)
    assert rewrite(graph, gives_up) is graph
    assert kept == []
    rewrite(graph, to_abs)
    assert kept == ["exp"]  # the sum is a new op


def test_the_normal_form_is_asked_once_for_each_op():
    seen: Counter = Counter()
    rules = Rules(counting(seen))
    graph = shared(rules)
    assert rewrite(graph, to_abs, normal=rules) is not graph
    assert seen == {"relu": 1, "neg": 1, "exp": 1, "add": 2, "sin": 1, "abs": 1}  # the sum of others is another sum


def test_a_rule_of_another_normal_form_is_asked_again():
    seen: Counter = Counter()
    graph = shared(Rules(counting(Counter())))
    rewrite(graph, normal=Rules(counting(seen)))
    assert seen == {"relu": 1, "neg": 1, "exp": 1, "add": 1}


def test_equal_ops_meet_after_the_first_change():
    def same(op: ops.Neg, builder: Builder):
        return builder(ops.Exp(op.x))

    assert str(rewrite(shared(), same)).count("exp(") == 1


class Counted(Op, abstract=True):
    inferred = 0

    def __init__(self, fails=False):
        self.fails = fails

    def infer(self):
        type(self).inferred += 1
        if self.fails:
            raise TypeRuleError("no")
        return TensorType(DType.f32, (2,))


def test_a_type_is_inferred_once_and_refused_each_time():
    op, other = Counted(), Counted()
    assert op.infer() is op.infer()
    assert op.result_types() == (other.infer(),)
    assert Counted.inferred == 2
    bad = Counted(fails=True)
    for _ in range(2):
        with pytest.raises(TypeRuleError, match="no"):
            bad.infer()


def test_operands_replaced_infer_anew():
    x, y = (Builder()(Input(TensorType(DType.f32, (size,)), "x")) for size in (2, 3))
    op = ops.Relu(x)
    assert op.result_types()[0].shape == (2,)
    other = op.with_operands(lambda value: y)
    assert other.result_types()[0].shape == (3,)
    assert other == ops.Relu(y) != op
    assert hash(other) == hash(ops.Relu(y))


def test_what_a_class_fills_in_stays_when_operands_are_replaced():
    x, y = (Builder()(Input(TensorType(DType.f32, (4,)), name)) for name in "xy")
    assert ops.Slice(x, (0,), (2,)).with_operands(lambda value: y) == ops.Slice(y, (0,), (2,), (1,))


@pytest.mark.parametrize(
    ("shapes", "wide"), [([(2, 1), (3,)], (2, 3)), ([(), (1,)], (1,)), ([], ()), ([(0,), (1,)], (0,))]
)
def test_shapes_broadcast(shapes, wide):
    assert broadcast(*shapes) == wide


@pytest.mark.parametrize("shapes", [[(2,), (3,)], [(1,), (2,), (3,)], [(0,), (2,)], [(2, 3), (2,)]])
def test_shapes_that_do_not_broadcast_are_named(shapes):
    with pytest.raises(TypeRuleError, match="do not broadcast"):
        broadcast(*shapes)
