import pytest

from tests.passes.check import agree, body, graph_of, leaves, near_miss, retyped
from ttc.passes.fuse.fuse_activation import fuse_activation
from ttc.passes.runner import run
from ttc.passes.simplify.simplify import simplify

HEAD = """
%x: f32[3,8] = input(name="x")
%one: f32[] = full(value=1.0)
%two: f32[] = full(value=2.0)
%three: f32[] = full(value=3.0)
%six: f32[] = full(value=6.0)
%half: f32[] = full(value=0.5)
%root: f32[] = full(value=1.4142135381698608)
%inverse: f32[] = full(value=0.7071067690849304)
%k: f32[] = full(value=0.7978845834732056)
%c: f32[] = full(value=0.044714998453855515)
"""
ERF = "%a: f32[3,8] = div(a=%x, b=%root)\n%b: f32[3,8] = erf(x=%a)\n%g: f32[3,8] = add(a=%b, b=%one)\n"
ERF_BY_MUL = "%a: f32[3,8] = mul(a=%x, b=%inverse)\n%b: f32[3,8] = erf(x=%a)\n%g: f32[3,8] = add(a=%one, b=%b)\n"
TANH = """%p: f32[3,8] = pow(a=%x, b=%three)
%q: f32[3,8] = mul(a=%p, b=%c)
%r: f32[3,8] = add(a=%x, b=%q)
%s: f32[3,8] = mul(a=%r, b=%k)
%t: f32[3,8] = tanh(x=%s)
%g: f32[3,8] = add(a=%one, b=%t)
"""
TANH_OF_PRODUCTS = """%p: f32[3,8] = mul(a=%x, b=%k)
%q: f32[3,8] = mul(a=%x, b=%c)
%r: f32[3,8] = mul(a=%q, b=%x)
%s: f32[3,8] = add(a=%one, b=%r)
%u: f32[3,8] = mul(a=%p, b=%s)
%t: f32[3,8] = tanh(x=%u)
%g: f32[3,8] = add(a=%t, b=%one)
"""
ENDS = [
    "%m: f32[3,8] = mul(a=%x, b=%g)\n%y: f32[3,8] = mul(a=%m, b=%half)",
    "%m: f32[3,8] = mul(a=%x, b=%half)\n%y: f32[3,8] = mul(a=%m, b=%g)",
    "%m: f32[3,8] = mul(a=%g, b=%half)\n%y: f32[3,8] = mul(a=%x, b=%m)",
    "%m: f32[3,8] = mul(a=%half, b=%x)\n%y: f32[3,8] = mul(a=%g, b=%m)",
    "%m: f32[3,8] = mul(a=%g, b=%x)\n%y: f32[3,8] = div(a=%m, b=%two)",
]


def fused(lines: str, op: str) -> None:
    graph = run((simplify,), graph_of(f'{HEAD}{lines}\nreturn "y"=%y'))
    after = run((fuse_activation,), graph, twice=True)
    assert body(after) == f'%x: f32[3,8] = input(name="x")\n%y: f32[3,8] = {op}\nreturn "y"=%y'
    agree(graph, after)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("gate", "op"),
    [
        (ERF, "gelu(x=%x)"),
        (ERF_BY_MUL, "gelu(x=%x)"),
        (TANH, "gelu(x=%x, approximate=true)"),
        (TANH_OF_PRODUCTS, "gelu(x=%x, approximate=true)"),
    ],
)
def test_gelu(gate, op, end):
    fused(gate + end, op)


