import pytest

from tests.passes.check import agree, body, graph_of, near_miss, retyped, rewrites
from ttc.passes.fuse.fuse_norm import fuse_norm
from ttc.passes.runner import run
from ttc.passes.simplify.simplify import simplify

HEAD = """%x: f32[2,3,8] = input(name="x")
%w: f32[8] = const(ref="w")
%b: f32[8] = const(ref="b")
%eps: f32[] = full(value=1e-05)
%one: f32[] = full(value=1.0)
%two: f32[] = full(value=2.0)
%half: f32[] = full(value=0.5)
%mean: f32[2,3,1] = mean(x=%x, dims=[2], keep=true)
%d: f32[2,3,8] = sub(a=%x, b=%mean)
"""
SQUARES = ["%q: f32[2,3,8] = mul(a=%d, b=%d)\n", "%q: f32[2,3,8] = pow(a=%d, b=%two)\n"]
VAR = "%v: f32[2,3,1] = mean(x=%q, dims=[2], keep=true)\n%e: f32[2,3,1] = add(a=%eps, b=%v)\n"
ENDS = [
    "%r: f32[2,3,1] = sqrt(x=%e)\n%n: f32[2,3,8] = div(a=%d, b=%r)\n",
    "%r: f32[2,3,1] = rsqrt(x=%e)\n%n: f32[2,3,8] = mul(a=%d, b=%r)\n",
    "%r: f32[2,3,1] = pow(a=%e, b=%half)\n%n: f32[2,3,8] = div(a=%d, b=%r)\n",
    "%s: f32[2,3,1] = sqrt(x=%e)\n%r: f32[2,3,1] = div(a=%one, b=%s)\n%n: f32[2,3,8] = mul(a=%r, b=%d)\n",
]
AFFINE = "%s1: f32[2,3,8] = mul(a=%w, b=%n)\n%y: f32[2,3,8] = add(a=%s1, b=%b)\n"


@pytest.mark.parametrize("square", SQUARES)
@pytest.mark.parametrize("end", ENDS)
def test_layer_norm(square, end):
    graph = graph_of(f'{HEAD}{square}{VAR}{end}{AFFINE}return "y"=%y')
    after = run((simplify, fuse_norm), graph, twice=True)
    assert body(after).splitlines()[-2:] == [
        "%y: f32[2,3,8] = layer_norm(x=%x, w=%w, bias=%b)",
        'return "y"=%y',
    ]
    assert len(after.nodes) == 4
    agree(graph, after)


@pytest.mark.parametrize("end", ENDS)
def test_rms_norm(end):
    text = (HEAD + SQUARES[0] + VAR + end).replace("%d:", "%unused:").replace("%d", "%x").replace("%e:", "%e:")
    graph = graph_of(f'{text}%y: f32[2,3,8] = mul(a=%n, b=%w)\nreturn "y"=%y')
    after = run((simplify, fuse_norm), graph, twice=True)
    assert body(after).splitlines()[-2] == "%y: f32[2,3,8] = rms_norm(x=%x, w=%w)"
    agree(graph, after)


def test_over_two_dimensions():
    text = (HEAD + SQUARES[0] + VAR + ENDS[0]).replace("dims=[2]", "dims=[1, 2]").replace("[2,3,1]", "[2,1,1]")
    graph = graph_of(f'{text}return "y"=%n')
    after = run((fuse_norm,), graph, twice=True)
    assert body(after).splitlines()[-2] == "%n: f32[2,3,8] = layer_norm(x=%x, dims=2)"
    agree(graph, after)


LAYER = HEAD + SQUARES[0] + VAR + ENDS[0] + AFFINE + 'return "y"=%y'
NORM_ALONE = HEAD + SQUARES[0] + VAR + ENDS[0] + 'return "y"=%n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mul(a=%d, b=%d)", "mul(a=%d, b=%x)"),
        ("mul(a=%d, b=%d)", "mul(a=%x, b=%d)"),
        ("mul(a=%d, b=%d)", "abs(x=%d)"),
        ("mean(x=%q, dims=[2], keep=true)", "sum(x=%q, dims=[2], keep=true)"),
        ("mean(x=%q, dims=[2], keep=true)", "mean(x=%q, dims=[1], keep=true)"),
        ("mean(x=%q, dims=[2], keep=true)", "mean(x=%q, dims=[0, 2], keep=true)"),
        ("mean(x=%q, dims=[2], keep=true)", "mean(x=%q, dims=[1, 2], keep=true)"),  # but the mean of x along 2 alone
        ("mean(x=%x, dims=[2], keep=true)", "mean(x=%x, dims=[1], keep=true)"),
        ("mean(x=%x, dims=[2], keep=true)", "mean(x=%x, dims=[1, 2], keep=true)"),
        ("mean(x=%x, dims=[2], keep=true)", "mean(x=%w, dims=[0], keep=true)"),
        ("sub(a=%x, b=%mean)", "sub(a=%mean, b=%x)"),
        ("sub(a=%x, b=%mean)", "add(a=%x, b=%mean)"),
        ("full(value=1e-05)", "full(value=0.0)"),
        ("%eps: f32[] = full(value=1e-05)", '%eps: f32[] = input(name="eps")'),
        ("%eps: f32[] = full(value=1e-05)", '%eps: f32[8] = const(ref="var_eps")'),
        ("div(a=%d, b=%r)", "div(a=%x, b=%r)"),
        ("div(a=%d, b=%r)", "div(a=%r, b=%d)"),
        ("div(a=%d, b=%r)", "mul(a=%d, b=%r)"),
        ("sqrt(x=%e)", "abs(x=%e)"),
    ],
)
def test_near_misses_of_layer_norm(old, new):
    near_miss(NORM_ALONE, old, new, "layer_norm(", simplify, fuse_norm)


