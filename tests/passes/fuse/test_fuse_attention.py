import math

import pytest
import torch

from tests.passes.check import agree, body, graph_of, near_miss, random, retyped
from ttc import ops
from ttc.ir import Builder, DType, TensorType
from ttc.passes.fuse.fuse_attention import _bound, fuse_attention
from ttc.passes.runner import run
from ttc.passes.simplify.simplify import simplify

HEAD = """%q0: f32[2,5,3,4] = input(name="q")
%k0: f32[2,5,3,4] = input(name="k")
%v: f32[2,3,5,4] = input(name="v")
%q: f32[2,3,5,4] = permute(x=%q0, dims=[0, 2, 1, 3])
%kt: f32[2,3,4,5] = permute(x=%k0, dims=[0, 2, 3, 1])
%two: f32[] = full(value=2.0)
%half: f32[] = full(value=0.5)
%root: f32[] = full(value=0.7071067811865476)
"""
SOFTMAX = "%p: f32[2,3,5,5] = softmax(x=%m, dim=3)\n"
END = '%y: f32[2,3,5,4] = matmul(a=%p, b=%v)\nreturn "y"=%y'
PLAIN = "%s: f32[2,3,5,5] = matmul(a=%q, b=%kt)\n"
SCALED = {
    "divided": PLAIN + "%m: f32[2,3,5,5] = div(a=%s, b=%two)\n",
    "multiplied": PLAIN + "%m: f32[2,3,5,5] = mul(a=%half, b=%s)\n",
    "query": "%qs: f32[2,3,5,4] = mul(a=%q, b=%half)\n%m: f32[2,3,5,5] = matmul(a=%qs, b=%kt)\n",
    "split": "%qs: f32[2,3,5,4] = mul(a=%q, b=%root)\n%ks: f32[2,3,4,5] = mul(a=%kt, b=%root)\n"
    "%m: f32[2,3,5,5] = matmul(a=%qs, b=%ks)\n",
    "projection": "%qs0: f32[2,5,3,4] = mul(a=%q0, b=%half)\n%qs: f32[2,3,5,4] = permute(x=%qs0, dims=[0, 2, 1, 3])\n"
    "%m: f32[2,3,5,5] = matmul(a=%qs, b=%kt)\n",
}


def last(graph):
    return body(graph).splitlines()[-2].split(" = ")[1]


@pytest.mark.parametrize("scores", SCALED.values(), ids=SCALED)
def test_wherever_the_scale_is(scores):
    graph = run((simplify,), graph_of(HEAD + scores + SOFTMAX + END))
    after = run((fuse_attention,), graph, twice=True)
    assert last(after) in ("attention(q=%q, k=%y, v=%v, scale=0.5)", "attention(q=%y, k=%y_0, v=%v, scale=0.5)") or (
        "scale=0.5000000" in last(after)
    )
    assert "mul(" not in body(after)
    assert "softmax" not in body(after)
    agree(graph, after)


STEPS = {
    "neg": lambda b, x, one, cond: ops.Neg(x),
    "where, chosen": lambda b, x, one, cond: ops.Where(cond, x, one),
    "where, else": lambda b, x, one, cond: ops.Where(cond, one, x),
    "first factor": lambda b, x, one, cond: ops.Mul(x, one),
    "second factor": lambda b, x, one, cond: ops.Mul(one, x),
    "part": lambda b, x, one, cond: ops.Concat((one, x), 0),
}


@pytest.mark.parametrize(("count", "bound"), [(0, 2.5), (7, 2.5), (8, math.inf)])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_masks_are_followed_through_eight_ops(step, count: int, bound: float):
    b = Builder()
    one = b(ops.Full(TensorType(DType.f32, ()), 1.0))
    mask = b(ops.Full(TensorType(DType.f32, (3,)), -2.5))
    for _ in range(count):
        side = b(ops.Full(TensorType(DType.f32, (1,)), 1.0)) if step is STEPS["part"] else one
        mask = b(step(b, mask, side, b(ops.Full(TensorType(DType.bool, ()), True))))
    assert _bound(mask) == bound


