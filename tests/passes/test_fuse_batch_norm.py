import pytest

from tests.passes.check import agree, body, graph_of, leaves, rewrites
from ttc.passes.fuse_batch_norm import fuse_batch_norm
from ttc.passes.runner import run

NORM = """%g: f32[6] = const(ref="g")
%b: f32[6] = const(ref="b")
%m: f32[6] = const(ref="m")
%v: f32[6] = const(ref="var")
"""
PRODUCTS = {
    "conv": '%x: f32[2,4,5,5] = input(name="x")\n%w: f32[6,2,3,3] = const(ref="w")\n%c: f32[2,6,5,5] = '
    "conv(x=%x, w=%w, stride=[1, 1], padding=[[1, 1], [1, 1]], dilation=[1, 1], groups=2)\n",
    "biased": '%x: f32[2,4,5] = input(name="x")\n%w: f32[6,4,1] = const(ref="w")\n%wb: f32[6] = const(ref="wb")\n'
    "%c: f32[2,6,5] = conv(x=%x, w=%w, bias=%wb, stride=[1], padding=[[0, 0]], dilation=[1])\n",
    "transposed": '%x: f32[2,4,5] = input(name="x")\n%w: f32[4,3,2] = const(ref="w")\n%c: f32[2,6,10] = '
    "conv_transpose(x=%x, w=%w, stride=[2], padding=[[0, 0]], output_padding=[0], dilation=[1], groups=2)\n",
    "linear": '%x: f32[2,4] = input(name="x")\n%w: f32[6,4] = const(ref="w")\n%c: f32[2,6] = linear(x=%x, w=%w)\n',
}


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_into_the_product_before(product):
    shape = product.rsplit("%c: ", 1)[1].split(" ")[0]
    text = f'{product}{NORM}%y: {shape} = batch_norm(x=%c, w=%g, bias=%b, mean=%m, var=%v)\nreturn "y"=%y'
    graph = graph_of(text)
    after = run((fuse_batch_norm,), graph, twice=True)
    *_, final, _ = body(after).splitlines()
    assert final.split(" = ")[1].split("(")[0] in ("conv", "conv_transpose", "linear")
    assert shape in final
    assert sum("%x" in line for line in body(after).splitlines()) == 2  # the input and its one reader
    agree(graph, after, tolerance=2e-6)


def test_text():
    rewrites(
        fuse_batch_norm,
        """
        %x: f32[2,4] = input(name="x")
        %w: f32[6,4] = const(ref="w")
        %s: f32[6] = const(ref="s")
        %t: f32[1,6] = const(ref="t")
        %c: f32[2,6] = linear(x=%x, w=%w)
        %d: f32[2,6] = mul(a=%c, b=%s)
        %y: f32[2,6] = add(a=%d, b=%t)
        return "y"=%y
        """,
        """
        %x: f32[2,4] = input(name="x")
        %w: f32[6,4] = const(ref="w")
        %s: f32[6] = const(ref="s")
        %t: f32[1,6] = const(ref="t")
        %s_0: f32[6,1] = reshape(x=%s, shape=[6, 1])
        %w_0: f32[6,4] = mul(a=%w, b=%s_0)
        %t_0: f32[6] = reshape(x=%t, shape=[6])
        %y: f32[2,6] = linear(x=%x, w=%w_0, bias=%t_0)
        return "y"=%y
        """,
    )


def test_a_chain_without_a_product_is_one_mul_and_one_add():
    graph = graph_of(f"""
        %x: f32[2,6,5,5] = input(name="x")
        {NORM.replace(chr(10), chr(10) + "        ")}
        %s: f32[6,1,1] = const(ref="s")
        %t: f32[1,6,1,1] = const(ref="t")
        %n: f32[2,6,5,5] = batch_norm(x=%x, w=%g, bias=%b, mean=%m, var=%v)
        %p: f32[2,6,5,5] = mul(a=%n, b=%s)
        %y: f32[2,6,5,5] = add(a=%p, b=%t)
        return "y"=%y
    """)
    after = run((fuse_batch_norm,), graph, twice=True)
    live = [line for line in body(after).splitlines() if line.split(": ")[-1].startswith("f32[2,6,5,5]")]
    assert [line.split(" = ")[1].split("(")[0] for line in live] == ["input", "mul", "add"]
    agree(graph, after)


@pytest.mark.parametrize(
    "end",
    [
        '%s: f32[1,6] = const(ref="s")\n%y: f32[2,6] = mul(a=%c, b=%s)\nreturn "y"=%y, "c"=%c',
        '%s: f32[2,6] = const(ref="s")\n%y: f32[2,6] = mul(a=%c, b=%s)\nreturn "y"=%y',
        '%s: f32[6] = input(name="s")\n%y: f32[2,6] = mul(a=%c, b=%s)\nreturn "y"=%y',
    ],
)
def test_others_stay(end):
    leaves(fuse_batch_norm, PRODUCTS["linear"] + end)