@pytest.mark.parametrize(
    ("end", "old", "new"),
    [
        (ENDS[1], "rsqrt(x=%e)", "sqrt(x=%e)"),
        (ENDS[2], "pow(a=%e, b=%half)", "pow(a=%e, b=%two)"),
        (ENDS[2], "div(a=%d, b=%r)", "mul(a=%d, b=%r)"),
        (ENDS[3], "div(a=%one, b=%s)", "div(a=%two, b=%s)"),
    ],
)
def test_near_misses_of_roots(end, old, new):
    near_miss(HEAD + SQUARES[0] + VAR + end + 'return "y"=%n', old, new, "layer_norm(", simplify, fuse_norm)


MINUS = "%minus: f32[] = full(value=-0.5)\n%r: f32[2,3,1] = pow(a=%e, b=%minus)\n%n: f32[2,3,8] = mul(a=%d, b=%r)\n"


@pytest.mark.parametrize("number", ["0.5", "-1.5", "-0.25"])
def test_a_reciprocal_root_by_pow(number):
    text = HEAD + SQUARES[0] + VAR + MINUS + 'return "y"=%n'
    near_miss(text, "value=-0.5", f"value={number}", "layer_norm(x=%x)", simplify, fuse_norm)


def test_near_misses_of_rms_norm():
    """An rms norm over two dimensions is none: TTNN's is over the last."""
    text = (HEAD + SQUARES[0] + VAR + ENDS[0]).replace("%d:", "%unused:").replace("%d", "%x") + 'return "y"=%n'
    for dims in ("[1, 2]", "[1]", "[0, 2]"):
        old = "mean(x=%q, dims=[2], keep=true)"
        near_miss(text, old, old.replace("[2]", dims), "rms_norm(", simplify, fuse_norm)


ROUNDED = """%h: bf16[2,3,8] = input(name="h")
%w: bf16[8] = const(ref="w")
%x: f32[2,3,8] = cast(x=%h, dtype=f32)
%n: f32[2,3,8] = rms_norm(x=%x, eps=1e-05)
%c: bf16[2,3,8] = cast(x=%n, dtype=bf16)
%y: bf16[2,3,8] = mul(a=%c, b=%w)
return "y"=%y"""


def test_a_weight_behind_the_rounding_of_an_rms_norm():
    """Models of bf16 normalise in fp32, round, and then scale: the weight is taken in before the rounding."""
    graph = graph_of(ROUNDED)
    after = run((fuse_norm,), graph, twice=True)
    assert body(after).splitlines()[-3:] == [
        "%y: f32[2,3,8] = rms_norm(x=%x, w=%w_0)",
        "%y_0: bf16[2,3,8] = cast(x=%y, dtype=bf16)",
        'return "y"=%y_0',
    ]
    agree(graph, after, 2**-7)  # one rounding to bf16 less


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('%w: bf16[8] = const(ref="w")', '%w: bf16[8] = input(name="w")'),
        ('%w: bf16[8] = const(ref="w")', '%w: bf16[3,8] = const(ref="w")'),
        ("rms_norm(x=%x, eps=1e-05)", "softmax(x=%x, dim=2)"),
        ("mul(a=%c, b=%w)", "add(a=%c, b=%w)"),
        ('"y"=%y', '"y"=%y, "c"=%c'),
        ('"y"=%y', '"y"=%y, "n"=%n'),
    ],
)
def test_near_misses_of_a_rounded_norm(old, new):
    near_miss(ROUNDED, old, new, "w=%w", fuse_norm)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('%w: f32[8] = const(ref="w")', '%w: f32[8] = input(name="w")'),
        ('%w: f32[8] = const(ref="w")', '%w: f32[3,8] = const(ref="w")'),
        ('%w: f32[8] = const(ref="w")', '%w: f32[2,1,8] = const(ref="w")'),
        ('%w: f32[8] = const(ref="w")', '%w: f32[3,1] = const(ref="w")'),
        ('%w: f32[8] = const(ref="w")', '%w: f32[1,1,1,8] = const(ref="w")'),  # a result of one more dimension
        ('%w: f32[8] = const(ref="w")', '%w: f32[5,1,1,8] = const(ref="w")'),
        ('"y"=%y', '"y"=%y, "n"=%n'),
        ("mul(a=%w, b=%n)", "div(a=%n, b=%w)"),
        ("mul(a=%w, b=%n)", "add(a=%n, b=%w)"),
    ],
)
def test_near_misses_of_a_scale(old, new):
    near_miss(LAYER, old, new, "w=%", simplify, fuse_norm)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('%b: f32[8] = const(ref="b")', '%b: f32[3,8] = input(name="b")'),
        ('%b: f32[8] = const(ref="b")', '%b: f32[1] = input(name="b")'),
        ('%b: f32[8] = const(ref="b")', '%b: f32[3,8] = const(ref="b")'),
        ('%b: f32[8] = const(ref="b")', '%b: f32[3,1] = const(ref="b")'),
        ('%b: f32[8] = const(ref="b")', '%b: f32[1,1,1,8] = const(ref="b")'),
        ('"y"=%y', '"y"=%y, "s"=%s1'),
        ("add(a=%s1, b=%b)", "sub(a=%s1, b=%b)"),
    ],
)
def test_near_misses_of_a_shift(old, new):
    near_miss(LAYER, old, new, "bias=%", simplify, fuse_norm)


