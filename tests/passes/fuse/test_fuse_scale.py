import pytest

from tests.passes.check import agree, body, leaves, near_miss, retyped, rewrites
from ttc.passes.fuse.fuse_scale import fuse_scale
from ttc.passes.runner import run

LINEAR = """
        %x: f32[4,8] = input(name="x")
        %w: f32[16,8] = const(ref="w")
        %b: f32[16] = const(ref="b")
"""


def test_quick_gelu():
    rewrites(
        fuse_scale,
        LINEAR
        + """\
        %c: f32[] = full(value=2.0)
        %p: f32[4,16] = linear(x=%x, w=%w, bias=%b)
        %s: f32[4,16] = mul(a=%p, b=%c)
        %g: f32[4,16] = sigmoid(x=%s)
        %y: f32[4,16] = mul(a=%p, b=%g)
        return "y"=%y
        """,
        LINEAR
        + """\
        %c: f32[] = full(value=2.0)
        %w_0: f32[16,8] = mul(a=%w, b=%c)
        %b_0: f32[16] = mul(a=%b, b=%c)
        %y: f32[4,16] = linear(x=%x, w=%w_0, bias=%b_0)
        %y_0: f32[4,16] = silu(x=%y)
        %y_1: f32[] = full(value=0.5)
        %y_2: f32[4,16] = mul(a=%y_0, b=%y_1)
        return "y"=%y_2
        """,
    )


def test_factor_after_and_before():
    rewrites(
        fuse_scale,
        LINEAR
        + """\
        %c: f32[] = full(value=3.0)
        %s: f32[4,8] = mul(a=%x, b=%c)
        %y: f32[4,16] = linear(x=%s, w=%w, bias=%b)
        return "y"=%y
        """,
        LINEAR
        + """\
        %c: f32[] = full(value=3.0)
        %w_0: f32[16,8] = mul(a=%w, b=%c)
        %y: f32[4,16] = linear(x=%x, w=%w_0, bias=%b)
        return "y"=%y
        """,
    )
    rewrites(
        fuse_scale,
        LINEAR
        + """\
        %c: f32[] = full(value=3.0)
        %p: f32[4,16] = linear(x=%x, w=%w)
        %y: f32[4,16] = mul(a=%p, b=%c)
        return "y"=%y
        """,
        """
        %x: f32[4,8] = input(name="x")
        %w: f32[16,8] = const(ref="w")
        %c: f32[] = full(value=3.0)
        %w_0: f32[16,8] = mul(a=%w, b=%c)
        %y: f32[4,16] = linear(x=%x, w=%w_0)
        return "y"=%y
        """,
    )


def test_a_product_with_another_reader_stays():
    leaves(
        fuse_scale,
        LINEAR
        + """\
        %c: f32[] = full(value=3.0)
        %p: f32[4,16] = linear(x=%x, w=%w, bias=%b)
        %y: f32[4,16] = mul(a=%p, b=%c)
        return "y"=%y, "p"=%p
        """,
    )


ATTENTION = """
        %x: f32[1,4,8] = input(name="x")
        %m: f32[1,1,4,4] = input(name="m")
        %k: f32[1,2,4,4] = input(name="k")
        %w: f32[8,8] = const(ref="w")
"""


def test_masked_attention_takes_scaled_queries():
    rewrites(
        fuse_scale,
        ATTENTION
        + """\
        %p: f32[1,4,8] = linear(x=%x, w=%w)
        %r: f32[1,4,2,4] = reshape(x=%p, shape=[1, 4, 2, 4])
        %q: f32[1,2,4,4] = permute(x=%r, dims=[0, 2, 1, 3])
        %y: f32[1,2,4,4] = attention(q=%q, k=%k, v=%k, mask=%m, scale=0.5)
        return "y"=%y
        """,
        ATTENTION
        + """\
        %y: f32[] = full(value=0.5)
        %w_0: f32[8,8] = mul(a=%w, b=%y)
        %y_0: f32[1,4,8] = linear(x=%x, w=%w_0)
        %y_1: f32[1,4,2,4] = reshape(x=%y_0, shape=[1, 4, 2, 4])
        %y_2: f32[1,2,4,4] = permute(x=%y_1, dims=[0, 2, 1, 3])
        %y_3: f32[1,2,4,4] = attention(q=%y_2, k=%k, v=%k, mask=%m)
        return "y"=%y_3
        """,
    )


def test_attention_without_a_mask_keeps_its_scale():
    leaves(
        fuse_scale,
        ATTENTION
        + """\
        %p: f32[1,4,8] = linear(x=%x, w=%w)
        %r: f32[1,4,2,4] = reshape(x=%p, shape=[1, 4, 2, 4])
        %q: f32[1,2,4,4] = permute(x=%r, dims=[0, 2, 1, 3])
        %y: f32[1,2,4,4] = attention(q=%q, k=%k, v=%k, scale=0.5)
        return "y"=%y, "m"=%m
        """,
    )


