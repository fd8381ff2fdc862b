"""Intervals: what ops are known to lie between, held against what they give; when inf and NaN cannot arise."""

from __future__ import annotations

import math

import pytest
import torch

from tests.passes.check import graph_of
from ttc import ops
from ttc.ir import Input
from ttc.ops.ranges import DEPTH, EVERYTHING, NOT_NEGATIVE, Interval, interval, surely_finite

INF = math.inf
PRELUDE = """
    %x: f32[4] = input(name="x")
    %w: f32[4] = input(name="w")
    %i: i64[4] = input(name="i")
    %b: bool[4] = input(name="b")
    %zero: f32[] = full(value=0.0)
    %two: f32[] = full(value=2.0)
    %half: f32[] = full(value=0.5)
    %three: f32[] = full(value=3.0)
    %low: f32[] = full(value=-2.0)
    %tanh: f32[4] = tanh(x=%x)
    %share: f32[4] = sigmoid(x=%x)
    %least: f32[4] = add(a=%share, b=%two)
"""


def last(lines: str):
    """The graph of these lines after the usual values, and its last value."""
    text = PRELUDE + "\n".join("    " + line.strip() for line in lines.strip().splitlines())
    name = text.splitlines()[-1].split(":")[0].strip()
    graph = graph_of(text + f'\n    return "y"={name}')
    return graph, graph.outputs[0][1]


@pytest.mark.parametrize(
    ("lines", "low", "high"),
    [
        ("%y: f32[4] = relu(x=%x)", 0, INF),
        ("%y: f32[4] = neg(x=%share)", -1, 0),
        ("%y: f32[4] = sub(a=%share, b=%two)", -2, -1),
        ("%y: f32[4] = mul(a=%x, b=%x)", 0, INF),
        ("%y: f32[4] = mul(a=%x, b=%w)", -INF, INF),
        ("%y: f32[4] = mul(a=%tanh, b=%low)", -2, 2),
        ("%y: f32[4] = mul(a=%tanh, b=%zero)", 0, 0),
        ("%y: f32[4] = div(a=%share, b=%least)", 0, 0.5),
        ("%y: f32[4] = div(a=%share, b=%tanh)", -INF, INF),
        ("%y: f32[4] = reciprocal(x=%least)", 1 / 3, 0.5),
        ("%y: f32[4] = reciprocal(x=%share)", -INF, INF),
        ("%y: f32[4] = rsqrt(x=%share)", -INF, INF),
        ("%y: f32[4] = rsqrt(x=%least)", 0, INF),
        ("%y: f32[4] = abs(x=%tanh)", 0, 1),
        ("%y: f32[4] = abs(x=%least)", 2, 3),
        ("%y: f32[4] = exp(x=%tanh)", math.exp(-1), math.e),
        ("%y: f32[4] = log(x=%least)", math.log(2), math.log(3)),
        ("%y: f32[4] = log(x=%x)", -INF, INF),
        ("%y: f32[4] = pow(a=%x, b=%two)", 0, INF),
        ("%y: f32[4] = pow(a=%tanh, b=%two)", 0, 1),
        ("%y: f32[4] = pow(a=%tanh, b=%three)", -1, 1),
        ("%y: f32[4] = pow(a=%tanh, b=%low)", 0, INF),
        ("%y: f32[4] = pow(a=%x, b=%half)", -INF, INF),
        ("%y: f32[4] = pow(a=%least, b=%half)", 2**0.5, 3**0.5),
        ("%y: f32[4] = pow(a=%x, b=%w)", -INF, INF),
        ("%y: f32[4] = maximum(a=%x, b=%two)", 2, INF),
        ("%y: f32[4] = minimum(a=%tanh, b=%zero)", -1, 0),
        ("%y: f32[4] = clamp(x=%x, low=-3.0)", -3, INF),
        ("%y: f32[4] = clamp(x=%tanh, low=0.5, high=9.0)", 0.5, 1),
        ("%y: f32[4] = where(condition=%b, a=%tanh, b=%two)", -1, 2),
        ("%y: f32[4] = cast(x=%b, dtype=f32)", 0, 1),
        ("%y: i64[4] = cast(x=%least, dtype=i64)", 2, 3),
        ("%c: i64[4] = cast(x=%least, dtype=i64)\n%y: i8[4] = cast(x=%c, dtype=i8)", 2, 3),
        ("%y: u8[4] = cast(x=%tanh, dtype=u8)", 0, INF),
        ("%y: i8[4] = cast(x=%i, dtype=i8)", -INF, INF),
        ("%y: f32[] = sum(x=%least, dims=[0])", 8, 12),
        ("%y: f32[] = mean(x=%least, dims=[0])", 2, 3),
        ("%y: f32[4] = cumsum(x=%least, dim=0)", 0, 12),
        ("%y: f32[4] = cumsum(x=%tanh, dim=0)", -4, 4),
        ('%y: f32[6] = pad(x=%tanh, pads=[[1, 1]], mode="constant", value=7.0)', -1, 7),
        ("%y: f32[8] = concat(xs=[%tanh, %least], dim=0)", -1, 3),
        ("%y: f32[4] = softplus(x=%x, beta=-1.0, threshold=20.0)", -INF, INF),
        ("%y: f32[2] = literal(data=[-3.0, 5.0])", -3, 5),
        ("%y: f32[2] = literal(data=[nan, 5.0])", -INF, INF),
        ("%y: f32[] = full(value=-inf)", -INF, -INF),
        ("%m: f32[] = full(value=-inf)\n%y: f32[4] = add(a=%tanh, b=%m)", -INF, -INF),
    ],
)  # fmt: skip
def test_what_a_value_lies_between(lines, low, high):
    graph, value = last(lines)
    found = interval(value)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-5)
    for numbers in (torch.linspace(-3, 3, 4), torch.tensor([0.0, -0.0, 1e4, -1e4]), torch.tensor([INF, -INF, 1, 0])):
        given = {"x": numbers, "w": numbers.flip(0), "i": torch.arange(4) * 200 - 300, "b": numbers > 0}
        y = ops.evaluate(graph, given)["y"].double()
        y = y[~y.isnan()]
        assert bool(((y >= found.low - 1e-5) & (y <= found.high + 1e-5)).all())


