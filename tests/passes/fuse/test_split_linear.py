import pytest

from tests.passes.check import leaves, near_miss, rewrites
from ttc.passes.fuse.split_linear import split_linear

HEAD = """
        %x: f32[2,8] = input(name="x")
        %w: f32[16,8] = const(ref="w")
        %b: f32[16] = const(ref="b")
"""
BEFORE = (
    HEAD
    + """\
        %y: f32[2,16] = linear(x=%x, w=%w, bias=%b)
        %s: f32[2,6] = slice(x=%y, starts=[0, 0], ends=[2, 6])
        %t: f32[2,10] = slice(x=%y, starts=[0, 6], ends=[2, 16])
        return "s"=%s, "t"=%t
"""
)


def test_each_part_by_itself():
    rewrites(
        split_linear,
        BEFORE,
        HEAD
        + """\
        %w_0: f32[6,8] = slice(x=%w, starts=[0, 0], ends=[6, 8])
        %b_0: f32[6] = slice(x=%b, starts=[0], ends=[6])
        %s: f32[2,6] = linear(x=%x, w=%w_0, bias=%b_0)
        %w_1: f32[10,8] = slice(x=%w, starts=[6, 0], ends=[16, 8])
        %b_1: f32[10] = slice(x=%b, starts=[6], ends=[16])
        %t: f32[2,10] = linear(x=%x, w=%w_1, bias=%b_1)
        return "s"=%s, "t"=%t
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bias=%b)", 'bias=%b, activation="tanh")'),
        ("starts=[0, 6], ends=[2, 16])", "starts=[0, 5], ends=[2, 16])"),
        ("starts=[0, 6], ends=[2, 16])", "starts=[1, 6], ends=[2, 16])"),
        ("starts=[0, 6], ends=[2, 16])", "starts=[0, 6], ends=[1, 16])"),
        ("starts=[0, 6], ends=[2, 16])", "starts=[0, 6], ends=[2, 16], steps=[1, 2])"),
        ("slice(x=%y, starts=[0, 6], ends=[2, 16])", "relu(x=%y)"),
        ('"s"=%s', '"s"=%s, "y"=%y'),
        ("slice(x=%y, starts=[0, 6], ends=[2, 16])", "relu(x=%x)"),
        ('%x: f32[2,8] = input(name="x")', '%x: f32[33,8] = input(name="x")'),
    ],
)
def test_near_misses(old, new):
    near_miss(BEFORE, old, new, "slice(x=%w", split_linear)


def test_rows_of_a_sequence_stay_together():
    text = (
        BEFORE.replace("f32[2,", "f32[1,2,").replace("starts=[0, ", "starts=[0, 0, ").replace("ends=[2", "ends=[1, 2")
    )
    leaves(split_linear, text)


BEHIND = (
    HEAD
    + """\
        %y: f32[2,16] = linear(x=%x, w=%w, bias=%b)
        %r: f32[2,16,1] = reshape(x=%y, shape=[2, 16, 1])
        %s: f32[2,6,1] = slice(x=%r, starts=[0, 0, 0], ends=[2, 6, 1])
        %t: f32[2,10,1] = slice(x=%r, starts=[0, 6, 0], ends=[2, 16, 1])
        return "s"=%s, "t"=%t
"""
)


def test_each_part_behind_a_reshape():
    """A style's scale and shift, each a column."""
    rewrites(
        split_linear,
        BEHIND,
        HEAD
        + """\
        %w_0: f32[6,8] = slice(x=%w, starts=[0, 0], ends=[6, 8])
        %b_0: f32[6] = slice(x=%b, starts=[0], ends=[6])
        %s: f32[2,6] = linear(x=%x, w=%w_0, bias=%b_0)
        %s_0: f32[2,6,1] = reshape(x=%s, shape=[2, 6, 1])
        %w_1: f32[10,8] = slice(x=%w, starts=[6, 0], ends=[16, 8])
        %b_1: f32[10] = slice(x=%b, starts=[6], ends=[16])
        %t: f32[2,10] = linear(x=%x, w=%w_1, bias=%b_1)
        %t_0: f32[2,10,1] = reshape(x=%t, shape=[2, 10, 1])
        return "s"=%s_0, "t"=%t_0
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"s"=%s', '"s"=%s, "y"=%y'),
        ('"s"=%s', '"s"=%s, "r"=%r'),
        ("starts=[0, 6, 0], ends=[2, 16, 1])", "starts=[0, 5, 0], ends=[2, 16, 1])"),
    ],
)
def test_near_misses_behind_a_reshape(old, new):
    near_miss(BEHIND, old, new, "slice(x=%w", split_linear)


def test_columns_that_a_reshape_takes_apart_stay():
    text = BEHIND.replace("[2,16,1]", "[2,8,2]").replace("[2, 16, 1]", "[2, 8, 2]").replace("2, 6, 1]", "2, 6, 2]")
    leaves(split_linear, text.replace("[2,6,1]", "[2,6,2]").replace("[2,10,1]", "[2,2,2]"))