QUICK = (
    LINEAR
    + """
%c: f32[] = full(value=2.0)
%p: f32[4,16] = linear(x=%x, w=%w, bias=%b)
%s: f32[4,16] = mul(a=%p, b=%c)
%g: f32[4,16] = sigmoid(x=%s)
%y: f32[4,16] = mul(a=%p, b=%g)
return "y"=%y"""
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("linear(x=%x, w=%w, bias=%b)", 'linear(x=%x, w=%w, bias=%b, activation="relu")'),
        ("full(value=2.0)", "full(value=0.0)"),
        ("full(value=2.0)", 'input(name="c")'),
        ("full(value=2.0)", 'const(ref="c")'),
        ("mul(a=%p, b=%g)", "add(a=%p, b=%g)"),
        ("mul(a=%p, b=%g)", "mul(a=%s, b=%g)"),
        ("sigmoid(x=%s)", "tanh(x=%s)"),
        ("mul(a=%p, b=%c)", "add(a=%p, b=%c)"),
        ('"y"=%y', '"y"=%y, "p"=%p'),
        ('"y"=%y', '"y"=%y, "s"=%s'),
        ('"y"=%y', '"y"=%y, "g"=%g'),
    ],
)
def test_near_misses_of_a_gate(old, new):
    near_miss(QUICK, old, new, "silu(", fuse_scale)


AFTER = (
    LINEAR
    + """
%c: f32[] = full(value=3.0)
%p: f32[4,16] = linear(x=%x, w=%w, bias=%b)
%y: f32[4,16] = mul(a=%p, b=%c)
return "y"=%y"""
)
BEFORE = (
    LINEAR
    + """
%c: f32[] = full(value=3.0)
%s: f32[4,8] = mul(a=%x, b=%c)
%y: f32[4,16] = linear(x=%s, w=%w, bias=%b)
return "y"=%y"""
)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (AFTER, "linear(x=%x, w=%w, bias=%b)", 'linear(x=%x, w=%w, bias=%b, activation="gelu")'),
        (AFTER, "full(value=3.0)", 'const(ref="c")'),
        (AFTER, "%c: f32[] = full(value=3.0)", "%c: f32[2,1,1] = full(value=3.0)"),  # makes the result wider
        (AFTER, "mul(a=%p, b=%c)", "add(a=%p, b=%c)"),
        (AFTER, '"y"=%y', '"y"=%y, "p"=%p'),
        (BEFORE, "full(value=3.0)", 'const(ref="c")'),
        (BEFORE, "%c: f32[] = full(value=3.0)", "%c: f32[2,1,1] = full(value=3.0)"),
        (BEFORE, "mul(a=%x, b=%c)", "add(a=%x, b=%c)"),
        (BEFORE, '%w: f32[16,8] = const(ref="w")', '%w: f32[16,8] = input(name="w")'),
        (BEFORE, '"y"=%y', '"y"=%y, "s"=%s'),
    ],
)
def test_near_misses_of_a_factor(text, old, new):
    near_miss(text, old, new, "mul(a=%w, b=%c)", fuse_scale)


def test_a_zero_factor():
    for text in (AFTER, BEFORE):
        graph = retyped(text.replace("3.0", "0.0"))
        agree(graph, run((fuse_scale,), graph, twice=True))


HEADS = (
    ATTENTION
    + """
%p: f32[1,4,8] = linear(x=%x, w=%w)
%r: f32[1,4,2,4] = reshape(x=%p, shape=[1, 4, 2, 4])
%q: f32[1,2,4,4] = permute(x=%r, dims=[0, 2, 1, 3])
%y: f32[1,2,4,4] = attention(q=%q, k=%k, v=%k, mask=%m, scale=0.5)
return "y"=%y, "m"=%m"""
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mask=%m, scale=0.5", "scale=0.5"),
        ("mask=%m, scale=0.5", "mask=%m"),
        ("linear(x=%x, w=%w)", 'linear(x=%x, w=%w, activation="relu")'),
        ("linear(x=%x, w=%w)", "matmul(a=%x, b=%w)"),
        ('"y"=%y', '"y"=%y, "p"=%p'),
        ('"y"=%y', '"y"=%y, "r"=%r'),
        ('"y"=%y', '"y"=%y, "q"=%q'),
    ],
)
def test_near_misses_of_scaled_queries(old, new):
    near_miss(HEADS, old, new, "mul(a=%w", fuse_scale)


def test_a_bias_is_scaled_with_its_weight():
    text = HEADS.replace("linear(x=%x, w=%w)", "linear(x=%x, w=%w, bias=%b)").replace(
        "%p:", '%b: f32[8] = const(ref="b")\n%p:'
    )
    after = run((fuse_scale,), graph := retyped(text), twice=True)
    assert "mul(a=%b" in body(after)
    agree(graph, after)