def test_sums_are_bounded_by_the_sum_of_bounds():
    b = Builder()
    x, y = (b(ops.Full(TensorType(DType.f32, (3,)), number)) for number in (-2.5, 3.0))
    assert _bound(b(ops.Add(x, y))) == _bound(b(ops.Sub(x, y))) == 5.5
    assert _bound(b(ops.Mul(x, y))) == 7.5


MASK = '%mask: f32[2,1,1,5] = input(name="mask")\n'


@pytest.mark.parametrize("sides", ["a=%d, b=%mask", "a=%mask, b=%d"])
def test_added_mask(sides):
    scores = SCALED["divided"].replace("%m:", "%d:") + MASK + f"%m: f32[2,3,5,5] = add({sides})\n"
    graph = run((simplify,), graph_of(HEAD + scores + SOFTMAX + END))
    after = run((fuse_attention,), graph, twice=True)
    assert last(after) == 'attention(q=%q, k=%y, v=%v, mask=%mask, scale=0.5, empty="nan")'
    agree(graph, after)


@pytest.mark.parametrize("low", ["-inf", "-3.4028234663852886e+38", "-1000000000.0"])
def test_chosen_mask(low):
    scores = SCALED["divided"].replace("%m:", "%d:")
    scores += '%keep: bool[2,1,5,5] = input(name="keep")\n'
    scores += f"%low: f32[] = full(value={low})\n%m: f32[2,3,5,5] = where(condition=%keep, a=%d, b=%low)\n"
    graph = run((simplify,), graph_of(HEAD + scores + SOFTMAX + END))
    after = run((fuse_attention,), graph, twice=True)
    assert "attention(q=%q, k=%y, v=%v, mask=%" in last(after)
    agree(graph, after)


GUARD = (
    "%zero: f32[] = full(value=0.0)\n%n: bool[2,3,5,5] = is_nan(x=%p0)\n"
    "%p: f32[2,3,5,5] = where(condition=%n, a=%zero, b=%p0)\n"
)


CHOSEN = """%c: bool[1,1,5,5] = input(name="c")
%low: f32[] = full(value=LOW)
%zero0: f32[] = full(value=0.0)
%mask: f32[1,1,5,5] = where(condition=%c, a=%low, b=%zero0)
"""


@pytest.mark.parametrize(
    ("mask", "never_empty"),
    [
        ("", True),
        (CHOSEN.replace("LOW", "-1e4"), True),
        (CHOSEN.replace("LOW", "-inf"), False),
        ("%mask: f32[5] = literal(data=[0.0, 0.0, -inf, -inf, 0.0])\n", True),
        ("%mask: f32[2,1,1,5] = literal(data=[0.0, 0.0, 0.0, 0.0, 0.0, -inf, -inf, -inf, -inf, -inf])\n", False),
        (MASK, False),
    ],
)
@pytest.mark.parametrize("guarded", [False, True])
def test_a_wholly_masked_row_is_nan_or_what_a_guard_makes_of_it(mask, never_empty, guarded):
    scores = SCALED["divided"]
    if mask:
        scores = scores.replace("%m:", "%d:") + mask + "%m: f32[2,3,5,5] = add(a=%d, b=%mask)\n"
    softmax = SOFTMAX.replace("%p:", "%p0:") + GUARD if guarded else SOFTMAX
    graph = run((simplify,), graph_of(HEAD + scores + softmax + END))
    after = run((fuse_attention,), graph, twice=True)
    assert "attention(" in last(after)
    assert ('empty="nan"' in last(after)) is not (guarded or never_empty)
    agree(graph, after)


@pytest.mark.parametrize("guarded", [False, True])
def test_rows_of_minus_infinity_given_at_run_time(guarded):
    scores = SCALED["divided"].replace("%m:", "%d:") + MASK + "%m: f32[2,3,5,5] = add(a=%d, b=%mask)\n"
    softmax = SOFTMAX.replace("%p:", "%p0:") + GUARD if guarded else SOFTMAX
    graph = run((simplify,), graph_of(HEAD + scores + softmax + END))
    after = run((fuse_attention,), graph, twice=True)
    inputs = {value.op.name: random(value.type, value.op.name) for value in graph.inputs}
    rows = inputs["mask"].reshape(-1, 5)
    rows[0, :] = -torch.inf
    rows[-1, 1:] = -torch.inf
    expected, actual = (ops.evaluate(g, inputs)["y"] for g in (graph, after))
    assert torch.allclose(actual, expected, atol=1e-6, equal_nan=True)
    assert bool(expected.isnan().any()) is not guarded


