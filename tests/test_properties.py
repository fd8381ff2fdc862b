"""Random graphs of ops: their programs give the numbers that the ops mean, or are refused with a reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mock_cards import check_many
from ttc import ops, passes
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.ir import Builder, DType, Graph, Input, TensorType, Value, parse_graph, verify
from ttc.passes import run
from ttc.pipeline import Options, compile_graph
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.session import Session
from ttc.validation.accuracy import scaled_error

TOLERANCE = 1e-4
"""Scaled error of a few fp32 ops after one another."""

EXAMPLES = int(os.environ.get("TTC_EXAMPLES", "150"))

ordinary = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
sizes = st.sampled_from((1, 1, 2, 3, 5, 8, 31, 32, 33, 0))
shapes = st.lists(sizes, min_size=0, max_size=6).map(tuple).filter(lambda shape: prod(shape) <= 4096)
"""Shapes of rank 0 to 6 with sizes of 0 and 1, and such as fill tiles or not."""

Make = Callable[[Any, Builder, Value], Value]


def _number(draw: Any, builder: Builder, x: Value) -> Value:
    number = draw(st.sampled_from((0.5, -2.0, 1.0, 3.0)))
    return builder(ops.Full(TensorType(DType.f32, ()), number))


def _partner(draw: Any, builder: Builder, x: Value) -> Value:
    """Something that broadcasts with x: x's own kind, a row of it, or a number."""
    match draw(st.integers(0, 3)):
        case 0:
            return x
        case 1:
            return _number(draw, builder, x)
        case 2:
            shape = tuple(1 if draw(st.booleans()) else size for size in x.shape)
        case _:
            shape = x.shape[draw(st.integers(0, len(x.shape))) :]
    return _input(builder, TensorType(DType.f32, shape))


def _input(builder: Builder, type: TensorType) -> Value:
    taken = sum(isinstance(node.op, Input) for node in builder._nodes)
    return builder(Input(type, f"x{taken}"))


def _unary(draw: Any, builder: Builder, x: Value) -> Value:
    kind = draw(st.sampled_from((ops.Relu, ops.Neg, ops.Abs, ops.Tanh, ops.Sigmoid, ops.Exp, ops.Floor, ops.Sign,
                                 ops.Silu, ops.Softsign, ops.Erf, ops.Cos, ops.Gelu, ops.Ceil, ops.Round)))  # fmt: skip
    return builder(kind(x))


def _binary(draw: Any, builder: Builder, x: Value) -> Value:
    kind = draw(st.sampled_from((ops.Add, ops.Sub, ops.Mul, ops.Maximum, ops.Minimum)))
    pair = (x, _partner(draw, builder, x))
    return builder(kind(*(pair if draw(st.booleans()) else reversed(pair))))


def _where(draw: Any, builder: Builder, x: Value) -> Value:
    kind = draw(st.sampled_from((ops.Gt, ops.Lt, ops.Ge, ops.Le, ops.Eq, ops.Ne)))
    chosen = builder(kind(x, _partner(draw, builder, x)))
    return builder(ops.Where(chosen, x, _partner(draw, builder, x)))


def _matmul(draw: Any, builder: Builder, x: Value) -> Value:
    if x.type.rank < 2:
        return x
    columns = draw(st.sampled_from((1, 4, 33)))
    batch = draw(st.sampled_from(((), x.shape[:-2])))
    return builder(ops.Matmul(x, _input(builder, TensorType(DType.f32, (*batch, x.shape[-1], columns)))))


def _reduce(draw: Any, builder: Builder, x: Value) -> Value:
    if not x.type.rank:
        return x
    dims = draw(st.sets(st.integers(0, x.type.rank - 1), min_size=1))
    kind = draw(st.sampled_from((ops.Sum, ops.Mean, ops.Max, ops.Min)))
    if kind is not ops.Sum and not all(x.shape[dim] for dim in dims):
        return x
    return builder(kind(x, tuple(sorted(dims)), draw(st.booleans())))


def _softmax(draw: Any, builder: Builder, x: Value) -> Value:
    if not x.type.rank:
        return x
    kind = draw(st.sampled_from((ops.Softmax, ops.LogSoftmax)))
    return builder(kind(x, draw(st.integers(0, x.type.rank - 1))))


