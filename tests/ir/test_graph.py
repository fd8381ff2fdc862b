"""The builder: what it shares, names, keeps, forgets and drops; and rewriting."""

import pytest

from ttc import ops
from ttc.ir import Builder, Const, DType, Graph, Input, TensorType, Value, parse_graph, rewrite
from ttc.ir.graph import snake_case
from ttc.ir.rewrite import settled

F32 = TensorType(DType.f32, (2,))


def names(graph: Graph) -> list[str]:
    return [value.name for value in graph.values()]


def test_equal_ops_are_one_and_different_ones_two():
    builder = Builder()
    x = builder(Input(F32, "x"))
    assert builder(ops.Relu(x)) is builder(ops.Relu(x))
    assert builder(ops.Relu(x)) is not builder(ops.Neg(x))
    zero, minus = (builder(ops.Full(TensorType(DType.f32, ()), number)) for number in (0.0, -0.0))
    assert zero is not minus


def test_inputs_are_never_shared():
    builder = Builder()
    assert builder(Input(F32, "x")) is not builder(Input(F32, "x"))


def test_several_results_come_as_a_tuple():
    builder = Builder()
    values, indices = builder(ops.Topk(builder(Input(F32, "x")), 1, 0))
    assert (values.index, indices.index) == (0, 1)
    assert (values.dtype, indices.dtype) == (DType.f32, DType.i64)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["a", "a", "a"], ["a", "a_0", "a_1"]),
        (["a_1", "a_1", "a"], ["a_1", "a_0", "a"]),
        (["", "", "b"], ["0", "1", "b"]),
        (["a/b c", "a.b", "-x-"], ["a_b_c", "a.b", "x"]),
        (["a_0", "a", "a"], ["a_0", "a", "a_1"]),
    ],
)
def test_names_are_taken_once(wanted, found):
    builder = Builder()
    x = builder(Input(F32, "in"), "in")
    kinds = (ops.Relu, ops.Neg, ops.Abs)
    made = [builder.add(kind(x), (name,))[0] for kind, name in zip(kinds, wanted, strict=True)]
    assert [value.name for value in made] == found


def test_weights_are_named_after_their_reference_and_what_is_made_of_them_too():
    builder = Builder()
    builder.hint = "hint"
    w = builder(Const(F32, "layer.weight"))
    assert w.name == "layer.weight"
    assert builder(ops.Neg(w)).name == "layer.weight_0"
    x = builder(Input(F32, "x"))
    assert builder(ops.Neg(x)).name == "hint"
    assert builder(ops.Add(x, w)).name == "hint_0"


def test_constants_depend_on_no_input():
    builder = Builder()
    x, w = builder(Input(F32, "x")), builder(Const(F32, "w"))
    twice, both = builder(ops.Add(w, w)), builder(ops.Add(x, w))
    assert builder.constants == {w, twice}
    assert both not in builder.constants


def test_undo_forgets_what_was_added_since():
    builder = Builder()
    x = builder(Input(F32, "x"), "x")
    kept = builder(ops.Relu(x), "kept")
    mark = builder.mark()
    gone = builder(ops.Neg(x), "gone")
    weight = builder(Const(F32, "w"))
    builder.undo(mark)
    assert builder(ops.Relu(x)) is kept
    again = builder(ops.Neg(x), "gone")
    assert again is not gone
    assert again.name == "gone"
    assert weight not in builder.constants
    assert names(builder.finish({"y": again})) == ["x", "gone"]


def test_what_nobody_reads_is_dropped_but_for_inputs():
    builder = Builder()
    x, z = builder(Input(F32, "x"), "x"), builder(Input(F32, "z"), "z")
    builder(ops.Relu(x), "dead")
    y = builder(ops.Neg(x), "y")
    assert names(builder.finish({"y": y})) == ["x", "z", "y"]
    assert z.name == "z"


TEXT = """graph {
  %x: f32[2] = input(name="x")
  %a: f32[2] = relu(x=%x)
  %b: f32[2] = neg(x=%a)
  %c: f32[2] = neg(x=%a)
  %y: f32[2] = add(a=%b, b=%c)
  return "y"=%y
}
"""


