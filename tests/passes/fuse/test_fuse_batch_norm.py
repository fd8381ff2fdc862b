import pytest

from tests.passes.check import agree, body, graph_of, leaves, near_miss, retyped, rewrites
from ttc.passes.fuse.fuse_batch_norm import fuse_batch_norm
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


SCALED = {
    name: f'{product}%s: f32{shape} = const(ref="s")\n%y: f32[2,6] = mul(a=%c, b=%s)\nreturn "y"=%y'
    for (name, product), shape in zip(PRODUCTS.items(), ("[6,1,1]", "[1,6,1]", "[6,1]", "[6]"), strict=True)
}
SHIFTED = {name: text.replace("mul(a=%c, b=%s)", "add(a=%c, b=%s)") for name, text in SCALED.items()}


@pytest.mark.parametrize("kind", PRODUCTS)
@pytest.mark.parametrize("texts", [SCALED, SHIFTED], ids=["scaled", "shifted"])
def test_scales_and_shifts(kind, texts):
    after = run((fuse_batch_norm,), graph := retyped(texts[kind]), twice=True)
    assert sum("%x" in line for line in body(after).splitlines()) == 2  # the input and its one reader
    assert body(after).splitlines()[-2].split(" = ")[1].split("(")[0] in ("conv", "conv_transpose", "linear")
    agree(graph, after, tolerance=2e-6)


