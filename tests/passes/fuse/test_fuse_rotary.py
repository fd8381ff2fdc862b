import pytest

from tests.passes.check import near_miss, retyped, rewrites
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
