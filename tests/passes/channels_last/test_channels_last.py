import re
from collections import Counter

import pytest
import torch

from tests.passes.check import agree, body, graph_of, leaves, rewrites
from ttc import ops
from ttc.passes.channels_last.channels_last import channels_last
from ttc.passes.runner import run

HEAD = """%x: f32[{n},3,4,4] = input(name="x")
%w: f32[8,3,3,3] = const(ref="w")
%c: f32[{n},8,4,4] = conv(x=%x, w=%w, stride=[1, 1], padding=[[1, 1], [1, 1]], dilation=[1, 1])
"""


def test_text():
    rewrites(
        channels_last,
        HEAD.format(n=1) + '%z: f32[1,8,4,4] = relu(x=%c)\n%m: f32[1,8] = max(x=%z, dims=[2, 3])\nreturn "m"=%m',
        """
        %x: f32[1,3,4,4] = input(name="x")
        %w: f32[8,3,3,3] = const(ref="w")
        %x.last: f32[1,4,4,3] = permute(x=%x, dims=[0, 2, 3, 1])
        %x.rows: f32[1,1,16,3] = reshape(x=%x.last, shape=[1, 1, 16, 3])
        %c: f32[1,1,16,8] = conv(x=%x.rows, w=%w, stride=[1, 1], padding=[[1, 1], [1, 1]], dilation=[1, 1], \
rows=[1, 4, 4])
        %z: f32[1,1,16,8] = relu(x=%c)
        %m: f32[1,16,8] = reshape(x=%z, shape=[1, 16, 8])
        %m_0: f32[1,8] = max(x=%m, dims=[1])
        return "m"=%m_0
        """,
    )


