import pytest

from tests.passes.check import agree, body, graph_of, leaves
from ttc.passes.fuse_norm import fuse_norm
from ttc.passes.runner import run
from ttc.passes.simplify import simplify

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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("%q: f32[2,3,8] = mul(a=%d, b=%d)", "%q: f32[2,3,8] = mul(a=%d, b=%x)"),
        ("%v: f32[2,3,1] = mean(x=%q, dims=[2], keep=true)", "%v: f32[2,3,1] = sum(x=%q, dims=[2], keep=true)"),
        ("%d: f32[2,3,8] = sub(a=%x, b=%mean)", "%d: f32[2,3,8] = sub(a=%mean, b=%x)"),
    ],
)
def test_others_stay(old, new):
    text = (HEAD + SQUARES[0] + VAR + ENDS[0]).replace(old, new)
    graph = simplify(graph_of(f'{text}return "y"=%n'))
    assert "layer_norm" not in body(fuse_norm(graph))


def test_a_live_scale_stays_outside():
    leaves(
        fuse_norm,
        """
        %x: f32[2,3,8] = input(name="x")
        %s: f32[8] = input(name="s")
        %n: f32[2,3,8] = layer_norm(x=%x)
        %y: f32[2,3,8] = mul(a=%n, b=%s)
        return "y"=%y
        """,
    )
