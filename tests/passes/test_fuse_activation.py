import pytest

from tests.passes.check import agree, body, graph_of, leaves
from ttc.passes.fuse_activation import fuse_activation
from ttc.passes.runner import run
from ttc.passes.simplify import simplify

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
    ],
)
def test_others_stay(lines):
    leaves(fuse_activation, body(simplify(graph_of(f'{HEAD}{lines}\nreturn "y"=%y'))))
