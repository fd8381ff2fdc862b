from tests.passes.check import leaves, rewrites
from ttc.passes.fuse_scale import fuse_scale

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