@pytest.mark.parametrize(
    ("lines", "op"),
    [
        ("%g: f32[3,8] = sigmoid(x=%x)\n%y: f32[3,8] = mul(a=%x, b=%g)", "silu(x=%x)"),
        ("%g: f32[3,8] = sigmoid(x=%x)\n%y: f32[3,8] = mul(a=%g, b=%x)", "silu(x=%x)"),
        ("%g: f32[3,8] = hard_sigmoid(x=%x)\n%y: f32[3,8] = mul(a=%x, b=%g)", "hard_swish(x=%x)"),
        (
            "%a: f32[3,8] = add(a=%x, b=%three)\n%g: f32[3,8] = clamp(x=%a, low=0.0, high=6.0)\n"
            "%m: f32[3,8] = mul(a=%x, b=%g)\n%y: f32[3,8] = div(a=%m, b=%six)",
            "hard_swish(x=%x)",
        ),
        ("%a: f32[3,8] = softplus(x=%x)\n%g: f32[3,8] = tanh(x=%a)\n%y: f32[3,8] = mul(a=%x, b=%g)", "mish(x=%x)"),
        (
            "%a: f32[3,8] = neg(x=%x)\n%b: f32[3,8] = exp(x=%a)\n%g: f32[3,8] = add(a=%one, b=%b)\n"
            "%y: f32[3,8] = div(a=%one, b=%g)",
            "sigmoid(x=%x)",
        ),
    ],
)
def test_gates(lines, op):
    fused(lines, op)


@pytest.mark.parametrize(
    "lines",
    [
        ERF.replace("%root", "%two") + ENDS[0],
        ERF + ENDS[0].replace("b=%half", "b=%six"),
        "%g: f32[3,8] = sigmoid(x=%x)\n%a: f32[3,8] = abs(x=%x)\n%y: f32[3,8] = mul(a=%a, b=%g)",
        "%b: f32[3,8] = mul(a=%x, b=%root)\n%g: f32[3,8] = sigmoid(x=%b)\n%y: f32[3,8] = mul(a=%x, b=%g)",
        "%t: f32[] = tanh(x=%k)\n%g: f32[] = add(a=%one, b=%t)\n" + ENDS[0],
    ],
)
def test_others_stay(lines):
    leaves(fuse_activation, body(simplify(graph_of(f'{HEAD}{lines}\nreturn "y"=%y'))))


HARD = (
    "%a: f32[3,8] = add(a=%x, b=%three)\n%g: f32[3,8] = clamp(x=%a, low=0.0, high=6.0)\n"
    "%m: f32[3,8] = mul(a=%x, b=%g)\n%y: f32[3,8] = div(a=%m, b=%six)"
)
SIGMOID = "%g: f32[3,8] = sigmoid(x=%x)\n%y: f32[3,8] = mul(a=%x, b=%g)"
HARD_SIGMOID = "%g: f32[3,8] = hard_sigmoid(x=%x)\n%y: f32[3,8] = mul(a=%x, b=%g)"
MISH = "%a: f32[3,8] = softplus(x=%x)\n%g: f32[3,8] = tanh(x=%a)\n%y: f32[3,8] = mul(a=%x, b=%g)"
LOGISTIC = (
    "%a: f32[3,8] = neg(x=%x)\n%b: f32[3,8] = exp(x=%a)\n%g: f32[3,8] = add(a=%one, b=%b)\n"
    "%y: f32[3,8] = div(a=%one, b=%g)"
)
ERF_GELU, TANH_GELU, PRODUCT_GELU = ERF + ENDS[0], TANH + ENDS[0], TANH_OF_PRODUCTS + ENDS[0]


