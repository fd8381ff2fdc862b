"""Masks that surely let a key through: what is proven, and what is one step beyond."""

import pytest

from tests.passes.check import body, near_miss, retyped
from ttc.passes.fuse.fuse_attention import fuse_attention
from ttc.passes.runner import run

MASK = """%q: f32[2,4,1,8] = input(name="q")
%k: f32[2,4,4,8] = input(name="k")
%start: i64[1] = input(name="start")
%given: i64[2,4] = input(name="given")
%line: i64[4] = literal(data=[0, 1, 2, 3])
%place: i64[1] = clamp(x=%start, low=0, high=3)
%own: bool[4] = eq(a=%place, b=%line)
%one: i64[] = full(value=1)
%rows: i64[2,4] = where(condition=%own, a=%one, b=%given)
%seen: bool[2,4] = cast(x=%rows, dtype=bool)
%at: i64[1,1,1,1] = reshape(x=%place, shape=[1, 1, 1, 1])
%early: bool[1,1,1,4] = le(a=%line, b=%at)
%wide: bool[2,1,1,4] = reshape(x=%seen, shape=[2, 1, 1, 4])
%m: bool[2,1,1,4] = and(a=%early, b=%wide)
%y: f32[2,4,1,8] = attention(q=%q, k=%k, v=%k, mask=%m, scale=0.5)
return "y"=%y"""
NEVER = 'empty="never"'

WAYS = [
    ("le(a=%line, b=%at)", "ge(a=%at, b=%line)"),
    ("eq(a=%place, b=%line)", "eq(a=%line, b=%place)"),
    ("and(a=%early, b=%wide)", "or(a=%early, b=%wide)"),
    ("and(a=%early, b=%wide)", "and(a=%early, b=%early)"),
    ("value=1)", "value=-1)"),
    ("high=3)", "high=2)"),
]


@pytest.mark.parametrize(("old", "new"), [("%m:", "%m:"), *WAYS])
def test_the_key_at_a_position_is_seen(old: str, new: str):
    assert old in MASK
    assert NEVER in body(run((fuse_attention,), retyped(MASK.replace(old, new)), twice=True))


NEAR = [
    ("high=3)", "high=4)"),
    ("low=0,", "low=-1,"),
    ("data=[0, 1, 2, 3]", "data=[0, 1, 2, 2]"),
    ("data=[0, 1, 2, 3]", "data=[1, 2, 3, 4]"),
    ("le(a=%line, b=%at)", "lt(a=%line, b=%at)"),
    ("le(a=%line, b=%at)", "ge(a=%line, b=%at)"),
    ("value=1)", "value=0)"),
    ("a=%one, b=%given", "a=%given, b=%one"),
    ("reshape(x=%place", "reshape(x=%start"),
    ("cast(x=%rows,", "cast(x=%given,"),
    ("scale=0.5)", "scale=0.5, causal=true)"),
]


@pytest.mark.parametrize(("old", "new"), NEAR)
def test_no_key_is_surely_seen(old: str, new: str):
    near_miss(MASK, old, new, NEVER, fuse_attention)