def test_repeated_heads_are_taken_back():
    lines = """%q: f32[2,4,5,8] = input(name="q")
%k: f32[2,2,5,8] = input(name="k")
%v: f32[2,2,5,8] = input(name="v")
"""
    for name in "kv":
        lines += f"%{name}1: f32[2,2,1,5,8] = reshape(x=%{name}, shape=[2, 2, 1, 5, 8])\n"
        lines += f"%{name}2: f32[2,2,2,5,8] = expand(x=%{name}1, shape=[2, 2, 2, 5, 8])\n"
        lines += f"%{name}3: f32[2,4,5,8] = reshape(x=%{name}2, shape=[2, 4, 5, 8])\n"
    graph = graph_of(lines + '%y: f32[2,4,5,8] = attention(q=%q, k=%k3, v=%v3, scale=0.5)\nreturn "y"=%y')
    after = run((fuse_attention,), graph, twice=True)
    assert last(after) == "attention(q=%q, k=%k, v=%v, scale=0.5)"
    agree(graph, after)


FUSES = HEAD + SCALED["divided"] + SOFTMAX + END
ADDED = (
    HEAD + SCALED["divided"].replace("%m:", "%d:") + MASK + "%m: f32[2,3,5,5] = add(a=%d, b=%mask)\n" + SOFTMAX + END
)
LOW = "%low: f32[] = full(value=-1000000000.0)\n"
CHOSEN = (
    HEAD
    + SCALED["divided"].replace("%m:", "%d:")
    + '%keep: bool[2,1,5,5] = input(name="keep")\n'
    + LOW
    + "%m: f32[2,3,5,5] = where(condition=%keep, a=%d, b=%low)\n"
    + SOFTMAX
    + END
)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (FUSES, "dim=3", "dim=2"),
        (FUSES, "dim=3", "dim=1"),
        (FUSES, "permute(x=%k0, dims=[0, 2, 3, 1])", 'input(name="kt")'),  # nothing transposes k
        (FUSES, "full(value=2.0)", 'input(name="two")'),
        (FUSES, "full(value=2.0)", "full(value=0.0)"),
        (FUSES, "div(a=%s, b=%two)", "mul(a=%s, b=%s)"),
        (FUSES, "div(a=%s, b=%two)", "div(a=%two, b=%s)"),
        (FUSES, '%q0: f32[2,5,3,4] = input(name="q")', '%q0: f32[1,5,3,4] = input(name="q")'),
        (FUSES, '%k0: f32[2,5,3,4] = input(name="k")', '%k0: f32[1,5,3,4] = input(name="k")'),
        (FUSES, '%v: f32[2,3,5,4] = input(name="v")', '%v: f32[1,3,5,4] = input(name="v")'),
        (FUSES, '%v: f32[2,3,5,4] = input(name="v")', '%v: f32[2,1,5,4] = input(name="v")'),
        (FUSES, '%v: f32[2,3,5,4] = input(name="v")', '%v: f32[5,4] = input(name="v")'),
        (FUSES, "softmax(x=%m, dim=3)", "log_softmax(x=%m, dim=3)"),
        (FUSES, "matmul(a=%p, b=%v)", "matmul(a=%v, b=%kt)"),
        (ADDED, "add(a=%d, b=%mask)", "sub(a=%d, b=%mask)"),
        (ADDED, "add(a=%d, b=%mask)", "sub(a=%mask, b=%d)"),
        (CHOSEN, "-1000000000.0", "-999999999.0"),
        (CHOSEN, "-1000000000.0", "-10000.0"),
        (CHOSEN, "-1000000000.0", "1000000000.0"),
        (CHOSEN, "-1000000000.0", "nan"),
        (CHOSEN, LOW, '%low: f32[] = input(name="low")\n'),
    ],
)
def test_near_misses(text, old, new):
    near_miss(text, old, new, "attention(", simplify, fuse_attention)