def _reshape(draw: Any, builder: Builder, x: Value) -> Value:
    match draw(st.integers(0, 2)):
        case 0:
            shape: tuple[int, ...] = (x.type.numel,)
        case 1:
            at = draw(st.integers(0, x.type.rank))
            shape = (*x.shape[:at], 1, *x.shape[at:])
        case _:
            at = draw(st.integers(0, max(0, x.type.rank - 2)))
            shape = (*x.shape[:at], prod(x.shape[at : at + 2]), *x.shape[at + 2 :])
    return x if len(shape) > 6 else builder(ops.Reshape(x, shape))


def _permute(draw: Any, builder: Builder, x: Value) -> Value:
    return builder(ops.Permute(x, tuple(draw(st.permutations(range(x.type.rank))))))


def _slice(draw: Any, builder: Builder, x: Value) -> Value:
    starts, ends, steps = [], [], []
    for size in x.shape:
        starts.append(draw(st.integers(0, size)))
        ends.append(draw(st.integers(starts[-1], size)))
        steps.append(draw(st.sampled_from((1, 1, 2, 3))))
    return builder(ops.Slice(x, tuple(starts), tuple(ends), tuple(steps)))


def _concat(draw: Any, builder: Builder, x: Value) -> Value:
    if not x.type.rank or x.type.numel > 4096:
        return x
    dim = draw(st.integers(0, x.type.rank - 1))
    shape = tuple(draw(sizes) if d == dim else size for d, size in enumerate(x.shape))
    return builder(ops.Concat((x, _input(builder, TensorType(DType.f32, shape)), x), dim))


def _pad(draw: Any, builder: Builder, x: Value) -> Value:
    pads = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in x.shape)
    return builder(ops.Pad(x, pads, "constant", 1.5)) if x.type.numel <= 1024 else x


def _expand(draw: Any, builder: Builder, x: Value) -> Value:
    shape = tuple(draw(st.sampled_from((1, 3))) if size == 1 else size for size in x.shape)
    return builder(ops.Expand(x, shape)) if x.type.numel <= 1024 else x


def _cast(draw: Any, builder: Builder, x: Value) -> Value:
    """There and back through another dtype, where numbers of this size survive or are cut off."""
    small = builder(ops.Clamp(x, -1000.0, 1000.0))
    middle = draw(st.sampled_from((DType.i32, DType.bool, DType.i64)))
    return builder(ops.Cast(builder(ops.Cast(small, middle)), DType.f32))


KINDS: tuple[Make, ...] = (
    _unary, _binary, _where, _matmul, _reduce, _softmax, _reshape, _permute, _slice, _concat, _pad, _expand, _cast,
)  # fmt: skip


@st.composite
def texts(draw: Any, most: int = 5) -> str:
    """One to `most` ops after one another, with operands of their own, all in f32, as text."""
    builder = Builder()
    x = _input(builder, TensorType(DType.f32, draw(shapes)))
    for _ in range(draw(st.integers(1, most))):
        x = draw(st.sampled_from(KINDS))(draw, builder, x)
    return str(verify(builder.finish({"y": x})))


def inputs_of(graph: Graph, seed: int) -> dict[str, torch.Tensor]:
    """Numbers that make no two operands of a maximum or a comparison equal by accident."""
    generator = torch.Generator().manual_seed(seed)
    types = {value.op.name: value.type for value in graph.inputs if isinstance(value.op, Input)}
    return {name: torch.randn(type.shape, generator=generator) for name, type in types.items()}


def emulated(graph: Graph, inputs: dict[str, torch.Tensor], dtype: str = "fp32") -> dict[str, np.ndarray] | None:
    """What the program gives on the emulator; None if compiling it is refused, with reasons that say something."""
    try:
        build = compile_graph(graph, Options(TARGETS["n150"], dtype))
    except Refused as refused:
        if not all(where and reason for where, reason in refused.reasons):
            raise
        return None
    session = Session([build.bucket], build.weights, EmulatorDevice("exact"))
    return session.run({name: tensor.numpy() for name, tensor in inputs.items()})


@given(text=texts(), seed=st.integers(0, 1000))
@ordinary
def test_programs_give_the_numbers_of_their_ops(text: str, seed: int):
    graph = parse_graph(text)
    inputs = inputs_of(graph, seed)
    wanted = ops.evaluate(graph, inputs)["y"].numpy()
    found = emulated(graph, inputs)
    if found is not None:
        assert found["y"].shape == wanted.shape
        assert not wanted.size or scaled_error(found["y"], wanted) <= TOLERANCE


@given(text=texts())
@ordinary
def test_text_round_trips(text: str):
    assert str(verify(parse_graph(text))) == text


