"""What the text form refuses, with the line and the culprit; and what it reads back."""

import math

import pytest

from tests.ops.written import op_of
from ttc import ops
from ttc.calls.call import ComputeKernelConfig
from ttc.calls.matmul import Matmul
from ttc.errors import TypeRuleError
from ttc.ir import parse_graph

GOOD = """graph {
  %x: f32[2,3] = input(name="x")
  %y: f32[2,3] = clamp(x=%x, low=-1.0)
  return "y"=%y
}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("graph", "program", 1, "expected 'graph', found 'program'"),
        ("graph {", "graph", 2, "expected '{', found '%x'"),
        ("}\n", "}\nmore", 6, "expected the end, found 'more'"),
        ("}\n", "", 4, "expected a string, found ''"),
        ('return "y"=%y', "", 5, "expected a word, found '}'"),
        ('"y"=%y', '"y" %y', 4, "expected '=', found '%y'"),
        ('"y"=%y', '"y"=%w', 5, "%w is not defined"),
        ('"y"=%y', "y=%y", 4, "expected a string, found 'y'"),
        ('"y"=%y', '"\\x"=%y', 4, '"\\x" is no proper string'),
        ("%y: f32[2,3] =", "%y f32[2,3] =", 3, "expected ':', found 'f32'"),
        ("%y: f32[2,3] =", "%y: f31[2,3] =", 3, "no DType is called 'f31'"),
        ("%y: f32[2,3] =", "%y: f32(2,3) =", 3, "expected '[', found '('"),
        ("%y: f32[2,3] =", "%y: f32[2,x] =", 3, "expected a number, found 'x'"),
        ("%y: f32[2,3] =", "%y: f32[2,-3] =", 3, "a size is -3"),
        ("%y: f32[2,3] =", "%y: f32[2,3.5] =", 3, "expected an integer, found 3.5"),
        ("%y: f32[2,3] =", "%y: f32[2,333333333333333333333] =", 3, "expected an integer, found 333333333333333333333"),
        ("%y: f32[2,3] =", "%y: f32[2,3]", 3, "expected '=', found 'clamp'"),
        ("%y: f32[2,3] =", "%x: f32[2,3] =", 4, "%x is defined twice"),
        ("%y: f32[2,3] =", "%y: f32[2,3] tile sram =", 3, "no Buffer is called 'sram'"),
        ("%y: f32[2,3] =", "%y: f32[2,3] tile l1 height_sharded 8 8 of 32x32 =", 3, "expected a word, found '8'"),
        ("%y: f32[2,3] =", "%y: f32[2,3] tile l1 height_sharded 8y8 of 32x32 =", 3, "expected two sizes such as 8x7"),
        ("%y: f32[2,3] =", "%y: f32[2,3] tile l1 height_sharded 8x8 by 32x32 =", 3, "expected 'of', found 'by'"),
        ("clamp", "clomp", 3, "no op is called 'clomp'"),
        ("clamp(", "clamp[", 3, "expected '(', found '['"),
        ("x=%x", "x=%w", 3, "%w is not defined"),
        ("x=%x", "z=%x", 3, "Clamp takes no 'z'"),
        ("x=%x", "x=%x, x=%x", 3, "Clamp takes no second 'x'"),
        ("x=%x, ", "", 4, "Clamp lacks x"),
        ("x=%x", "x %x", 3, "expected '=', found '%x'"),
        ("x=%x", "%x", 3, "expected a word, found '%x'"),
        ("x=%x", "x=1.0", 3, "what Clamp takes as x is of another kind"),
        ("low=-1.0", "low=[1.0]", 3, "what Clamp takes as low is of another kind"),
        ("low=-1.0", 'low="1.0"', 3, "what Clamp takes as low is of another kind"),
        ("low=-1.0", "low=much", 3, "'much' means nothing here"),
        ("low=-1.0", "low=<f32[2]>", 3, "what Clamp takes as low is of another kind"),
        ("low=-1.0", "low=<f32[2]", 3, "expected '>', found ')'"),
        ("low=-1.0", "low=-1.0 ?", 3, "cannot read '?)"),
    ],
)
def test_what_is_malformed_is_refused(old: str, new: str, line: int, message: str):
    assert GOOD.count(old) == 1
    parse_graph(GOOD)
    with pytest.raises(TypeRuleError) as error:
        parse_graph(GOOD.replace(old, new))
    assert str(error.value).startswith(f"program text, line {line}: {message}")


def test_loops_stand_in_one_another_only_so_deep():
    def nested(depth: int) -> str:
        body = "return"
        for _ in range(depth):
            body = f"loop(count=1, carried=[], scanned=[], stacked=[], captured=[], body=body {{ {body} }})\nreturn"
        return "graph {\n" + body + "\n}"

    import ttc.calls.loop  # noqa: F401

    parse_graph(nested(8))
    with pytest.raises(TypeRuleError, match="loops stand more than 8 deep in one another"):
        parse_graph(nested(9))


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