@pytest.mark.parametrize(
    "mask", ['%mask: f32[2,1,1,5] = input(name="mask")', '%mask: f32[2,3,5,5] = input(name="mask")',
             '%mask: f32[5] = input(name="mask")', '%mask: f32[5,1] = input(name="mask")']
)  # fmt: skip
def test_masks_that_broadcast(mask):
    graph = run((simplify,), retyped(ADDED.replace(MASK.strip(), mask)))
    after = run((fuse_attention,), graph, twice=True)
    assert "mask=%" in last(after)
    agree(graph, after)


def one_sample(text: str) -> str:
    return text.replace('[2,5,3,4] = input(name="q")', '[1,5,3,4] = input(name="q")').replace(
        '[2,5,3,4] = input(name="k")', '[1,5,3,4] = input(name="k")'
    )


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (ADDED, '%mask: f32[2,1,1,5] = input(name="mask")', '%mask: f32[1,1,1,5] = input(name="mask")'),
        (CHOSEN, '%keep: bool[2,1,5,5] = input(name="keep")', '%keep: bool[1,1,5,5] = input(name="keep")'),
    ],
)
@pytest.mark.parametrize("values", ["1", "2"])
def test_a_mask_that_widens_the_scores_stays(text, old, new, values):
    """Two masks for one sample make two samples: the scores alone have only one."""
    wide = one_sample(text).replace("%v: f32[2,3,5,4]", f"%v: f32[{values},3,5,4]")
    narrow = wide.replace(old, new).replace("%v: f32[2,3,5,4]", "%v: f32[1,3,5,4]")
    for source, fuses in ((wide, False), (narrow, True)):
        graph = run((simplify,), retyped(source))
        after = run((fuse_attention,), graph, twice=True)
        assert ("attention(" in body(after)) is fuses
        agree(graph, after)


def test_excluded_scores_may_stand_first():
    text = CHOSEN.replace("a=%d, b=%low", "a=%low, b=%d")
    after = run((fuse_attention,), graph := run((simplify,), retyped(text)), twice=True)
    assert "attention(q=%q, k=%y, v=%v, mask=%" in last(after)
    agree(graph, after)


def test_keys_that_are_weights_need_no_permutation():
    text = FUSES.replace("permute(x=%k0, dims=[0, 2, 3, 1])", 'const(ref="kt")')
    after = run((fuse_attention,), graph := run((simplify,), retyped(text)), twice=True)
    assert last(after).startswith("attention(q=%q, k=%")
    agree(graph, after)


def test_one_head_of_keys_for_all_queries_is_left_to_the_products():
    text = FUSES.replace('[2,5,3,4] = input(name="k")', '[2,5,1,4] = input(name="k")')
    graph = run((simplify,), retyped(text.replace("%v: f32[2,3,5,4]", "%v: f32[2,1,5,4]")))
    after = run((fuse_attention,), graph, twice=True)
    assert "attention(" not in body(after)
    agree(graph, after)


def test_three_dimensions_stay():
    text = """%q: f32[2,5,4] = input(name="q")
        %k: f32[2,5,4] = input(name="k")
        %kt: f32[2,4,5] = permute(x=%k, dims=[0, 2, 1])
        %s: f32[2,5,5] = matmul(a=%q, b=%kt)
        %p: f32[2,5,5] = softmax(x=%s, dim=2)
        %y: f32[2,5,4] = matmul(a=%p, b=%q)
        return "y"=%y"""
    graph = graph_of(text)
    assert fuse_attention(graph) is graph


GUARDED = HEAD + SCALED["divided"] + SOFTMAX.replace("%p:", "%p0:") + GUARD + END


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("%zero: f32[] = full(value=0.0)", "%zero: f32[] = full(value=1.0)"),
        ("%zero: f32[] = full(value=0.0)", '%zero: f32[] = input(name="zero")'),
        ("is_nan(x=%p0)", "is_nan(x=%m)"),
        ("is_nan(x=%p0)", "gt(a=%p0, b=%half)"),
        ("a=%zero, b=%p0", "a=%p0, b=%zero"),
        ("dim=3", "dim=2"),
    ],
)
def test_near_misses_of_a_guard(old, new):
    near_miss(GUARDED, old, new, "attention(", simplify, fuse_attention)


