import pytest
import torch

from tests.passes.check import graph_of, near_miss, retyped, rewrites
from ttc import ops
from ttc.passes.fuse.fuse_rotary import fuse_rotary

TABLES = """
        %x: f32[1,2,5,8] = input(name="x")
        %cos: f32[5,8] = input(name="cos")
        %sin: f32[5,8] = input(name="sin")
"""
HALVES = (
    TABLES
    + """\
        %a: f32[1,2,5,4] = slice(x=%x, starts=[0, 0, 0, 0], ends=[1, 2, 5, 4])
        %b: f32[1,2,5,4] = slice(x=%x, starts=[0, 0, 0, 4], ends=[1, 2, 5, 8])
        %n: f32[1,2,5,4] = neg(x=%b)
        %t: f32[1,2,5,8] = concat(xs=[%n, %a], dim=3)
        %p: f32[1,2,5,8] = mul(a=%x, b=%cos)
        %q: f32[1,2,5,8] = mul(a=%t, b=%sin)
        %y: f32[1,2,5,8] = add(a=%p, b=%q)
        return "y"=%y
"""
)
PAIRS = (
    TABLES
    + """\
        %h: f32[1,2,5,4,2] = reshape(x=%x, shape=[1, 2, 5, 4, 2])
        %a: f32[1,2,5,4,1] = slice(x=%h, starts=[0, 0, 0, 0, 0], ends=[1, 2, 5, 4, 1])
        %b: f32[1,2,5,4,1] = slice(x=%h, starts=[0, 0, 0, 0, 1], ends=[1, 2, 5, 4, 2])
        %b1: f32[1,2,5,4] = reshape(x=%b, shape=[1, 2, 5, 4])
        %n: f32[1,2,5,4] = neg(x=%b1)
        %n1: f32[1,2,5,4,1] = reshape(x=%n, shape=[1, 2, 5, 4, 1])
        %s: f32[1,2,5,4,2] = concat(xs=[%n1, %a], dim=4)
        %t: f32[1,2,5,8] = reshape(x=%s, shape=[1, 2, 5, 8])
        %p: f32[1,2,5,8] = mul(a=%x, b=%cos)
        %q: f32[1,2,5,8] = mul(a=%t, b=%sin)
        %y: f32[1,2,5,8] = add(a=%p, b=%q)
        return "y"=%y
"""
)
COMPLEX = """
        %x: f32[1,5,2,8] = input(name="x")
        %c: f32[5,1,4] = input(name="c")
        %d: f32[5,1,4] = input(name="d")
        %s: f32[5,1,4] = input(name="s")
        %t: f32[5,1,4] = input(name="t")
        %h: f32[1,5,2,4,2] = reshape(x=%x, shape=[1, 5, 2, 4, 2])
        %a1: f32[1,5,2,4,1] = slice(x=%h, starts=[0, 0, 0, 0, 0], ends=[1, 5, 2, 4, 1])
        %b1: f32[1,5,2,4,1] = slice(x=%h, starts=[0, 0, 0, 0, 1], ends=[1, 5, 2, 4, 2])
        %a: f32[1,5,2,4] = reshape(x=%a1, shape=[1, 5, 2, 4])
        %b: f32[1,5,2,4] = reshape(x=%b1, shape=[1, 5, 2, 4])
        %ac: f32[1,5,2,4] = mul(a=%a, b=%c)
        %bs: f32[1,5,2,4] = mul(a=%b, b=%s)
        %p: f32[1,5,2,4] = sub(a=%ac, b=%bs)
        %at: f32[1,5,2,4] = mul(a=%a, b=%t)
        %bd: f32[1,5,2,4] = mul(a=%b, b=%d)
        %q: f32[1,5,2,4] = add(a=%at, b=%bd)
        %p1: f32[1,5,2,4,1] = reshape(x=%p, shape=[1, 5, 2, 4, 1])
        %q1: f32[1,5,2,4,1] = reshape(x=%q, shape=[1, 5, 2, 4, 1])
        %pq: f32[1,5,2,4,2] = concat(xs=[%p1, %q1], dim=4)
        %y: f32[1,5,2,8] = reshape(x=%pq, shape=[1, 5, 2, 8])
        return "y"=%y
"""
STEPS = {
    "%a: f32[1,5,2,4] = reshape(x=%a1, shape=[1, 5, 2, 4])":
    "%a: f32[1,5,2,4] = slice(x=%x, starts=[0, 0, 0, 0], ends=[1, 5, 2, 8], steps=[1, 1, 1, 2])",
    "%b: f32[1,5,2,4] = reshape(x=%b1, shape=[1, 5, 2, 4])":
    "%b: f32[1,5,2,4] = slice(x=%x, starts=[0, 0, 0, 1], ends=[1, 5, 2, 8], steps=[1, 1, 1, 2])",
}  # fmt: skip
"""The same elements as slices with steps."""
AFTER = """\
        %y: f32[1,2,5,8] = rotary(x=%x, cos=%cos, sin=%sin)
        return "y"=%y
"""