def test_integers_that_are_trusted():
    _, value = last("%y: i64[4] = add(a=%i, b=%i)")
    assert interval(value) == EVERYTHING
    assert interval(value, inputs=NOT_NEGATIVE) == NOT_NEGATIVE
    _, value = last("%y: i64[4] = cast(x=%x, dtype=i64)")
    assert interval(value, inputs=NOT_NEGATIVE) == EVERYTHING


def test_as_many_ops_are_looked_at_as_it_says():
    lines = "%r.0: f32[4] = relu(x=%x)\n"
    lines += "\n".join(f"%r.{n + 1}: f32[4] = flip(x=%r.{n}, dims=[0])" for n in range(DEPTH + 2))
    _, value = last(lines)
    assert interval(value) == EVERYTHING
    assert interval(value.op.x.op.x) == EVERYTHING  # type: ignore[attr-defined]
    assert interval(value.op.x.op.x.op.x) == NOT_NEGATIVE  # type: ignore[attr-defined]


def test_a_value_that_is_read_often_is_looked_at_once():
    lines = "%r.0: f32[4] = add(a=%tanh, b=%tanh)\n"
    lines += "\n".join(f"%r.{n + 1}: f32[4] = add(a=%r.{n}, b=%r.{n})" for n in range(9))
    _, value = last(lines)
    assert interval(value) == Interval(-1024.0, 1024.0)


FINITE = {
    "reciprocal(x=%least)": True, "reciprocal(x=%share)": False, "reciprocal(x=%low)": True,
    "div(a=%x, b=%least)": True, "div(a=%x, b=%tanh)": False, "div(a=%x, b=%low)": True,
    "log(x=%least)": True, "log(x=%share)": False, "log1p(x=%share)": True, "log1p(x=%tanh)": False,
    "rsqrt(x=%least)": True, "rsqrt(x=%share)": False, "sqrt(x=%share)": True, "sqrt(x=%tanh)": False,
    "exp(x=%tanh)": True, "exp(x=%x)": False, "expm1(x=%x)": False, "cosh(x=%tanh)": True, "cosh(x=%x)": False,
    "sinh(x=%tanh)": True, "atanh(x=%tanh)": False, "acos(x=%tanh)": True, "acos(x=%least)": False,
    "acosh(x=%least)": True, "acosh(x=%share)": False, "tanh(x=%x)": True,
    "pow(a=%x, b=%two)": True, "pow(a=%x, b=%low)": False, "pow(a=%least, b=%low)": True, "pow(a=%x, b=%half)": False,
    "pow(a=%share, b=%half)": True, "pow(a=%least, b=%x)": False, "fmod(a=%x, b=%least)": True,
    "fmod(a=%x, b=%x)": False, "remainder(a=%x, b=%tanh)": False, "cumprod(x=%tanh, dim=0)": True,
    "cumprod(x=%least, dim=0)": False,
}  # fmt: skip


@pytest.mark.parametrize("line", FINITE)
def test_inf_and_nan_cannot_arise(line):
    graph, value = last(f"%y: f32[{'' if '%low)' in line and 'x=' in line else 4}] = {line}")
    assert surely_finite(value.op) is FINITE[line]
    numbers = torch.tensor([[0.0, -0.0, 1.0, -1.0], [1e4, -1e4, 90.0, -3.0], [1e-30, -1e-30, 1e-3, -2.0]])
    inputs = [value.op.name for value in graph.inputs if isinstance(value.op, Input)]
    given = {"w": torch.ones(4), "i": torch.arange(4), "b": torch.ones(4, dtype=torch.bool)}
    results = torch.cat([ops.evaluate(graph, {**given, "x": row})["y"].reshape(-1) for row in numbers])
    assert "x" in inputs
    assert bool(results.isfinite().all()) or not FINITE[line]


@pytest.mark.parametrize(("eps", "finite"), [(1e-5, True), (1e-12, True), (0.0, False), (1e-40, False)])
def test_norms_need_an_epsilon(eps, finite):
    _, value = last(f"%r: f32[1,4] = reshape(x=%x, shape=[1, 4])\n%y: f32[1,4] = layer_norm(x=%r, dims=1, eps={eps})")
    assert surely_finite(value.op) is finite