REPEATED = """%q: f32[2,4,4,8] = input(name="q")
%k: f32[2,2,4,8] = input(name="k")
%v: f32[2,2,4,8] = input(name="v")
%k1: f32[2,2,1,4,8] = reshape(x=%k, shape=[2, 2, 1, 4, 8])
%k2: f32[2,2,2,4,8] = expand(x=%k1, shape=[2, 2, 2, 4, 8])
%k3: f32[2,4,4,8] = reshape(x=%k2, shape=[2, 4, 4, 8])
%v1: f32[2,2,1,4,8] = reshape(x=%v, shape=[2, 2, 1, 4, 8])
%v2: f32[2,2,2,4,8] = expand(x=%v1, shape=[2, 2, 2, 4, 8])
%v3: f32[2,4,4,8] = reshape(x=%v2, shape=[2, 4, 4, 8])
%y: f32[2,4,4,8] = attention(q=%q, k=%k3, v=%v3, scale=0.5)
return "y"=%y"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v=%v3", "v=%q"),
        ("k=%k3", "k=%q"),
        ("reshape(x=%k, shape=[2, 2, 1, 4, 8])", "reshape(x=%k, shape=[2, 1, 2, 4, 8])"),  # heads in another order
        ('%v: f32[2,2,4,8] = input(name="v")', '%v: f32[2,4,2,8] = input(name="v")'),  # not heads before, either
        ('%k: f32[2,2,4,8] = input(name="k")', '%k: f32[4,4,8] = input(name="k")'),
    ],
)
def test_near_misses_of_repeated_heads(old, new):
    near_miss(REPEATED, old, new, "attention(q=%q, k=%k, v=%v, scale=0.5)", fuse_attention)


def test_keys_and_values_of_other_groups_stay():
    """One head of keys for all, and one of values for each two: no attention has that."""
    text = REPEATED.replace("%k: f32[2,2,4,8]", "%k: f32[2,1,4,8]").replace(
        "[2, 2, 1, 4, 8])\n%k2", "[2, 1, 1, 4, 8])\n%k2"
    )
    text = text.replace("expand(x=%k1, shape=[2, 2, 2, 4, 8])", "expand(x=%k1, shape=[2, 1, 4, 4, 8])")
    graph = retyped(text)
    assert fuse_attention(graph) is graph


def test_a_batch_that_was_repeated_stays():
    text = REPEATED.replace("%k: f32[2,2,4,8]", "%k: f32[1,2,4,8]").replace(
        "[2, 2, 1, 4, 8])\n%k2", "[1, 2, 1, 4, 8])\n%k2"
    )
    graph = retyped(text)
    assert fuse_attention(graph) is graph


def test_a_wholly_masked_row_still_gives_zero():
    scores = SCALED["divided"].replace("%m:", "%d:") + (
        '%c: bool[1,1,5,5] = input(name="c")\n%low: f32[] = full(value=-inf)\n%zero0: f32[] = full(value=0.0)\n'
        "%mask: f32[1,1,5,5] = where(condition=%c, a=%low, b=%zero0)\n%m: f32[2,3,5,5] = add(a=%d, b=%mask)\n"
    )
    graph = run((simplify,), graph_of(HEAD + scores + SOFTMAX.replace("%p:", "%p0:") + GUARD + END))
    after = run((fuse_attention,), graph, twice=True)
    inputs = {value.op.name: random(value.type, value.op.name) for value in graph.inputs}
    inputs["c"] = torch.zeros(1, 1, 5, 5, dtype=torch.bool)
    inputs["c"][..., 2, :] = True
    inputs["c"][..., 3, 1:] = True
    expected, actual = (ops.evaluate(g, inputs)["y"] for g in (graph, after))
    assert not expected[:, :, 2].any()
    assert torch.equal(actual[:, :, 2], expected[:, :, 2])
    assert torch.allclose(actual, expected, atol=1e-6)


def test_repeated_heads_of_a_view():
    """Heads that are a view of something else are given their shape."""
    text = REPEATED.replace('%k: f32[2,2,4,8] = input(name="k")', '%k: f32[4,4,8] = input(name="k")')
    found = str(fuse_attention(retyped(text)))
    assert "reshape(x=%k, shape=[2, 2, 4, 8])" in found
    assert "expand" not in found