# Each: lines after a convolution %c, its result, and how many permutes of live values the program needs.
CASES = {
    "residual": ("%d: f32[N,8,4,4] = neg(x=%c)\n%y: f32[N,8,4,4] = add(a=%d, b=%c)", 2),
    "channel constant": ('%s: f32[8,1,1] = const(ref="s")\n%y: f32[N,8,4,4] = mul(a=%c, b=%s)', 2),
    "full constant": ('%s: f32[8,4,4] = const(ref="s")\n%y: f32[N,8,4,4] = mul(a=%c, b=%s)', 2),
    "spatial constant": ('%s: f32[4,1] = const(ref="s")\n%y: f32[N,8,4,4] = mul(a=%c, b=%s)', 2),
    "number": ("%s: f32[] = full(value=2.5)\n%y: f32[N,8,4,4] = mul(a=%c, b=%s)", 2),
    "channel gate": ("%g: f32[N,8,1,1] = mean(x=%c, dims=[2, 3], keep=true)\n%s: f32[N,8,1,1] = sigmoid(x=%g)\n"
                     "%y: f32[N,8,4,4] = mul(a=%c, b=%s)", 2),
    "spatial gate": ("%g: f32[N,1,4,4] = max(x=%c, dims=[1], keep=true)\n%y: f32[N,8,4,4] = mul(a=%c, b=%g)", 2),
    "choice": ("%z: f32[] = full(value=0.0)\n%k: bool[N,8,4,4] = gt(a=%c, b=%z)\n"
               "%y: f32[N,8,4,4] = where(condition=%k, a=%c, b=%z)", 2),
    "concat": ("%d: f32[N,8,4,4] = relu(x=%c)\n%y: f32[N,16,4,4] = concat(xs=[%c, %d], dim=1)", 2),
    "concat of rows": ("%d: f32[N,8,4,4] = relu(x=%c)\n%y: f32[N,8,8,4] = concat(xs=[%c, %d], dim=2)", 2),
    "channel slice": ("%y: f32[N,2,4,4] = slice(x=%c, starts=[0,2,0,0], ends=[N,6,4,4], steps=[1,2,1,1])", 2),
    "spatial slice": ("%y: f32[N,8,2,4] = slice(x=%c, starts=[0,0,1,0], ends=[N,8,3,4], steps=[1,1,1,1])", 2),
    "pad": ("%y: f32[N,8,5,4] = pad(x=%c, pads=[[0,0],[0,0],[1,0],[0,0]], value=3.0)", 2),
    "softmax": ("%y: f32[N,8,4,4] = softmax(x=%c, dim=1)", 2),
    "max pool": ("%y: f32[N,8,2,2] = POOL(x=%c)", 2),
    "upsample": ("%y: f32[N,8,8,8] = upsample(x=%c, scales=[2, 2])", 2),
    "group norm": ("%y: f32[N,8,4,4] = group_norm(x=%c, groups=2)", 2),
    "pooled": ("%y: f32[N,8,1,1] = max(x=%c, dims=[2, 3], keep=true)", 1),
    "tokens": ("%t: f32[N,8,16] = reshape(x=%c, shape=[N, 8, 16])\n%y: f32[N,16,8] = permute(x=%t, dims=[0, 2, 1])", 1),
    "flattened": ('%f: f32[N,128] = reshape(x=%c, shape=[N, 128])\n%v: f32[5,128] = const(ref="v")\n'
                  "%y: f32[N,5] = linear(x=%f, w=%v)", 1),
    "shuffle": ("%a: f32[N,2,4,4,4] = reshape(x=%c, shape=[N,2,4,4,4])\n"
         "%b: f32[N,4,2,4,4] = permute(x=%a, dims=[0,2,1,3,4])\n"
                "%y: f32[N,8,4,4] = reshape(x=%b, shape=[N,8,4,4])", 3),
    "channels-last norm": ("%a: f32[N,4,4,8] = permute(x=%c, dims=[0,2,3,1])\n%b: f32[N,4,4,8] = layer_norm(x=%a)\n"
                           "%d: f32[N,8,4,4] = permute(x=%b, dims=[0,3,1,2])\n%e: f32[N,8,4,4] = relu(x=%d)\n"
                           "%y: f32[N,8,2,2] = POOL(x=%e)", 2),
    "else": ("%y: f32[N,8,4,4] = cumsum(x=%c, dim=3)", 2),
    "another shape": ('%s: f32[4] = input(name="s")\n%y: f32[N,8,4,4] = mul(a=%c, b=%s)', 2),
}  # fmt: skip


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_stays_in_rows(case, batch):
    lines, permutes = CASES[case]
    lines = lines.replace("[N", f"[{batch}")
    lines = re.sub(
        r"POOL\((.*?)\)", r"max_pool(\1, kernel=[2,2], stride=[2,2], padding=[[0,0],[0,0]], dilation=[1,1])", lines
    )
    graph = graph_of(HEAD.format(n=batch) + f'{lines}\nreturn "y"=%y')
    after = run((channels_last,), graph, twice=True)
    constant = set()
    count = Counter()
    for node in after.nodes:
        if node.op.mnemonic != "input" and constant.issuperset(node.op.operands()):
            constant.update(node.results)
        else:
            count[node.op.mnemonic] += 1
    assert count["permute"] == permutes, body(after)
    agree(graph, after)


def test_one_dimension_and_a_transposed_convolution():
    graph = graph_of("""
        %x: f32[2,6,8] = input(name="x")
        %w: f32[8,4,3] = const(ref="w")
        %v: f32[4,2,2] = const(ref="v")
        %t: f32[2,8,6] = permute(x=%x, dims=[0, 2, 1])
        %l: f32[2,8,6] = leaky_relu(x=%t)
        %c: f32[2,8,6] = conv(x=%l, w=%w, stride=[1], padding=[[1, 1]], dilation=[1], groups=2)
        %s: f32[2,4,6] = slice(x=%c, starts=[0, 0, 0], ends=[2, 4, 6])
        %u: f32[2,2,12] = conv_transpose(x=%s, w=%v, stride=[2], padding=[[0, 0]], output_padding=[0], dilation=[1])
        %y: f32[2,12,2] = permute(x=%u, dims=[0, 2, 1])
        return "y"=%y
    """)
    after = run((channels_last,), graph, twice=True)
    assert "permute" not in body(after)
    agree(graph, after)