@given(text=texts(8), seed=st.integers(0, 1000))
@ordinary
def test_passes_keep_the_numbers(text: str, seed: int):
    graph = parse_graph(text)
    inputs = inputs_of(graph, seed)
    wanted = ops.evaluate(graph, inputs)["y"].numpy()
    found = ops.evaluate(run(passes.PIPELINE, graph), inputs)["y"].numpy()
    assert found.shape == wanted.shape
    assert not wanted.size or scaled_error(found, wanted) <= 1e-5


EXTREMES = (0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"), 1e-45, -1e-40, 1.1754944e-38, 3.4e38,
            -3.4e38, 16777217.0, 0.5, -2.5)  # fmt: skip
pointwise: tuple[Make, ...] = (_unary, _binary, _where)


@st.composite
def pointwise_texts(draw: Any) -> str:
    """One or two elementwise ops on a row of numbers, as text."""
    builder = Builder()
    x = _input(builder, TensorType(DType.f32, (2, len(EXTREMES))))
    for _ in range(draw(st.integers(1, 2))):
        x = draw(st.sampled_from(pointwise))(draw, builder, x)
    return str(verify(builder.finish({"y": x})))


@given(text=pointwise_texts(), seed=st.integers(0, 1000))
@ordinary
def test_extreme_numbers_fare_as_the_ops_say(text: str, seed: int):
    graph = parse_graph(text)
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.tensor(EXTREMES)
    inputs = {}
    for name, x in inputs_of(graph, seed).items():
        inputs[name] = numbers[torch.randint(len(EXTREMES), x.shape, generator=generator)]
    wanted = ops.evaluate(graph, inputs)["y"].numpy()
    found = emulated(graph, inputs)
    if found is not None:
        np.testing.assert_allclose(found["y"], wanted, rtol=1e-5, atol=1e-37)


LARGE = (0, 1, -1, 2, 7, (1 << 24) + 1, -(1 << 24) - 1, (1 << 24) - 1, (1 << 30) - 1, 100_000_007)


@st.composite
def integer_texts(draw: Any) -> str:
    """Up to four ops on integers whose results stay within 32 bits, as text."""
    builder = Builder()
    dtype = draw(st.sampled_from((DType.i64, DType.i32)))
    shape = draw(st.lists(st.sampled_from((1, 2, 3, 33)), max_size=4).map(tuple))
    x = _input(builder, TensorType(dtype, shape))
    other = _input(builder, TensorType(dtype, shape[draw(st.integers(0, len(shape))) :]))
    for _ in range(draw(st.integers(1, 4))):
        match draw(st.integers(0, 4)):
            case 0:
                x = builder(draw(st.sampled_from((ops.Maximum, ops.Minimum)))(x, other))
            case 1:
                x = builder(ops.Where(builder(ops.Gt(x, other)), x, other))
            case 2:
                x = builder(ops.Clamp(x, -5, (1 << 24) + 1))
            case 3:
                x = builder(ops.Cast(builder(ops.Ne(x, other)), dtype))
            case _:
                x = builder(ops.Neg(x))
    return str(verify(builder.finish({"y": builder(ops.Add(x, other))})))


@given(text=integer_texts(), seed=st.integers(0, 1000), dtype=st.sampled_from(("fp32", "bf16")))
@ordinary
def test_integers_are_exact(text: str, seed: int, dtype: str):
    graph = parse_graph(text)
    generator = torch.Generator().manual_seed(seed)
    inputs = {}
    for value in graph.inputs:
        numbers = torch.tensor(LARGE, dtype=torch.int64 if value.dtype is DType.i64 else torch.int32)
        inputs[value.op.name] = numbers[torch.randint(len(LARGE), value.shape, generator=generator)]  # type: ignore[attr-defined]
    wanted = ops.evaluate(graph, inputs)["y"].numpy()
    found = emulated(graph, inputs, dtype)
    if found is not None:
        np.testing.assert_array_equal(found["y"], wanted)


def test_real_ttnn_accepts_random_programs(ttnn_python: str):
    programs: list[str] = []

    @given(text=texts())
    @settings(ordinary, max_examples=60)
    def collect(text: str) -> None:
        for dtype in ("fp32", "bf16"):
            try:
                programs.append(str(compile_graph(parse_graph(text), Options(TARGETS["n150"], dtype)).program.graph))
            except Refused:
                continue  # `emulated` looks at the reasons

    collect()
    assert len(programs) > 40
    reports = check_many(programs, TARGETS["n150"])
    faults = [(text, r.faults) for text, r in zip(programs, reports, strict=True) if not r.ok]
    assert not faults, "\n".join(f"{text}{why}" for text, why in faults)
