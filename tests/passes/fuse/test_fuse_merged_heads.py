"""Attention over heads that reshapes merged with the batch, with a bias for each head: relative positions."""

import pytest

from tests.passes.check import agree, body, graph_of, near_miss, retyped
from ttc.passes.fuse.fuse_attention import fuse_attention
from ttc.passes.runner import run
from ttc.passes.simplify.simplify import simplify

INPUTS = """%q4: f32[2,3,5,4] = input(name="q")
%k4: f32[2,3,5,4] = input(name="k")
%v4: f32[2,3,5,4] = input(name="v")
%seen: bool[1,1,5] = literal(data=[true, true, false, true, true])
%low: f32[] = full(value=-inf)
%r: f32[5,4,5] = const(ref="r")
%k: f32[6,5,4] = reshape(x=%k4, shape=[6, 5, 4])
%v: f32[6,5,4] = reshape(x=%v4, shape=[6, 5, 4])
"""
QUERIES = "%q: f32[6,5,4] = reshape(x=%q4, shape=[6, 5, 4])\n"
SCORES = """%kt: f32[6,4,5] = permute(x=%k, dims=[0, 2, 1])
%s: f32[6,5,5] = matmul(a=%q, b=%kt)
"""
BIAS = """%qt: f32[5,6,4] = permute(x=%q, dims=[1, 0, 2])
%z: f32[5,6,5] = matmul(a=%qt, b=%r)
%bias: f32[6,5,5] = permute(x=%z, dims=[1, 0, 2])
"""
CHOSEN = "%d: f32[6,5,5] = add(a=%s, b=%bias)\n%m: f32[6,5,5] = where(condition=%seen, a=%d, b=%low)\n"
SOFTMAX = "%p: f32[6,5,5] = softmax(x=%m, dim=2)\n"
END = '%y: f32[6,5,4] = matmul(a=%p, b=%v)\nreturn "y"=%y'
WHOLE = INPUTS + QUERIES + SCORES + BIAS + CHOSEN + SOFTMAX + END
MADE = "= attention(q=%q4, k=%k4, v=%v4, mask=%"


def test_merged_heads_with_positions_and_a_mask():
    """The mask is the bias, and minus infinity where no key is seen."""
    graph = run((simplify,), graph_of(WHOLE))
    after = run((fuse_attention,), graph, twice=True)
    assert MADE in body(after)
    assert 'empty="nan"' in body(after)
    assert "softmax" not in body(after)
    assert ", b=%low)" in body(after)
    agree(graph, after)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("add(a=%s, b=%bias)", "add(a=%bias, b=%s)"),
        (CHOSEN, "%m: f32[6,5,5] = add(a=%s, b=%bias)\n"),
        (CHOSEN, "%m: f32[6,5,5] = where(condition=%seen, a=%s, b=%low)\n"),
        ("%seen: bool[1,1,5]", "%seen: bool[5]"),
        ("value=-inf", "value=-1e9"),
    ],
)
def test_forms_of_the_scores(old: str, new: str):
    graph = run((simplify,), retyped(WHOLE.replace(old, new)))
    after = run((fuse_attention,), graph, twice=True)
    assert "attention(q=%q4" in body(after)
    agree(graph, after)


SCALED = "%h: f32[] = full(value=0.5)\n%qs: f32[2,3,5,4] = mul(a=%q4, b=%h)\n" + QUERIES.replace("%q4", "%qs")


