from tests.passes.check import leaves, rewrites
from ttc.passes.merge_linear import merge_linear

BEFORE = """
    %x: f32[1,5,8] = input(name="x")
    %wq: f32[8,8] = const(ref="wq")
    %bq: f32[8] = const(ref="bq")
    %q: f32[1,5,8] = linear(x=%x, w=%wq, bias=%bq)
    %q1: f32[1,5,2,4] = reshape(x=%q, shape=[1, 5, 2, 4])
    %wk: f32[8,8] = const(ref="wk")
    %bk: f32[8] = const(ref="bk")
    %wt: f32[8,8] = permute(x=%wk, dims=[1, 0])
    %k: f32[1,5,8] = linear(x=%x, w=%wt, bias=%bk)
    %k1: f32[1,5,2,4] = reshape(x=%k, shape=[1, 5, 2, 4])
    return "q"=%q1, "k"=%k1
"""


def test_merge():
    rewrites(
        merge_linear,
        BEFORE,
        """
        %x: f32[1,5,8] = input(name="x")
        %wq: f32[8,8] = const(ref="wq")
        %bq: f32[8] = const(ref="bq")
        %wk: f32[8,8] = const(ref="wk")
        %wt: f32[8,8] = permute(x=%wk, dims=[1, 0])
        %bk: f32[8] = const(ref="bk")
        %wq_0: f32[16,8] = concat(xs=[%wq, %wt], dim=0)
        %bq_0: f32[16] = concat(xs=[%bq, %bk], dim=0)
        %q: f32[1,5,16] = linear(x=%x, w=%wq_0, bias=%bq_0)
        %q_0: f32[1,5,8] = slice(x=%q, starts=[0, 0, 0], ends=[1, 5, 8], steps=[1, 1, 1])
        %q1: f32[1,5,2,4] = reshape(x=%q_0, shape=[1, 5, 2, 4])
        %k: f32[1,5,8] = slice(x=%q, starts=[0, 0, 8], ends=[1, 5, 16], steps=[1, 1, 1])
        %k1: f32[1,5,2,4] = reshape(x=%k, shape=[1, 5, 2, 4])
        return "q"=%q1, "k"=%k1
        """,
    )


def test_what_is_not_split_into_heads_stays():
    leaves(merge_linear, BEFORE.replace('"k"=%k1', '"k"=%k1, "k2"=%k'))


def test_different_widths_stay():
    text = BEFORE.replace('%wk: f32[8,8] = const(ref="wk")', '%wk: f32[8,4] = const(ref="wk")')
    text = text.replace("%wt: f32[8,8]", "%wt: f32[4,8]").replace("%bk: f32[8]", "%bk: f32[4]")
    text = text.replace("%k: f32[1,5,8]", "%k: f32[1,5,4]").replace("%k1: f32[1,5,2,4]", "%k1: f32[1,5,2,2]")
    leaves(merge_linear, text.replace("reshape(x=%k, shape=[1, 5, 2, 4])", "reshape(x=%k, shape=[1, 5, 2, 2])"))