def test_programs_without_spatial_ops_stay():
    leaves(
        channels_last,
        """
        %x: f32[1,5,8] = input(name="x")
        %t: f32[1,8,5] = permute(x=%x, dims=[0, 2, 1])
        %r: f32[1,8,5] = relu(x=%t)
        %y: f32[1,5,5] = matmul(a=%x, b=%r)
        return "y"=%y
        """,
    )


LINE = """%x: f32[{n},3,40] = input(name="x")
%w: f32[8,3,3] = const(ref="w")
%c: f32[{n},8,40] = conv(x=%x, w=%w, stride=[1], padding=[[1, 1]], dilation=[1])
%v: f32[{m},40,{k}] = input(name="v")
%m: f32[{n},8,{k}] = matmul(a=%c, b=%v)
return "m"=%m
"""


def permutes(text: str) -> int:
    """Count the permutes of what is no constant, after the same numbers."""
    before = graph_of(text)
    after = run((channels_last,), before)
    agree(before, after)
    return body(after).count("permute(")


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 3)])
def test_weighted_sums_of_positions_are_of_rows(n: int, m: int):
    """As means over the valid part of a line are: the row of weights comes first, and channels stay last."""
    assert permutes(LINE.format(n=n, m=m, k=1)) == 1  # of the input: a sample's 8 results are a view


def test_products_of_several_columns_are_not():
    assert permutes(LINE.format(n=1, m=1, k=2)) == 2
    assert "matmul(a=%c" in body(run((channels_last,), graph_of(LINE.format(n=1, m=1, k=2))))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("batch", "size"), [(1, 4), (1, 7), (2, 7), (1, 8), (2, 8)])
@pytest.mark.parametrize("keep", ["true", "false"])
def test_means_of_images_that_are_no_whole_tiles_are_one_product_or_one_pool(
    reduction: str, batch: int, size: int, keep: str
):
    """A product of an image alone; 64 positions are whole tiles, which a mean takes as they are."""
    after = "1,1" if keep == "true" else ""
    text = HEAD.format(n=batch).replace("4,4", f"{size},{size}")
    text += f'%y: f32[{f"{batch},8,{after}".strip(",")}] = {reduction}(x=%c, dims=[2, 3], keep={keep})\nreturn "y"=%y'
    graph = graph_of(text)
    found = run((channels_last,), graph, twice=True)
    agree(graph, found)
    form = ("matmul" if batch == 1 else "avg_pool") if reduction == "mean" and size != 8 else reduction
    assert [name for name in ("matmul", "avg_pool", reduction) if f"{name}(" in body(found)] == [form]


def test_means_of_images_keep_what_is_not_finite_in_their_own_image():
    graph = graph_of(HEAD.format(n=3) + '%y: f32[3,8] = mean(x=%c, dims=[2, 3])\nreturn "y"=%y')
    x = torch.randn(3, 3, 4, 4)
    x[0, 0, 1, 1], x[1, 2, 3, 3] = torch.inf, torch.nan
    (found,) = ops.evaluate(run((channels_last,), graph), {"x": x}).values()
    assert not found[:2].isfinite().any()
    assert found[2].isfinite().all()


@pytest.mark.parametrize(("reduction", "form"), [("mean", "[1,1,2,5]"), ("max", "[2,5]")])
def test_a_linear_reads_means_of_images_as_rows(reduction: str, form: str):
    """So that no view stands between a pool and a product; maxima are vectors."""
    text = HEAD.format(n=2) + f"%m: f32[2,8,1,1] = {reduction}(x=%c, dims=[2, 3], keep=true)\n%f: f32[2,8] = "
    text += (
        'reshape(x=%m, shape=[2, 8])\n%v: f32[5,8] = const(ref="v")\n%y: f32[2,5] = linear(x=%f, w=%v)\nreturn "y"=%y'
    )
    graph = graph_of(text)
    found = run((channels_last,), graph, twice=True)
    agree(graph, found)
    assert f"f32{form} = linear(" in body(found)