def test_a_scale_after_the_shift_stays_outside():
    shifted = AFFINE.replace("mul(a=%w, b=%n)", "add(a=%w, b=%n)").replace("add(a=%s1, b=%b)", "mul(a=%s1, b=%b)")
    graph = simplify(retyped(HEAD + SQUARES[0] + VAR + ENDS[0] + shifted + 'return "y"=%y'))
    after = run((fuse_norm,), graph, twice=True)
    assert body(after).splitlines()[-3:-1] == [
        "%s1: f32[2,3,8] = layer_norm(x=%x, bias=%w)",
        "%y: f32[2,3,8] = mul(a=%s1, b=%b)",
    ]
    agree(graph, after)


@pytest.mark.parametrize(
    ("shape", "dims", "fits"),
    [("[1,1,8]", 1, True), ("[1]", 1, True), ("[]", 1, True), ("[3,8]", 2, True), ("[1,3,1]", 2, True),
     ("[8]", 2, True), ("[2,1,8]", 2, False), ("[2,3,8]", 3, True), ("[3,8]", 3, True)],
)  # fmt: skip
def test_shapes_of_a_scale(shape, dims, fits):
    graph = retyped(f"""
        %x: f32[2,3,8] = input(name="x")
        %w: f32{shape} = const(ref="w")
        %n: f32[2,3,8] = layer_norm(x=%x, dims={dims})
        %y: f32[2,3,8] = mul(a=%n, b=%w)
        return "y"=%y
    """)
    after = run((fuse_norm,), graph, twice=True)
    assert ("mul(" not in body(after)) is fits
    agree(graph, after)


MODULATED = """
        %x: f32[2,3,8] = input(name="x")
        %s: f32[1,8] = input(name="s")
        %t: f32[1,1,8] = input(name="t")
        %n: f32[2,3,8] = layer_norm(x=%x)
        %m: f32[2,3,8] = mul(a=%n, b=%s)
        %y: f32[2,3,8] = add(a=%m, b=%t)
        return "y"=%y
"""


def test_rows_of_run_time_modulate_a_norm():
    rewrites(
        fuse_norm,
        MODULATED,
        """
        %x: f32[2,3,8] = input(name="x")
        %s: f32[1,8] = input(name="s")
        %t: f32[1,1,8] = input(name="t")
        %m: f32[8] = reshape(x=%s, shape=[8])
        %y: f32[8] = reshape(x=%t, shape=[8])
        %y_0: f32[2,3,8] = layer_norm(x=%x, w=%m, bias=%y)
        return "y"=%y_0
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("layer_norm(x=%x)", "layer_norm(x=%x, dims=2)"),
        ('%s: f32[1,8] = input(name="s")', '%s: f32[3,8] = input(name="s")'),
        ('%s: f32[1,8] = input(name="s")', '%s: f32[3,1] = input(name="s")'),
        ('%s: f32[1,8] = input(name="s")', '%s: f32[1] = input(name="s")'),
        ('%s: f32[1,8] = input(name="s")', '%s: f32[2,1,8] = input(name="s")'),
        ('%s: f32[1,8] = input(name="s")', '%s: f32[1,1,1,8] = input(name="s")'),
    ],
)
def test_near_misses_of_a_scale_of_run_time(old, new):
    near_miss(MODULATED, old, new, "w=%m", fuse_norm)
