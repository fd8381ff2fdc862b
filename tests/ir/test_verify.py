"""What the verifier gives back, and the lines that it shows around a fault; what it refuses is in refused.py."""

import pytest

from tests.ir.refused import CHAIN
from ttc.errors import TypeRuleError
from ttc.ir import parse_graph, verify


def test_a_well_formed_graph_is_given_back():
    graph = parse_graph(CHAIN)
    assert verify(graph) is graph


def test_the_lines_around_a_fault_are_shown():
    with pytest.raises(TypeRuleError) as error:
        verify(parse_graph(CHAIN.replace("%b: f32[2]", "%b: f32[3]")))
    assert str(error.value).splitlines()[1:] == [
        '  %x: f32[2] = input(name="x")',
        "  %a: f32[2] = relu(x=%x)",
        "> %b: f32[3] = abs(x=%a)",
        "  %c: f32[2] = neg(x=%b)",
        "  %d: f32[2] = exp(x=%c)",
    ]


def test_the_first_and_the_last_line_have_fewer_around_them():
    with pytest.raises(TypeRuleError) as error:
        verify(parse_graph(CHAIN.replace("%d: f32[2]", "%d: f32[3]")))
    assert [line[0] for line in str(error.value).splitlines()[1:]] == [" ", " ", ">"]
