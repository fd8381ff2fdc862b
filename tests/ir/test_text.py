"""What the text form reads back and leaves out; what it refuses is in refused.py."""

import math

import pytest

from tests.ops.written import op_of
from ttc import ops
from ttc.calls.call import ComputeKernelConfig
from ttc.calls.matmul import Matmul
from ttc.ir import parse_graph


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0", 1.0),
        ("-1", -1),
        ("1e-05", 1e-05),
        ("1e+30", 1e30),
        ("inf", math.inf),
        ("-inf", -math.inf),
        ("-0.0", -0.0),
    ],
)
def test_numbers_are_read_as_written(text, value):
    op = op_of(f"clamp(x=f32[2], low={text})")
    assert repr(op.low) == repr(value)
    assert isinstance(op, ops.Clamp)


def test_no_number_is_read_as_one():
    assert math.isnan(op_of("clamp(x=f32[2], low=nan)").low)  # type: ignore[attr-defined]


def test_defaults_are_left_out_only_where_they_are_the_very_same():
    for text in ("softplus(x=%x)", "softplus(x=%x, threshold=2.0)", "clamp(x=%x, low=-0.0)", "clamp(x=%x, low=0.0)"):
        program = f'graph {{\n  %x: f32[2] = input(name="x")\n  %y: f32[2] = {text}\n  return "y"=%y\n}}\n'
        assert str(parse_graph(program)) == program


def test_fields_that_say_what_holds_anyway_are_left_out():
    text = 'graph {\n  %x: f32[4,3] = input(name="x")\n  %y: f32[2,3] = slice(x=%x, starts=[1, 0], ends=[3, 3])\n'
    text += '  return "y"=%y\n}\n'
    graph = parse_graph(text)
    assert graph.nodes[1].op.steps == (1, 1)  # type: ignore[attr-defined]
    assert str(graph) == str(parse_graph(text.replace("3])", "3], steps=[1, 1])"))) == text
    stepped = text.replace("f32[2,3]", "f32[1,3]").replace("3])", "3], steps=[2, 1])")
    assert str(parse_graph(stepped)) == stepped


def test_the_exact_way_to_accumulate_is_the_default_of_calls():
    spec = "bf16[32,32] tile dram"
    line = f"  %y: {spec} = ttnn.matmul(%x, %x)\n"
    text = f'graph {{\n  %x: {spec} = input(name="x")\n{line}  return "y"=%y\n}}\n'
    call = parse_graph(text).nodes[1].op
    assert isinstance(call, Matmul)
    assert call.compute_kernel_config == ComputeKernelConfig()
    for given, kept in (
        ("ComputeKernelConfig()", ""),
        ("none", "none"),
        ("ComputeKernelConfig(packer_l1_acc=false)",) * 2,
    ):
        stated = text.replace("%x, %x)", f"%x, %x, compute_kernel_config={given})")
        assert str(parse_graph(stated)) == (stated if kept else text)