def test_halves():
    rewrites(fuse_rotary, HALVES, TABLES + AFTER)


def test_pairs():
    rewrites(fuse_rotary, PAIRS, TABLES + AFTER.replace("sin=%sin", "sin=%sin, pairs=true"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("add(a=%p, b=%q)", "add(a=%q, b=%p)"),
        ("mul(a=%x, b=%cos)", "mul(a=%cos, b=%x)"),
        ("mul(a=%t, b=%sin)", "mul(a=%sin, b=%t)"),
    ],
)
def test_in_any_order(old, new):
    assert HALVES.count(old) == 1
    rewrites(fuse_rotary, HALVES.replace(old, new), TABLES + AFTER)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("add(a=%p, b=%q)", "sub(a=%p, b=%q)"),
        ("neg(x=%b)", "exp(x=%b)"),
        ("neg(x=%b)", "neg(x=%a)"),
        ("xs=[%n, %a], dim=3", "xs=[%a, %n], dim=3"),
        ("xs=[%n, %a], dim=3", "xs=[%n, %b], dim=3"),
        ("slice(x=%x, starts=[0, 0, 0, 0], ends=[1, 2, 5, 4])", "slice(x=%x, starts=[0, 0, 0, 1], ends=[1, 2, 5, 5])"),
        ("slice(x=%x, starts=[0, 0, 0, 4], ends=[1, 2, 5, 8])", "slice(x=%x, starts=[0, 0, 0, 3], ends=[1, 2, 5, 7])"),
        ("%a: f32[1,2,5,4] = slice(x=%x", '%z: f32[1,2,5,8] = input(name="z")\n        %a: f32[1,2,5,4] = slice(x=%z'),
        ("mul(a=%x, b=%cos)", "mul(a=%t, b=%cos)"),
        ('%sin: f32[5,8] = input(name="sin")', '%sin: f32[1,8] = input(name="sin")'),
        ("mul(a=%t, b=%sin)", "add(a=%t, b=%sin)"),
    ],
)
def test_near_misses_of_halves(old, new):
    near_miss(HALVES, old, new, "rotary(", fuse_rotary)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("xs=[%n1, %a], dim=4", "xs=[%a, %n1], dim=4"),
        ("starts=[0, 0, 0, 0, 0], ends=[1, 2, 5, 4, 1]", "starts=[0, 0, 0, 0, 1], ends=[1, 2, 5, 4, 2]"),
        ("starts=[0, 0, 0, 0, 1], ends=[1, 2, 5, 4, 2]", "starts=[0, 0, 0, 0, 0], ends=[1, 2, 5, 4, 1]"),
        ("neg(x=%b1)", "relu(x=%b1)"),
        ("add(a=%p, b=%q)", "maximum(a=%p, b=%q)"),
    ],
)
def test_near_misses_of_pairs(old, new):
    near_miss(PAIRS, old, new, "rotary(", fuse_rotary)


def test_pairs_of_another_value():
    other = '%z: f32[2,5,8] = input(name="z")\n        %h: f32[1,2,5,4,2] = reshape(x=%z'
    near_miss(PAIRS, "%h: f32[1,2,5,4,2] = reshape(x=%x", other, "rotary(", fuse_rotary)


def test_a_table_that_is_larger_stays():
    text = HALVES.replace("[1,2,5,8]", "[1,1,5,8]").replace("[1,2,5,4]", "[1,1,5,4]").replace("1, 2, 5", "1, 1, 5")
    assert "rotary(" in str(fuse_rotary(retyped(text)))
    assert "rotary(" not in str(fuse_rotary(retyped(text.replace("f32[5,8]", "f32[3,5,8]"))))


