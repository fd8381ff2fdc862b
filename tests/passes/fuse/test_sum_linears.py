import pytest

from tests.passes.check import graph_of, leaves, near_miss, rewrites
from ttc.passes.fuse.sum_linears import sum_linears

HEAD = """
        %a: f32[2,2048,256] = input(name="a")
        %b: f32[2,2048,768] = input(name="b")
        %w: f32[40,1024] = const(ref="w")
        %c: f32[40] = const(ref="c")
"""
BEFORE = (
    HEAD
    + """\
        %x: f32[2,2048,1024] = concat(xs=[%a, %b], dim=2)
        %y: f32[2,2048,40] = linear(x=%x, w=%w, bias=%c)
        return "y"=%y
"""
)


def test_each_part_by_its_own_columns_of_the_weight():
    rewrites(
        sum_linears,
        BEFORE,
        HEAD
        + """\
        %w_0: f32[40,256] = slice(x=%w, starts=[0, 0], ends=[40, 256])
        %w_1: f32[40,768] = slice(x=%w, starts=[0, 256], ends=[40, 1024])
        %y: f32[2,2048,40] = linear(x=%b, w=%w_1, bias=%c)
        %y_0: f32[2,2048,40] = linear(x=%a, w=%w_0)
        %y_1: f32[2,2048,40] = add(a=%y, b=%y_0)
        return "y"=%y_1
        """,
    )


def test_three_parts_without_a_bias():
    parts = (
        BEFORE.replace("[%a, %b]", "[%a, %b, %a]").replace("2048,1024]", "2048,1280]").replace("40,1024]", "40,1280]")
    )
    rewrites(
        sum_linears,
        parts.replace(", bias=%c", "").replace('        %c: f32[40] = const(ref="c")\n', ""),
        """
        %a: f32[2,2048,256] = input(name="a")
        %b: f32[2,2048,768] = input(name="b")
        %w: f32[40,1280] = const(ref="w")
        %w_0: f32[40,256] = slice(x=%w, starts=[0, 0], ends=[40, 256])
        %w_1: f32[40,768] = slice(x=%w, starts=[0, 256], ends=[40, 1024])
        %w_2: f32[40,256] = slice(x=%w, starts=[0, 1024], ends=[40, 1280])
        %y: f32[2,2048,40] = linear(x=%b, w=%w_1)
        %y_0: f32[2,2048,40] = linear(x=%a, w=%w_0)
        %y_1: f32[2,2048,40] = add(a=%y, b=%y_0)
        %y_2: f32[2,2048,40] = linear(x=%a, w=%w_2)
        %y_3: f32[2,2048,40] = add(a=%y_1, b=%y_2)
        return "y"=%y_3
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bias=%c)", 'bias=%c, activation="tanh")'),
        ('return "y"=%y', 'return "y"=%y, "x"=%x'),
        ('const(ref="w")', 'input(name="w")'),
    ],
)
def test_near_misses(old: str, new: str):
    near_miss(BEFORE, old, new, "add(", sum_linears)


def test_a_few_rows_less_are_not_large():
    leaves(sum_linears, BEFORE.replace("2048,", "2047,"))


def test_sums_of_results_as_wide_move_more_than_the_concatenation():
    leaves(sum_linears, BEFORE.replace("40", "683"))
    assert "concat" not in str(sum_linears(graph_of(BEFORE.replace("40", "682"))))


def test_parts_one_below_the_other_stay():
    leaves(
        sum_linears,
        """
        %a: f32[2,1024,1024] = input(name="a")
        %w: f32[40,1024] = const(ref="w")
        %x: f32[2,2048,1024] = concat(xs=[%a, %a], dim=1)
        %y: f32[2,2048,40] = linear(x=%x, w=%w)
        return "y"=%y
        """,
    )
