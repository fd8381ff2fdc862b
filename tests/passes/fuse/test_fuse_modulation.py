import pytest

from tests.passes.check import agree, leaves, near_miss, retyped, rewrites
from ttc import ops
from ttc.passes.fuse.fuse_modulation import fuse_modulation

HEAD = """
        %x: f32[1,8] = input(name="x")
        %w: f32[16,8] = const(ref="w")
        %b: f32[16] = const(ref="b")
        %c: f32[16,1] = const(ref="c")
"""
SCALED = (
    HEAD
    + """\
        %p: f32[1,16] = linear(x=%x, w=%w, bias=%b)
        %r: f32[1,16,1] = reshape(x=%p, shape=[1, 16, 1])
        %y: f32[1,16,1] = mul(a=%r, b=%c)
        return "y"=%y
"""
)


def test_a_scaled_style():
    rewrites(
        fuse_modulation,
        SCALED,
        HEAD
        + """\
        %c_0: f32[16] = reshape(x=%c, shape=[16])
        %w_0: f32[16,8] = mul(a=%w, b=%c)
        %b_0: f32[16] = mul(a=%b, b=%c_0)
        %y: f32[1,16] = linear(x=%x, w=%w_0, bias=%b_0)
        %y_0: f32[1,16,1] = reshape(x=%y, shape=[1, 16, 1])
        return "y"=%y_0
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('%c: f32[16,1] = const(ref="c")', '%c: f32[16,1] = input(name="c")'),
        ('%c: f32[16,1] = const(ref="c")', "%c: f32[] = full(value=3.0)"),
        ('%c: f32[16,1] = const(ref="c")', '%c: f32[3,16,1] = const(ref="c")'),
        ('%c: f32[16,1] = const(ref="c")', '%c: f32[16,3] = const(ref="c")'),
        ('%c: f32[16,1] = const(ref="c")', '%c: f32[16] = const(ref="c")'),
        ('%w: f32[16,8] = const(ref="w")', '%w: f32[16,8] = input(name="w")'),
        ("bias=%b)", 'bias=%b, activation="relu")'),
        ("mul(a=%r, b=%c)", "div(a=%r, b=%c)"),
        ("linear(x=%x, w=%w, bias=%b)", "tanh(x=%b)"),
    ],
)
def test_near_misses_of_a_scaled_style(old, new):
    near_miss(SCALED, old, new, "mul(a=%w, b=%c", fuse_modulation)


def test_a_column_of_many_rows_is_not_the_columns_of_a_linear():
    """Numbers for rows, as many as there are columns, belong to rows."""
    text = SCALED.replace("%x: f32[1,8]", "%x: f32[16,8]").replace("f32[1,16]", "f32[16,16]")
    text = text.replace("%r: f32[1,16,1]", "%r: f32[16,16,1]").replace("shape=[1, 16, 1]", "shape=[16, 16, 1]")
    text = text.replace("%y: f32[1,16,1]", "%y: f32[16,16,1]")
    near_miss(
        text, '%c: f32[16,1] = const(ref="c")', '%c: f32[16,1,1] = const(ref="c")', "mul(a=%w, b=%c", fuse_modulation
    )


SUMMED = (
    HEAD
    + """\
        %v: f32[16,8] = const(ref="v")
        %z: f32[1,8] = input(name="z")
        %p: f32[1,16] = linear(x=%x, w=%w, bias=%b)
        %q: f32[1,16] = linear(x=%x, w=%v)
        %r: f32[1,16,1] = reshape(x=%p, shape=[1, 16, 1])
        %s: f32[1,16,1] = reshape(x=%q, shape=[1, 16, 1])
        %y: f32[1,16,1] = add(a=%r, b=%s)
        return "y"=%y
"""
)


@pytest.mark.parametrize("first", ["", ", bias=%b"])
@pytest.mark.parametrize("second", ["", ", bias=%d"])
def test_two_styles_of_one_row(first, second):
    text = SUMMED.replace("w=%w, bias=%b", f"w=%w{first}").replace("w=%v", f"w=%v{second}")
    graph = retyped(text.replace("%v:", '%d: f32[16] = const(ref="d")\n%v:'))
    after = fuse_modulation(graph)
    agree(graph, after)
    (linear,) = (node.op for node in after.nodes if isinstance(node.op, ops.Linear))
    assert (linear.bias is None) == (not first and not second)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"y"=%y', '"y"=%y, "r"=%r'),
        ('"y"=%y', '"y"=%y, "s"=%s'),
        ("add(a=%r, b=%s)", "mul(a=%r, b=%s)"),
        ("linear(x=%x, w=%v)", 'linear(x=%x, w=%v, activation="relu")'),
        ('%v: f32[16,8] = const(ref="v")', '%v: f32[16,8] = input(name="v")'),
        ("linear(x=%x, w=%v)", "linear(x=%z, w=%v)"),
        ("reshape(x=%q, shape=[1, 16, 1])", "reshape(x=%q, shape=[1, 1, 16])"),
    ],
)
def test_near_misses_of_two_styles(old, new):
    near_miss(SUMMED, old, new, "add(a=%w, b=%v)", fuse_modulation)


def test_many_rows_stay_as_they_are():
    leaves(fuse_modulation, SCALED.replace("f32[1,", "f32[33,").replace("shape=[1, 16", "shape=[33, 16"))