@pytest.mark.parametrize("kind", PRODUCTS)
@pytest.mark.parametrize("texts", [SCALED, SHIFTED], ids=["scaled", "shifted"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('const(ref="s")', 'input(name="s")'),
        ('"y"=%y', '"y"=%y, "c"=%c'),
    ],
)
def test_near_misses_of_scales_and_shifts(kind, texts, old, new):
    op = "mul" if texts is SCALED else "add"
    text = texts[kind]
    assert f"{op}(a=%c, b=%s)" not in body(run((fuse_batch_norm,), retyped(text)))
    graph = retyped(text.replace(old, new))
    assert fuse_batch_norm(graph) is graph


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("conv", "[2,1,1,1]"), ("conv", "[5]"), ("conv", "[5,1]"), ("conv", "[6,5,1]"), ("conv", "[2,6,1,1]"),
        ("conv", "[1,1,6,1,1]"), ("biased", "[5]"), ("biased", "[2,1,1]"), ("transposed", "[10]"),
        ("linear", "[2,1]"), ("linear", "[2,6]"), ("linear", "[1]"), ("linear", "[]"), ("linear", "[1,1,6]"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("texts", [SCALED, SHIFTED], ids=["scaled", "shifted"])
def test_what_does_not_go_by_channel_stays(kind, shape, texts):
    text = texts[kind]
    old = text.rsplit("%s: f32", 1)[1].split(" ")[0]
    graph = retyped(text.replace(f"%s: f32{old}", f"%s: f32{shape}"))
    assert fuse_batch_norm(graph) is graph


@pytest.mark.parametrize("shape", ["[]", "[1]", "[1,1,1]"])
@pytest.mark.parametrize("texts", [SCALED, SHIFTED], ids=["scaled", "shifted"])
def test_one_number_for_all_channels_of_a_convolution(shape, texts):
    text = texts["conv"].replace("%s: f32[6,1,1]", f"%s: f32{shape}")
    after = run((fuse_batch_norm,), graph := retyped(text), twice=True)
    assert body(after).splitlines()[-2].split(" = ")[1].startswith("conv(")
    agree(graph, after, tolerance=2e-6)


@pytest.mark.parametrize("kind", ["conv", "biased", "linear"])
@pytest.mark.parametrize("texts", [SCALED, SHIFTED], ids=["scaled", "shifted"])
def test_nothing_goes_behind_an_activation(kind, texts):
    product = texts[kind].split("%s:")[0].rstrip()
    activated = product[:-1] + ', activation="relu")'
    graph = retyped(texts[kind].replace(product, activated))
    assert fuse_batch_norm(graph) is graph


CHAINS = ["mul add mul", "mul mul", "add add", "mul add mul add add"]


@pytest.mark.parametrize(
    ("source", "order"),
    [
        *(("input", order) for order in CHAINS),
        *(("linear", order) for order in [*CHAINS, "add mul add", "add mul mul"]),
    ],
)
def test_chains_become_one_scale_and_one_shift(source, order):
    lines = [PRODUCTS["linear"]] if source == "linear" else ['%c: f32[2,6] = input(name="c")']
    last = "c"
    for number, op in enumerate(order.split()):
        lines += [
            f'%s{number}: f32[6] = const(ref="s{number}")',
            f"%v{number}: f32[2,6] = {op}(a=%{last}, b=%s{number})",
        ]
        last = f"v{number}"
    after = run((fuse_batch_norm,), graph := retyped("\n".join([*lines, f'return "y"=%{last}'])), twice=True)
    live = [line for line in body(after).splitlines() if "f32[2,6] = " in line and "input" not in line]
    found = [line.split(" = ")[1].split("(")[0] for line in live]
    assert found == (["linear"] if source == "linear" else sorted(set(order.split()), reverse=True))
    agree(graph, after, tolerance=2e-6)


def test_a_sum_that_nothing_takes_the_scale_of_stays():
    leaves(fuse_batch_norm, """
        %x: f32[2,6] = input(name="x")
        %s: f32[6] = const(ref="s")
        %t: f32[6] = const(ref="t")
        %d: f32[2,6] = add(a=%x, b=%s)
        %y: f32[2,6] = mul(a=%d, b=%t)
        return "y"=%y
    """)  # fmt: skip


@pytest.mark.parametrize("op", ["add", "mul"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('%s0: f32[6] = const(ref="s0")', '%s0: f32[6] = input(name="s0")'),
        ('%s0: f32[6] = const(ref="s0")', '%s0: f32[2,6] = const(ref="s0")'),
        ('%s1: f32[6] = const(ref="s1")', '%s1: f32[6] = input(name="s1")'),
        ('%s1: f32[6] = const(ref="s1")', '%s1: f32[2,1] = const(ref="s1")'),
        ('"y"=%y', '"y"=%y, "d"=%d'),
    ],
)
def test_near_misses_of_a_chain(op, old, new):
    text = f"""%x: f32[2,6] = input(name="x")
        %s0: f32[6] = const(ref="s0")
        %d: f32[2,6] = {op}(a=%x, b=%s0)
        %s1: f32[6] = const(ref="s1")
        %y: f32[2,6] = {op}(a=%d, b=%s1)
        return "y"=%y"""
    near_miss(text, old, new, f"{op}(a=%s0, b=%s1)", fuse_batch_norm)


def test_vectors_have_no_channels():
    leaves(fuse_batch_norm, """
        %x: f32[6] = input(name="x")
        %s: f32[6] = const(ref="s")
        %t: f32[6] = const(ref="t")
        %d: f32[6] = mul(a=%x, b=%s)
        %y: f32[6] = mul(a=%d, b=%t)
        return "y"=%y
    """)  # fmt: skip


def test_rows_stay():
    leaves(fuse_batch_norm, """
        %x: f32[1,1,25,4] = input(name="x")
        %w: f32[6,4,1,1] = const(ref="w")
        %s: f32[25,1] = const(ref="s")
        %c: f32[1,1,25,6] = conv(x=%x, w=%w, stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1], rows=[1, 5, 5])
        %y: f32[1,1,25,6] = mul(a=%c, b=%s)
        return "y"=%y
    """)  # fmt: skip


@pytest.mark.parametrize("rows", [4, 6])
@pytest.mark.parametrize(("first", "second"), [("mul", "mul"), ("add", "mul"), ("add", "add"), ("mul", "add")])
@pytest.mark.parametrize(("own", "other"), [("rows", "rows"), ("rows", "columns"), ("columns", "rows")])
def test_factors_of_rows_are_none_of_columns(rows: int, first: str, second: str, own: str, other: str):
    """A linear's channel is the last dimension: what differs by row is no scale of the weights, as many as there be."""
    shapes = {"rows": f"f32[1,{rows},1]", "columns": "f32[6]"}
    graph = graph_of(f"""%x: f32[1,{rows},3] = input(name="x")
        %w: f32[6,3] = const(ref="w")
        %p: {shapes[own]} = const(ref="p")
        %q: {shapes[other]} = const(ref="q")
        %c: f32[1,{rows},6] = linear(x=%x, w=%w)
        %d: f32[1,{rows},6] = {first}(a=%c, b=%p)
        %y: f32[1,{rows},6] = {second}(a=%d, b=%q)
        return "y"=%y""")
    agree(graph, run((fuse_batch_norm,), graph, twice=True))


def test_a_vector_that_broadcasts_its_source_stays():
    graph = graph_of("""%x: f32[1,1,4] = input(name="x")
        %w: f32[6,4] = const(ref="w")
        %p: f32[1,5,1] = const(ref="p")
        %q: f32[1,5,1] = const(ref="q")
        %c: f32[1,1,6] = linear(x=%x, w=%w)
        %d: f32[1,5,6] = mul(a=%c, b=%p)
        %y: f32[1,5,6] = mul(a=%d, b=%q)
        return "y"=%y""")
    agree(graph, run((fuse_batch_norm,), graph, twice=True))