@pytest.mark.parametrize(
    ("lines", "old", "new", "made"),
    [
        (ERF_GELU, "div(a=%x, b=%root)", "div(a=%x, b=%two)", "gelu("),
        (ERF_GELU, "div(a=%x, b=%root)", "mul(a=%x, b=%root)", "gelu("),
        (ERF_GELU, "div(a=%x, b=%root)", "mul(a=%x, b=%x)", "gelu("),
        (ERF_GELU, "add(a=%b, b=%one)", "add(a=%b, b=%two)", "gelu("),
        (ERF_GELU, "add(a=%b, b=%one)", "sub(a=%b, b=%one)", "gelu("),
        (ERF_GELU, "erf(x=%a)", "sin(x=%a)", "gelu("),
        (ERF_GELU, "erf(x=%a)", "tanh(x=%a)", "gelu("),
        (ERF_GELU, "mul(a=%x, b=%g)", "mul(a=%a, b=%g)", "gelu("),
        (ERF_GELU, "mul(a=%m, b=%half)", "mul(a=%m, b=%two)", "gelu("),
        (ERF_GELU, "mul(a=%m, b=%half)", "div(a=%half, b=%m)", "gelu("),
        (ERF_GELU, "mul(a=%m, b=%half)", "mul(a=%m, b=%x)", "gelu("),
        (TANH_GELU, "pow(a=%x, b=%three)", "pow(a=%x, b=%two)", "gelu("),
        (TANH_GELU, "mul(a=%p, b=%c)", "mul(a=%p, b=%k)", "gelu("),
        (TANH_GELU, "mul(a=%p, b=%c)", "add(a=%p, b=%c)", "gelu("),
        (TANH_GELU, "add(a=%x, b=%q)", "add(a=%p, b=%q)", "gelu("),
        (TANH_GELU, "add(a=%x, b=%q)", "sub(a=%x, b=%q)", "gelu("),
        (TANH_GELU, "mul(a=%r, b=%k)", "mul(a=%r, b=%half)", "gelu("),
        (TANH_GELU, "mul(a=%r, b=%k)", "mul(a=%q, b=%k)", "gelu("),
        (TANH_GELU, "tanh(x=%s)", "sigmoid(x=%s)", "gelu("),
        (TANH_GELU, "add(a=%one, b=%t)", "add(a=%half, b=%t)", "gelu("),
        (PRODUCT_GELU, "mul(a=%q, b=%x)", "mul(a=%q, b=%one)", "gelu("),
        (PRODUCT_GELU, "mul(a=%q, b=%x)", "mul(a=%q, b=%two)", "gelu("),
        (PRODUCT_GELU, "add(a=%one, b=%r)", "add(a=%half, b=%r)", "gelu("),
        (PRODUCT_GELU, "mul(a=%x, b=%c)", "mul(a=%x, b=%k)", "gelu("),
        (PRODUCT_GELU, "mul(a=%x, b=%k)", "abs(x=%x)", "gelu("),
        (SIGMOID, "mul(a=%x, b=%g)", "div(a=%x, b=%g)", "silu("),
        (SIGMOID, "mul(a=%x, b=%g)", "add(a=%x, b=%g)", "silu("),
        (SIGMOID, "sigmoid(x=%x)", "sigmoid(x=%one)", "silu("),
        (SIGMOID, "%g: f32[3,8] = sigmoid(x=%x)",
         "%x2: f32[3,8] = mul(a=%x, b=%two)\n%g: f32[3,8] = sigmoid(x=%x2)", "silu("),
        (SIGMOID, "%y: f32[3,8] = mul(a=%x, b=%g)",
         "%z: f32[3,8] = mul(a=%x, b=%two)\n%y: f32[3,8] = mul(a=%z, b=%g)", "silu("),
        (HARD_SIGMOID, "hard_sigmoid(x=%x)", "hard_sigmoid(x=%x, alpha=0.2)", "hard_swish("),
        (HARD_SIGMOID, "hard_sigmoid(x=%x)", "hard_sigmoid(x=%x, beta=0.25)", "hard_swish("),
        (HARD_SIGMOID, "%y: f32[3,8] = mul(a=%x, b=%g)",
         "%z: f32[3,8] = mul(a=%x, b=%two)\n%y: f32[3,8] = mul(a=%z, b=%g)", "hard_swish("),
        (HARD_SIGMOID, "%y: f32[3,8] = mul(a=%x, b=%g)",
         "%z: f32[3,8] = abs(x=%x)\n%y: f32[3,8] = mul(a=%z, b=%g)", "hard_swish("),
        (HARD, "add(a=%x, b=%three)", "add(a=%x, b=%two)", "hard_swish("),
        (HARD, "low=0.0", "low=-1.0", "hard_swish("),
        (HARD, "high=6.0", "high=5.0", "hard_swish("),
        (HARD, "div(a=%m, b=%six)", "div(a=%m, b=%three)", "hard_swish("),
        (HARD, "mul(a=%x, b=%g)", "mul(a=%a, b=%g)", "hard_swish("),
        (MISH, "softplus(x=%x)", "softplus(x=%x, beta=2.0)", "mish("),
        (MISH, "mul(a=%x, b=%g)", "mul(a=%a, b=%g)", "mish("),
        (MISH, "%y: f32[3,8] = mul(a=%x, b=%g)",
         "%z: f32[3,8] = mul(a=%x, b=%two)\n%y: f32[3,8] = mul(a=%z, b=%g)", "mish("),
        (MISH, "tanh(x=%a)", "sigmoid(x=%a)", "mish("),
        (LOGISTIC, "neg(x=%x)", "abs(x=%x)", "sigmoid("),
        (LOGISTIC, "exp(x=%a)", "sin(x=%a)", "sigmoid("),
        (LOGISTIC, "add(a=%one, b=%b)", "add(a=%two, b=%b)", "sigmoid("),
        (LOGISTIC, "div(a=%one, b=%g)", "div(a=%two, b=%g)", "sigmoid("),
    ],
)  # fmt: skip
def test_near_misses(lines, old, new, made):
    near_miss(f'{HEAD}{lines}\nreturn "y"=%y', old, new, made, simplify, fuse_activation)