def test_a_scale_that_the_positions_read_stays():
    """The scaled queries are computed for the positions: attention takes the same ones."""
    shared = WHOLE.replace(QUERIES, SCALED)
    alone = shared.replace(BIAS, '%bias: f32[6,5,5] = input(name="bias")\n')
    for text, queries, scale in ((shared, "%qs", ""), (alone, "%q4", ", scale=0.5")):
        graph = run((simplify,), graph_of(text))
        after = run((fuse_attention,), graph, twice=True)
        (line,) = [line for line in body(after).splitlines() if "attention(" in line]
        assert f"attention(q={queries}," in line
        assert f'{scale}, empty="nan")' in line
        agree(graph, after)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("softmax(x=%m, dim=2)", "softmax(x=%m, dim=1)"),
        ("value=-inf", "value=-1000.0"),
        ("value=-inf", "value=nan"),
        ("a=%d, b=%low", "a=%low, b=%d"),
        ("add(a=%s, b=%bias)", "sub(a=%s, b=%bias)"),
        ("%seen: bool[1,1,5] = literal(data=[true, true, false, true, true])", '%seen: bool[6,1,5] = input(name="c")'),
        ("%k: f32[6,5,4] = reshape(x=%k4, shape=[6, 5, 4])", '%k: f32[6,5,4] = input(name="k3")'),
        ("%v: f32[6,5,4] = reshape(x=%v4, shape=[6, 5, 4])", '%v: f32[6,5,4] = input(name="v3")'),
        ("%v: f32[6,5,4] = reshape(x=%v4, shape=[6, 5, 4])", "%v: f32[6,5,4] = mul(a=%k, b=%k)"),
        ('%v4: f32[2,3,5,4] = input(name="v")', '%v4: f32[3,2,5,4] = input(name="v")'),
        ('%k4: f32[2,3,5,4] = input(name="k")', '%k4: f32[3,2,5,4] = input(name="k")'),
        ('%q4: f32[2,3,5,4] = input(name="q")', '%q4: f32[3,2,5,4] = input(name="q")'),
        ('%k4: f32[2,3,5,4] = input(name="k")', '%k4: f32[2,3,4,5] = input(name="k")'),
        # weights that something else reads, as relative values do
        (END, '%y0: f32[6,5,4] = matmul(a=%p, b=%v)\n%y: f32[6,5,4] = matmul(a=%p, b=%y0)\nreturn "y"=%y'),
    ],
)
def test_near_misses_of_merged_heads(old: str, new: str):
    near_miss(WHOLE, old, new, "attention(", simplify, fuse_attention)


BROAD = """%q: f32[2,3,5,4] = input(name="q")
%k: f32[2,3,5,4] = input(name="k")
%v: f32[2,3,5,4] = input(name="v")
%seen: bool[1,1,1,5] = literal(data=[true, true, false, true, true])
%other: bool[1,1,5,5] = input(name="other")
%zero: f32[] = full(value=0.0)
%low: f32[] = full(value=-inf)
%bias: f32[1,3,5,5] = const(ref="bias")
%kt: f32[2,3,4,5] = permute(x=%k, dims=[0, 1, 3, 2])
%s: f32[2,3,5,5] = matmul(a=%q, b=%kt)
%d: f32[2,3,5,5] = add(a=%s, b=%bias)
%m: f32[2,3,5,5] = where(condition=%seen, a=%d, b=%low)
%p: f32[2,3,5,5] = softmax(x=%m, dim=3)
%y: f32[2,3,5,4] = matmul(a=%p, b=%v)
return "y"=%y"""
"""Heads that nothing merged, with a bias under a mask."""


@pytest.mark.parametrize("branches", ["condition=%seen, a=%d, b=%low", "condition=%seen, a=%low, b=%d"])
@pytest.mark.parametrize("low", ["-inf", "-1e9"])
def test_a_bias_under_a_mask(branches: str, low: str):
    text = BROAD.replace("condition=%seen, a=%d, b=%low", branches).replace("value=-inf", f"value={low}")
    graph = run((simplify,), retyped(text))
    after = run((fuse_attention,), graph, twice=True)
    assert "attention(q=%q, k=%k, v=%v, mask=%" in body(after)
    agree(graph, after)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value=-inf", "value=-1000.0"),
        ('const(ref="bias")', "where(condition=%other, a=%zero, b=%low)"),  # two masks
        ("add(a=%s, b=%bias)", "mul(a=%s, b=%bias)"),
    ],
)
def test_near_misses_of_a_bias_under_a_mask(old: str, new: str):
    near_miss(BROAD, old, new, "attention(", simplify, fuse_attention)
