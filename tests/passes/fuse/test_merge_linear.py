import pytest

from tests.passes.check import agree, body, leaves, near_miss, retyped, rewrites
from ttc import ops
from ttc.passes.fuse.merge_linear import merge_linear
from ttc.passes.runner import run

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
        %q_0: f32[1,5,8] = slice(x=%q, starts=[0, 0, 0], ends=[1, 5, 8])
        %q1: f32[1,5,2,4] = reshape(x=%q_0, shape=[1, 5, 2, 4])
        %k: f32[1,5,8] = slice(x=%q, starts=[0, 0, 8], ends=[1, 5, 16])
        %k1: f32[1,5,2,4] = reshape(x=%k, shape=[1, 5, 2, 4])
        return "q"=%q1, "k"=%k1
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("linear(x=%x, w=%wq, bias=%bq)", "linear(x=%x, w=%wq)"),
        ("linear(x=%x, w=%wt, bias=%bk)", "linear(x=%x, w=%wt)"),
        ("linear(x=%x, w=%wt, bias=%bk)", 'linear(x=%x, w=%wt, bias=%bk, activation="relu")'),
        ('%wk: f32[8,8] = const(ref="wk")', '%wk: f32[8,8] = input(name="wk")'),
        ('%bk: f32[8] = const(ref="bk")', '%bk: f32[8] = input(name="bk")'),
        ("linear(x=%x, w=%wt, bias=%bk)", "linear(x=%q, w=%wt, bias=%bk)"),
        ('"k"=%k1', '"k"=%k1, "k2"=%k'),
        ("reshape(x=%k, shape=[1, 5, 2, 4])", "relu(x=%k)"),
        ("reshape(x=%k, shape=[1, 5, 2, 4])", "reshape(x=%k, shape=[1, 5, 1, 8])"),
        ("reshape(x=%k, shape=[1, 5, 2, 4])", "reshape(x=%k, shape=[1, 2, 5, 4])"),
        ("reshape(x=%k, shape=[1, 5, 2, 4])", "reshape(x=%k, shape=[5, 2, 4])"),
        ("reshape(x=%k, shape=[1, 5, 2, 4])", "reshape(x=%k, shape=[1, 1, 5, 2, 4])"),
    ],
)
def test_near_misses(old, new):
    near_miss(BEFORE, old, new, "concat(", merge_linear)


ONE_ROW = BEFORE.replace("[1,5,8]", "[3,1,8]").replace("[1,5,2,4]", "[3,2,1,4]").replace("[1, 5, 2, 4]", "[3, 2, 1, 4]")


def test_heads_of_one_row_are_a_reshape_of_it():
    """A step of generation: [B, 1, H * D] to [B, H, 1, D] needs no permutation."""
    after = run((merge_linear,), graph := retyped(ONE_ROW), twice=True)
    assert body(after).count("linear(") == 1
    agree(graph, after)


@pytest.mark.parametrize("shape", ["[3, 1, 1, 8]", "[3, 4, 1, 2]", "[3, 2, 4]", "[1, 6, 1, 4]"])
def test_near_misses_of_one_row(shape):
    near_miss(ONE_ROW, "reshape(x=%k, shape=[3, 2, 1, 4])", f"reshape(x=%k, shape={shape})", "concat(", merge_linear)


def test_linears_without_bias_are_merged():
    text = BEFORE.replace(", bias=%bq", "").replace(", bias=%bk", "")
    after = run((merge_linear,), graph := retyped(text), twice=True)
    assert [(op.w.shape, op.bias) for node in after.nodes if isinstance(op := node.op, ops.Linear)] == [((16, 8), None)]
    agree(graph, after)


def attention(order: str, q: str = "q", k: str = "k", v: str = "v") -> str:
    """Projections written in some order, and an attention that reads them as it says."""
    lines = ['%x: f32[1,5,8] = input(name="x")']
    for name in order:
        lines += [
            f'%w{name}: f32[8,8] = const(ref="w{name}")',
            f"%{name}: f32[1,5,8] = linear(x=%x, w=%w{name})",
            f"%{name}1: f32[1,5,2,4] = reshape(x=%{name}, shape=[1, 5, 2, 4])",
            f"%{name}2: f32[1,2,5,4] = permute(x=%{name}1, dims=[0, 2, 1, 3])",
        ]
    return "\n".join([*lines, f"%y: f32[1,2,5,4] = attention(q=%{q}2, k=%{k}2, v=%{v}2)", 'return "y"=%y'])