def complex_by_steps() -> str:
    text = COMPLEX
    for pair, steps in STEPS.items():
        text = text.replace(pair, steps)
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith(("%a1", "%b1", "%h")))


@pytest.mark.parametrize("text", [COMPLEX, complex_by_steps()], ids=["pairs", "steps"])
def test_complex_products(text: str):
    """Tables of even and of odd elements, which alternate in those of the rotary op."""
    before = graph_of(text)
    after = fuse_rotary(before)
    assert [node.op.pairs for node in after.nodes if isinstance(node.op, ops.Rotary)] == [True]
    assert not any(isinstance(node.op, (ops.Mul, ops.Sub, ops.Slice)) for node in after.nodes)
    draw = torch.Generator().manual_seed(0)
    inputs = {name: torch.randn(type.shape, generator=draw) for name, type in before.signature()[0].items()}
    wanted, found = (ops.evaluate(graph, inputs)["y"] for graph in (before, after))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mul(a=%a, b=%c)", "mul(a=%c, b=%a)"),
        ("mul(a=%b, b=%s)", "mul(a=%s, b=%b)"),
        ("mul(a=%b, b=%d)", "mul(a=%d, b=%b)"),
        ("add(a=%at, b=%bd)", "add(a=%bd, b=%at)"),
        ("mul(a=%b, b=%d)", "mul(a=%b, b=%c)"),
    ],
)
def test_complex_products_in_any_order(old: str, new: str):
    assert COMPLEX.count(old) == 1
    assert "rotary(" in str(fuse_rotary(graph_of(COMPLEX.replace(old, new))))


def test_rows_that_are_cut_into_pairs_with_their_heads():
    text = COMPLEX.replace('%x: f32[1,5,2,8] = input(name="x")', '%x: f32[1,5,16] = input(name="x")')
    assert "rotary(" in str(fuse_rotary(graph_of(text)))


EVEN = "starts=[0, 0, 0, 0, 0], ends=[1, 5, 2, 4, 1]"
ODD = "starts=[0, 0, 0, 0, 1], ends=[1, 5, 2, 4, 2]"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sub(a=%ac, b=%bs)", "add(a=%ac, b=%bs)"),
        ("sub(a=%ac, b=%bs)", "sub(a=%bs, b=%ac)"),
        ("add(a=%at, b=%bd)", "sub(a=%at, b=%bd)"),
        ("mul(a=%a, b=%t)", "mul(a=%b, b=%t)"),
        ("mul(a=%b, b=%d)", "mul(a=%a, b=%d)"),
        ("mul(a=%a, b=%t)", "maximum(a=%a, b=%t)"),
        ("xs=[%p1, %q1]", "xs=[%q1, %p1]"),
        (EVEN, ODD),
        (ODD, EVEN),
    ],
)
def test_near_misses_of_complex_products(old: str, new: str):
    assert COMPLEX.count(old) == 1
    assert "rotary(" not in str(fuse_rotary(graph_of(COMPLEX.replace(old, new))))


def test_the_even_columns_twice_are_no_pairs():
    text = complex_by_steps().replace("starts=[0, 0, 0, 1]", "starts=[0, 0, 0, 0]")
    assert "rotary(" not in str(fuse_rotary(graph_of(text)))


def test_every_other_head_is_no_half_of_pairs():
    changes = {
        "[1, 1, 1, 2]": "[1, 1, 2, 1]",
        "f32[1,5,2,8] = input": "f32[1,5,4,4] = input",
        "ends=[1, 5, 2, 8]": "ends=[1, 5, 4, 4]",
        "starts=[0, 0, 0, 1]": "starts=[0, 0, 1, 0]",
    }
    text = complex_by_steps()
    for old, new in changes.items():
        text = text.replace(old, new)
    assert "rotary(" not in str(fuse_rotary(graph_of(text)))


def test_tables_of_one_column_or_of_two_shapes_stay_products():
    for old, new in (("f32[5,1,4] = input", "f32[5,1,1] = input"), ("%t: f32[5,1,4]", "%t: f32[1,1,4]")):
        assert "rotary(" not in str(fuse_rotary(graph_of(COMPLEX.replace(old, new))))