@pytest.mark.parametrize("number", ["0.5078125", "0.4921875"])
@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
def test_another_number_is_no_rounding(number, dtype):
    """One part in 64 is more than any dtype rounds."""
    text = f'{HEAD}{ERF}{ENDS[0]}\nreturn "y"=%y'.replace("f32", dtype)
    near_miss(text, "%half: " + dtype + "[] = full(value=0.5)", f"%half: {dtype}[] = full(value={number})", "gelu(",
              simplify, fuse_activation)  # fmt: skip


@pytest.mark.parametrize(("dtype", "root"), [("bf16", 1.4140625), ("f16", 1.4140625), ("f32", 1.4142135381698608)])
def test_constants_as_a_dtype_rounds_them(dtype, root):
    text = f'{HEAD}{ERF}{ENDS[0]}\nreturn "y"=%y'.replace("f32", dtype).replace("1.4142135381698608", str(root))
    after = run((simplify, fuse_activation), retyped(text), twice=True)
    assert "gelu(x=%x)" in body(after)


def test_integers_are_no_gates():
    graph = simplify(retyped("""
        %x: i32[3,8] = input(name="x")
        %y: i32[3,8] = mul(a=%x, b=%x)
        return "y"=%y
    """))  # fmt: skip
    assert fuse_activation(graph) is graph


def test_a_number_that_widens_the_product_stays():
    graph = simplify(retyped("""
        %x: f32[1,8] = input(name="x")
        %one: f32[3,1] = full(value=1.0)
        %g: f32[1,8] = sigmoid(x=%x)
        %m: f32[3,8] = mul(a=%g, b=%one)
        %y: f32[3,8] = mul(a=%x, b=%m)
        return "y"=%y
    """))  # fmt: skip
    after = fuse_activation(graph)
    assert "silu(" not in body(after)
    agree(graph, after)


def test_one_less_erf_is_erfc():
    graph = run(
        (simplify,), graph_of(HEAD + '%e: f32[3,8] = erf(x=%x)\n%y: f32[3,8] = sub(a=%one, b=%e)\nreturn "y"=%y')
    )
    after = run((fuse_activation,), graph, twice=True)
    assert "%y: f32[3,8] = erfc(x=%x)" in body(after)
    agree(graph, after)


@pytest.mark.parametrize("line", ["sub(a=%two, b=%e)", "sub(a=%e, b=%one)", "add(a=%one, b=%e)"])
def test_other_differences_of_erf_stay(line):
    graph = run((simplify,), graph_of(HEAD + f'%e: f32[3,8] = erf(x=%x)\n%y: f32[3,8] = {line}\nreturn "y"=%y'))
    assert "erfc" not in body(run((fuse_activation,), graph))


@pytest.mark.parametrize(("sign", "fuses"), [("neg(x=%x)", True), ("relu(x=%x)", False)])
def test_gelu_by_erfc(sign, fuses):
    lines = f"""%n: f32[3,8] = {sign}
%a: f32[3,8] = div(a=%n, b=%root)
%g: f32[3,8] = erfc(x=%a)
%m: f32[3,8] = mul(a=%x, b=%g)
%y: f32[3,8] = mul(a=%m, b=%half)
return "y"=%y"""
    graph = run((simplify,), graph_of(HEAD + lines))
    after = run((fuse_activation,), graph, twice=True)
    assert ("gelu(x=%x)" in body(after)) is fuses
    agree(graph, after)