@pytest.mark.parametrize("order", ["qkv", "vkq", "kqv", "vqk", "kvq"])
def test_queries_come_first_then_keys_then_values(order):
    after = run((merge_linear,), graph := retyped(attention(order)), twice=True)
    merged = next(node.op for node in after.nodes if isinstance(node.op, ops.Concat))
    assert [value.name for value in merged.xs] == ["wq", "wk", "wv"]
    agree(graph, after)


def test_what_no_attention_reads_comes_last():
    text = attention("zqkv").replace('return "y"=%y', 'return "y"=%y, "z"=%z2')
    after = run((merge_linear,), graph := retyped(text), twice=True)
    merged = next(node.op for node in after.nodes if isinstance(node.op, ops.Concat))
    assert [value.name for value in merged.xs] == ["wq", "wk", "wv", "wz"]
    agree(graph, after)


def test_keys_that_are_values_too():
    after = run((merge_linear,), graph := retyped(attention("kq", v="k")), twice=True)
    assert "concat(" in body(after)
    agree(graph, after, 4e-6)  # a softmax multiplies the rounding of its scores, which are large here


def test_linears_of_two_values_are_merged_apart():
    text = BEFORE.replace("return", """
    %z: f32[1,5,8] = input(name="z")
    %q_: f32[1,5,8] = linear(x=%z, w=%wq, bias=%bq)
    %q_1: f32[1,5,2,4] = reshape(x=%q_, shape=[1, 5, 2, 4])
    %k_: f32[1,5,8] = linear(x=%z, w=%wt, bias=%bk)
    %k_1: f32[1,5,2,4] = reshape(x=%k_, shape=[1, 5, 2, 4])
    return "q_"=%q_1, "k_"=%k_1,""")  # fmt: skip
    after = run((merge_linear,), graph := retyped(text), twice=True)
    assert [node.op.x.name for node in after.nodes if isinstance(node.op, ops.Linear)] == ["x", "z"]
    agree(graph, after)


def test_what_is_not_split_into_heads_stays():
    leaves(merge_linear, BEFORE.replace('"k"=%k1', '"k"=%k1, "k2"=%k'))


def test_grouped_queries_are_merged_with_their_fewer_keys():
    text = attention("vqk").replace("%wq: f32[8,8]", "%wq: f32[16,8]").replace("[1, 5, 2, 4]", "[1, 5, 4, 4]", 2)
    text = text.replace("reshape(x=%v, shape=[1, 5, 4, 4])", "reshape(x=%v, shape=[1, 5, 2, 4])")
    after = run((merge_linear,), graph := retyped(text), twice=True)
    assert [op.w.shape for node in after.nodes if isinstance(op := node.op, ops.Linear)] == [(32, 8)]
    agree(graph, after)


def test_heads_of_different_sizes_stay():
    text = BEFORE.replace('%wk: f32[8,8] = const(ref="wk")', '%wk: f32[8,4] = const(ref="wk")')
    text = text.replace("%wt: f32[8,8]", "%wt: f32[4,8]").replace("%bk: f32[8]", "%bk: f32[4]")
    text = text.replace("%k: f32[1,5,8]", "%k: f32[1,5,4]").replace("%k1: f32[1,5,2,4]", "%k1: f32[1,5,2,2]")
    leaves(merge_linear, text.replace("reshape(x=%k, shape=[1, 5, 2, 4])", "reshape(x=%k, shape=[1, 5, 2, 2])"))


@pytest.mark.parametrize("between", ["rms_norm(x=%k1)", "layer_norm(x=%k1)", "rotary(x=%k1, cos=%c, sin=%c)"])
def test_roles_are_seen_behind_what_is_done_to_heads(between):
    text = attention("vkq").replace("permute(x=%k1,", "permute(x=%k3,")
    text = text.replace("%k2: ", f'%c: f32[4] = const(ref="c")\n%k3: f32[1,5,2,4] = {between}\n%k2: ')
    after = run((merge_linear,), graph := retyped(text), twice=True)
    merged = next(node.op for node in after.nodes if isinstance(node.op, ops.Concat))
    assert [value.name for value in merged.xs] == ["wq", "wk", "wv"]
    agree(graph, after)
