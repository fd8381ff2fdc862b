import pytest

from tests.passes.check import agree, body, graph_of, leaves
from ttc.passes.decompose.decompose import decompose
from ttc.passes.runner import run

INPUTS = """
%x: f32[3,2,4] = input(name="x")
%n: i64[2] = input(name="n")
%h: f32[{d},2,{p}] = input(name="h")
%w: f32[{d},{wide},4] = {source}("w")
%r: f32[{d},{wide},{p}] = {source}("r")
%b: f32[{d},{wide}] = {source}("b")
"""
LSTM = """%c: f32[{d},2,5] = input(name="c")
%j: f32[{d},{p},5] = input(name="j")
%e: f32[{d},15] = input(name="e")
%y: f32[3,2,{dp}], %hn: f32[{d},2,{p}], %cn: f32[{d},2,5] = lstm({weights}, lengths=%n, h=%h, c=%c, {more})
return "y"=%y, "h"=%hn, "c"=%cn
"""
OTHER = """%k: f32[{d},5] = input(name="k")
%y: f32[3,2,{dp}], %hn: f32[{d},2,5] = {kind}({weights}, {more})
return "y"=%y, "h"=%hn
"""


def text(kind: str, directions: int = 1, state: int = 5, more: str = "", source: str = "input(name=") -> str:
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[kind]
    weights = "x=%x, w=%w, r=%r, bias=%b"
    numbers = {
        "weights": weights,
        "d": directions,
        "p": state,
        "wide": 5 * gates,
        "dp": directions * state,
        "kind": kind,
        "more": more,
    }
    whole = (INPUTS + (LSTM if kind == "lstm" else OTHER)).format(**numbers, source="@")
    return whole.replace("@(", source).replace(", )", ")")


@pytest.mark.parametrize(
    ("kind", "directions", "state", "more"),
    [
        ("lstm", 1, 5, "reverse=true"),
        ("lstm", 2, 3, "projection=%j, peephole=%e, clip=0.5"),
        ("gru", 2, 5, "lengths=%n, h=%h"),
        ("gru", 1, 5, "bias_n=%k, h=%h, reset_after=true"),
        ("gru", 1, 5, 'reset_after=false, activations=["hard_sigmoid", "softsign"]'),
        ("lstm", 1, 5, 'coupled=true, activations=["hard_sigmoid(0.3, 0.4)", "scaled_tanh(0.9, 0.7)", "elu(0.5)"]'),
        ("rnn", 1, 5, 'activations=["affine(0.5, 0.1)"]'),
        ("rnn", 1, 5, 'activations=["thresholded_relu(0.2)"]'),
        ("rnn", 2, 5, "lengths=%n"),
        ("rnn", 1, 5, 'clip=0.3, activations=["relu"], reverse=true'),
    ],
)
def test_weights_of_run_time(kind, directions, state, more):
    graph = graph_of(text(kind, directions, state, more))
    after = run((decompose,), graph, twice=True)
    assert f" = {kind}(" not in body(after)
    agree(graph, after, tolerance=1e-5)


def test_known_weights_stay():
    leaves(decompose, text("rnn", source="const(ref="))