def test_a_rewrite_without_rules_shares():
    assert str(rewrite(parse_graph(TEXT))) == TEXT.replace("  %c: f32[2] = neg(x=%a)\n", "").replace("b=%c", "b=%b")


def test_the_first_rule_that_answers_wins_and_none_keeps():
    def to_abs(op, builder):
        return builder(ops.Abs(op.x)) if isinstance(op, ops.Relu) else None

    def to_exp(op, builder):
        return builder(ops.Exp(op.x)) if isinstance(op, ops.Relu) else None

    assert "%a: f32[2] = abs(x=%x)" in str(rewrite(parse_graph(TEXT), to_abs, to_exp))
    assert "%a: f32[2] = exp(x=%x)" in str(rewrite(parse_graph(TEXT), to_exp, to_abs))


def test_a_rule_that_gives_up_leaves_nothing():
    def tries(op, builder):
        if isinstance(op, ops.Relu):
            builder(ops.Exp(op.x), "debris")
        return None

    graph = parse_graph(TEXT.replace("%c: f32[2] = neg(x=%a)", "%c: f32[2] = exp(x=%a)"))
    assert rewrite(graph, tries) is graph


def test_uses_count_what_a_new_value_stands_for():
    seen = {}

    def look(op, builder):
        if isinstance(op, ops.Add):
            seen.update({value.name: builder.uses[value] for value in (op.a, op.a.op.x)})
        return None

    rewrite(parse_graph(TEXT), look)
    assert seen == {"b": 2, "a": 2}  # both negations are one by then


def test_settled_tells_whether_anything_changed():
    graph = parse_graph(TEXT)
    other = parse_graph(TEXT)
    assert settled(graph, Graph(graph.nodes, graph.outputs)) is graph
    assert settled(graph, other) is other
    fewer = Graph(graph.nodes[:-1], (("y", graph.nodes[-2].results[0]),))
    assert settled(graph, fewer) is fewer
    renamed = Graph(graph.nodes, (("z", graph.outputs[0][1]),))
    assert settled(graph, renamed) is renamed


def test_outputs_count_as_reads():
    graph = parse_graph(TEXT.replace('"y"=%y', '"y"=%y, "a"=%a'))
    found = {value.name: count for value, count in graph.uses().items()}
    assert found == {"x": 1, "a": 3, "b": 1, "c": 1, "y": 1}


@pytest.mark.parametrize(
    ("camel", "snake"), [("LayerNorm", "layer_norm"), ("Conv", "conv"), ("Atan2", "atan2"), ("OneHot", "one_hot")]
)
def test_mnemonics(camel, snake):
    assert snake_case(camel) == snake


def test_with_operands_gives_the_very_op_back_where_nothing_changes():
    builder = Builder()
    x, z = builder(Input(F32, "x")), builder(Input(F32, "z"))
    op = ops.Concat((x, z), 0)
    assert op.with_operands(lambda value: value) is op
    swapped = op.with_operands({x: z, z: x}.__getitem__)
    assert isinstance(swapped, ops.Concat)
    assert swapped.xs == (z, x)
    assert [value.name for value in op.operands()] == ["x", "z"]
    assert isinstance(x, Value)


@pytest.mark.parametrize("looks_up", [False, True])
def test_types_are_handed_on_where_operands_are_alike_but_for_an_op_that_looks_up(monkeypatch, looks_up: bool):
    builder = Builder()
    twice, wide = (TensorType(DType.f32, (size,)) for size in (4, 9))
    x, y = (builder(Input(F32, name)) for name in "xy")
    op = ops.Concat((x, x), 0)
    assert op.result_types() == (twice,)
    monkeypatch.setattr(ops.Concat, "looks_up", looks_up)
    monkeypatch.setattr(ops.Concat, "infer", lambda op: wide)
    assert op.with_operands({x: y}.__getitem__, alike=True).result_types() == ((wide,) if looks_up else (twice,))
    assert op.with_operands({x: y}.__getitem__).result_types() == (wide,)
