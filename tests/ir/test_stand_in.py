"""Graphs without refused values: inputs in place of what was computed from these, and nothing of refused constants."""

from ttc import ops  # noqa: F401 (which parse_graph knows by name)
from ttc.ir import Graph, parse_graph, print_graph, verify
from ttc.ir.stand_in import stand_ins, without

GRAPH = parse_graph("""graph {
  %x: f32[4] = input(name="x")
  %w: f32[4] = const(ref="w")
  %a: f32[4] = relu(x=%x)  # first
  %b: f32[4] = add(a=%a, b=%w)
  %c: f32[4] = sigmoid(x=%b)
  %u: f32[4] = sqrt(x=%w)
  %v: f32[4] = mul(a=%u, b=%x)
  return "y"=%c, "z"=%v
}""")


def left(*names: str) -> Graph:
    return verify(without(GRAPH, {value for value in GRAPH.values() if value.name in names}))


def test_what_reads_a_refused_value_gives_an_input_and_the_rest_stays():
    found = left("b")
    assert (
        print_graph(found, locations=True)
        == """graph {
  %x: f32[4] = input(name="x")
  %w: f32[4] = const(ref="w")
  %a: f32[4] = relu(x=%x)  # first
  %c: f32[4] = input(name="refused.c")
  %u: f32[4] = sqrt(x=%w)
  %v: f32[4] = mul(a=%u, b=%x)
  return "0"=%a, "1"=%w, "2"=%c, "3"=%v
}
"""
    )
    assert stand_ins(found) == {"c"}


def test_what_a_refused_value_reads_is_not_lost():
    assert "relu" in str(left("b"))
    assert "relu" not in str(left("a"))


def test_what_stays_behind_an_input_keeps_its_location():
    graph = parse_graph(str(GRAPH).replace("sigmoid(x=%b)", "sigmoid(x=%b)  # second"))
    found = without(graph, {value for value in graph.values() if value.name == "a"})
    assert "%c: f32[4] = sigmoid(x=%b)  # second" in print_graph(found, locations=True)


def test_a_refused_constant_is_no_input_nor_is_what_depends_on_it_alone():
    assert (
        str(left("w"))
        == """graph {
  %x: f32[4] = input(name="x")
  %b: f32[4] = input(name="refused.b")
  %c: f32[4] = sigmoid(x=%b)
  %v: f32[4] = input(name="refused.v")
  return "0"=%a, "1"=%x, "2"=%c, "3"=%v
}
""".replace('%x: f32[4] = input(name="x")\n', '%x: f32[4] = input(name="x")\n  %a: f32[4] = relu(x=%x)\n')
    )


def test_a_refused_input_is_gone_and_what_reads_it_is_an_input():
    assert stand_ins(left("x")) == {"a", "v"}
    assert [value.name for value in left("x").inputs] == ["a", "v"]


def test_nothing_refused_leaves_the_nodes_as_they_are():
    assert left().nodes == GRAPH.nodes
