"""One line a sample: an op with small operands. `test_samples.py` derives the same tests for each.

`S(kind, **fields)`: a field written as a type ("f32[2,3]") is a run-time input, "weight f32[2,3]" a weight,
"0.5 in f32[2,3]" a constant, anything else an attribute; a list of such strings is a list of operands.
`ranges` bounds an operand's numbers, e.g. ranges={"index": (0, 10)}, or makes them "distinct" (see
`distinct`); `bf16` and `fp32` are the accuracy asked of the emulated program (PCC, scaled error), `refused`
the dtypes for which compiling must be refused; a reason stands beside any of these that is not the default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ttc import ops
from ttc.ir import Builder, Const, DType, Graph, Input, Op, TensorType, Weight, Weights, parse_graph
from ttc.ir.state import is_given
from ttc.ops.torch_types import array_of, to_torch

_OPERAND = re.compile(r"(weight |[-+.\w]+ in )?(\w+)\[([\d,]*)\]")


@dataclass(frozen=True)
class Sample:
    """An op, its operands as text, its attributes, and what accuracy is asked."""

    kind: type[Op]
    fields: dict[str, Any]
    ranges: Mapping[str, tuple[float, float] | str] = field(default_factory=dict)
    bf16: float = 0.99
    fp32: float = 1e-5
    refused: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = (f"{name}={value}" for name, value in self.fields.items())
        return f"{self.kind.mnemonic}({', '.join(parts)})"

    def graph(self, seed: int = 0) -> tuple[Graph, dict[str, torch.Tensor]]:
        """The sample as a graph, and seeded inputs by name."""
        generator = torch.Generator().manual_seed(seed)
        builder = Builder(Weights(self._weights(generator)))
        inputs: dict[str, torch.Tensor] = {}

        def value_of(name: str, item: Any) -> Any:
            if isinstance(item, list) and item and isinstance(item[0], str):
                return tuple(value_of(f"{name}{i}", part) for i, part in enumerate(item))
            found = _OPERAND.fullmatch(item) if isinstance(item, str) else None
            if not found:
                return tuple(item) if isinstance(item, list) else item
            type = _type(found)
            if found[1] == "weight ":
                return builder(Const(type, name))
            if found[1]:
                number = found[1].removesuffix(" in ")
                return builder(ops.Full(type, float(number) if type.dtype.is_float else int(number)))
            inputs[name] = _numbers(type, self.ranges.get(name), generator)
            return builder(Input(type, name))

        op = self.kind(**{name: value_of(name, item) for name, item in self.fields.items()})
        results = builder.add(op, ())
        names = ["output"] if len(results) == 1 else [f"output.{i}" for i in range(len(results))]
        return builder.finish(zip(names, results, strict=True)), inputs

    def _weights(self, generator: torch.Generator) -> dict[str, Weight]:
        weights = {}
        for name, item in self.fields.items():
            if isinstance(item, str) and (found := _OPERAND.fullmatch(item)) and found[1] == "weight ":
                type = _type(found)
                array = array_of(_numbers(type, self.ranges.get(name), generator))
                weights[name] = Weight(type, lambda array=array: array)
        return weights


@dataclass(frozen=True)
class Pattern(Sample):
    """A few ops in text, where TTNN has one call for them; inputs and weights as the text names them."""

    text: str = ""

    def __str__(self) -> str:
        return str(self.fields["name"])

    def graph(self, seed: int = 0) -> tuple[Graph, dict[str, torch.Tensor]]:
        """The graph that the text says, and seeded inputs by name; states start from zeros."""
        generator = torch.Generator().manual_seed(seed)
        graph = parse_graph(self.text)
        weights: dict[str, Weight] = {}
        for node in graph.nodes:
            if isinstance(node.op, Const):
                array = array_of(_numbers(node.op.type, None, generator))
                weights[node.op.ref] = Weight(node.op.type, lambda array=array: array)
        given = (value.op for value in graph.inputs if isinstance(value.op, Input) and is_given(value.op.name))
        types = {op.name: op.infer() for op in given}
        inputs = {name: _numbers(type, self.ranges.get(name), generator) for name, type in types.items()}
        return replace(graph, weights=Weights(weights)), inputs


def P(name: str, kind: type[Op], text: str) -> Pattern:
    return Pattern(kind, {"name": name}, text=text)


def written(name: str, size: int, width: int, heads: int = 2) -> Pattern:
    """A row of a state that is written at a position."""
    cache, row = f"f32[1,{heads},{size},{width}]", f"f32[1,{heads},1,{width}]"
    text = f"""graph {{
  %cache: {cache} = input(name="@state.cache")
  %row: {row} = input(name="row")
  %position: i64[1] = input(name="position")
  %line: i64[1,1,{size},1] = literal(data={list(range(size))})
  %place: i64[1,1,1,1] = reshape(x=%position, shape=[1, 1, 1, 1])
  %here: bool[1,1,{size},1] = eq(a=%place, b=%line)
  %new: {cache} = where(condition=%here, a=%row, b=%cache)
  return "output"=%new, "@state.cache"=%new
}}"""
    return Pattern(ops.Where, {"name": name}, {"position": (0, size)}, text=text)


def _type(found: re.Match) -> TensorType:
    return TensorType(DType[found[2]], tuple(int(size) for size in found[3].split(",") if size))


def _numbers(type: TensorType, bounds: tuple[float, float] | str | None, generator: torch.Generator) -> torch.Tensor:
    """Seeded numbers: normal floats, small integers or coin flips unless `bounds` says otherwise."""
    if isinstance(bounds, str):
        assert bounds == "distinct", bounds
        return distinct(type.shape, generator).to(to_torch(type.dtype))
    if type.dtype is DType.bool:
        return torch.rand(type.shape, generator=generator) > 0.5
    if type.dtype.is_integer:
        low, high = bounds or (-9, 10)
        return torch.randint(int(low), int(high), type.shape, generator=generator).to(to_torch(type.dtype))
    if bounds is None:
        return torch.randn(type.shape, generator=generator).to(to_torch(type.dtype))
    low, high = bounds
    return (torch.rand(type.shape, generator=generator) * (high - low) + low).to(to_torch(type.dtype))


def distinct(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Integers below 251, which bf16 holds exactly, no two equal along a dimension (of size 251 at most)."""
    numbers = torch.zeros(shape, dtype=torch.int64)
    for dim, size in enumerate(shape):
        step = torch.randint(1, 251, (), generator=generator)
        numbers += (step * torch.arange(size)).reshape([-1 if i == dim else 1 for i in range(len(shape))])
    return numbers % 251


def S(
    kind: type[Op],
    *,
    ranges: Mapping[str, tuple[float, float] | str] | None = None,
    bf16: float = 0.99,
    fp32: float = 1e-5,
    refused: tuple[str, ...] = (),
    **fields: Any,
) -> Sample:
    return Sample(kind, fields, ranges or {}, bf16, fp32, refused)


ELEMENTWISE: list[Sample] = [
    S(ops.Abs, x="f32[2,33,65]"),
    S(ops.Abs, x="i64[5]"),
    S(ops.Acos, x="f32[7,40]", ranges={"x": (-0.99, 0.99)}),
    S(ops.Acosh, x="f32[7,40]", ranges={"x": (1.1, 9)}),
    S(ops.Asin, x="f32[7,40]", ranges={"x": (-0.99, 0.99)}),
    S(ops.Asinh, x="f32[7,40]"),
    S(ops.Atan, x="f32[7,40]"),
    S(ops.Atanh, x="f32[7,40]", ranges={"x": (-0.9, 0.9)}),
    S(ops.Ceil, x="f32[2,33,65]", ranges={"x": (-9, 9)}),
    S(ops.Cos, x="f32[1,3,2,5,33]"),
    S(ops.Cosh, x="f32[7,40]"),
    S(ops.Erf, x="f32[1,197,768]"),
    S(ops.Erfc, x="f32[7,40]", ranges={"x": (-9, 9)}),
    S(ops.Erfcx, x="f32[7,40]", ranges={"x": (-3, 9)}),
    S(ops.Exp, x="f32[33]"),
    S(ops.Expm1, x="f32[7,40]", ranges={"x": (-0.1, 0.1)}),
    S(ops.Floor, x="f32[2,33,65]", ranges={"x": (-9, 9)}),
    S(ops.HardSwish, x="f32[1,16,7,7]", ranges={"x": (-5, 5)}),
    S(ops.Log, x="f32[7,40]", ranges={"x": (0.1, 9)}),
    S(ops.Log1p, x="f32[7,40]", ranges={"x": (-0.5, 0.5)}),
    S(ops.Mish, x="f32[7,40]"),
    S(ops.Neg, x="f32[7,40]"),
    S(ops.Neg, x="i64[3,1]"),
    S(ops.Reciprocal, x="f32[7,40]", ranges={"x": (0.5, 4)}),
    S(ops.Relu, x="f32[2,33,65]"),
    S(ops.Relu, x="f32[1]"),
    S(ops.Relu, x="i64[2,33]"),
    S(ops.Round, x="f32[2,33,65]", ranges={"x": (-9, 9)}),
    S(ops.Rsqrt, x="f32[7,40]", ranges={"x": (0.1, 9)}),
    S(ops.Sigmoid, x="f32[2,33,65]"),
    S(ops.Sign, x="f32[2,33,65]"),
    S(ops.Sign, x="i64[2,33]"),
    S(ops.Silu, x="f32[2,33,65]"),
    S(ops.Sin, x="f32[7,40]"),
    S(ops.Sinh, x="f32[7,40]"),
    S(ops.Softsign, x="f32[7,40]"),
    S(ops.Sqrt, x="f32[7,40]", ranges={"x": (0, 9)}),
    S(ops.Tan, x="f32[7,40]", ranges={"x": (-1, 1)}),
    S(ops.Tanh, x="f32[2,33,65]"),
    S(ops.Trunc, x="f32[7,40]", ranges={"x": (-9, 9)}),
    S(ops.Gelu, x="f32[1,197,768]"),
    S(ops.Gelu, x="f32[7,40]", approximate=True),
    S(ops.LeakyRelu, x="f32[2,33,65]", slope=0.1),
    S(ops.Elu, x="f32[7,40]", alpha=0.7),
    S(ops.Softplus, x="f32[7,40]"),
    S(ops.Softplus, x="f32[7,40]", beta=2.0, threshold=1.5),
    S(ops.HardSigmoid, x="f32[7,40]", ranges={"x": (-5, 5)}),
    S(ops.HardSigmoid, x="f32[7,40]", alpha=0.2, ranges={"x": (-5, 5)}),
    S(ops.Clamp, x="f32[2,33,65]", low=-0.5, high=1.0),
    S(ops.Clamp, x="f32[2,33,65]", low=0.25),
    S(ops.Clamp, x="i64[2,33]", low=-3, high=4),
    S(ops.Clamp, x="i64[2,33]", high=4),
    S(ops.Add, a="f32[2,33,65]", b="f32[2,33,65]"),
    S(ops.Add, a="f32[2,33,65]", b="f32[65]"),
    S(ops.Add, a="f32[33,1]", b="f32[2,1,65]"),
    S(ops.Add, a="f32[2,33,65]", b="1.5 in f32[]"),
    S(ops.Add, a="1.5 in f32[2,1,1]", b="f32[33,65]"),
    S(ops.Add, a="weight f32[65]", b="f32[2,33,65]"),
    S(ops.Add, a="i64[2,33]", b="i64[33]"),
    S(ops.Add, a="i64[2,33]", b="100000 in i64[1]"),
    S(ops.Add, a="f32[2,1,3,1,33]", b="f32[1,4,1,5,1]"),
    S(ops.Sub, a="f32[2,33,65]", b="f32[1,33,1]"),
    S(ops.Sub, a="1.0 in f32[]", b="f32[2,33]"),
    S(ops.Sub, a="i64[2,33]", b="i64[2,1]"),
    S(ops.Mul, a="f32[2,33,65]", b="f32[2,1,65]"),
    S(ops.Mul, a="0.125 in f32[]", b="f32[2,33]"),
    S(ops.Mul, a="i64[2,33]", b="i64[2,33]"),
    S(ops.Div, a="f32[2,33]", b="f32[2,33]", ranges={"b": (0.5, 3)}),
    S(ops.Div, a="f32[2,33]", b="8.0 in f32[]"),
    S(ops.Div, a="3.0 in f32[]", b="f32[2,33]", ranges={"b": (0.5, 3)}),
    S(ops.Div, a="1.0 in f32[]", b="f32[2,33]", ranges={"b": (0.5, 3)}),
    S(ops.Div, a="i64[2,33]", b="i64[2,33]", ranges={"a": (-99, 100), "b": (1, 9)}),
    S(ops.Div, a="i64[2,33]", b="-3 in i64[]", ranges={"a": (-99, 100)}),
    S(ops.Pow, a="f32[2,33]", b="f32[2,33]", ranges={"a": (0.5, 3)}),
    S(ops.Pow, a="f32[2,33]", b="2.0 in f32[]"),
    S(ops.Pow, a="f32[2,33]", b="3.0 in f32[]"),
    S(ops.Pow, a="f32[2,33]", b="0.5 in f32[]", ranges={"a": (0.5, 3)}),
    S(ops.Pow, a="f32[2,33]", b="-1.5 in f32[]", ranges={"a": (0.5, 3)}),
    S(ops.Pow, a="10000.0 in f32[]", b="f32[2,33]"),
    S(ops.Pow, a="i64[2,33]", b="3 in i64[]"),
    S(ops.Pow, a="i64[2,33]", b="i64[2,33]", ranges={"b": (0, 3)}, refused=("bf16", "fp32")),
    S(ops.Maximum, a="f32[2,33]", b="f32[2,33]"),
    S(ops.Maximum, a="0.5 in f32[]", b="f32[2,33]"),
    S(ops.Minimum, a="i64[2,33]", b="i64[33]"),
    S(ops.Minimum, a="bool[2,33]", b="bool[33]"),
    S(ops.Remainder, a="f32[2,33]", b="1.5 in f32[]", ranges={"a": (-9, 9)}, bf16=0.98),  # bf16 moves inputs past steps
    S(ops.Remainder, a="i64[2,33]", b="7 in i64[]", ranges={"a": (-99, 100)}),
    S(ops.Remainder, a="i64[2,33]", b="i64[2,33]", ranges={"a": (-99, 100), "b": (1, 9)}),
    S(ops.Fmod, a="i64[2,33]", b="i64[2,33]", ranges={"a": (-99, 100), "b": (1, 9)}),
    S(ops.Fmod, a="7.0 in f32[]", b="f32[2,33]", ranges={"b": (8, 9)}),
    S(ops.FloorDiv, a="i64[2,33]", b="i64[2,33]", ranges={"a": (-99, 100), "b": (1, 9)}),
    S(ops.FloorDiv, a="f32[2,33]", b="4.0 in f32[]", ranges={"a": (-99, 100)}),
    S(ops.Atan2, a="f32[2,33]", b="f32[33]"),
    S(ops.Atan2, a="1.0 in f32[]", b="f32[2,33]"),
    S(ops.Gcd, a="i64[2,33]", b="i64[33]", ranges={"a": (-99, 99), "b": (-9, 99)}),
    S(ops.Gcd, a="i32[5]", b="12 in i32[]", ranges={"a": (-99, 99)}),
    S(ops.Eq, a="i64[2,33]", b="i64[2,33]"),
    S(ops.Ne, a="f32[2,33]", b="0.0 in f32[]"),
    S(ops.Lt, a="f32[2,33]", b="0.25 in f32[]"),
    S(ops.Lt, a="4 in i64[1]", b="i64[2,33]"),
    S(ops.Le, a="i64[33,1]", b="i64[1,33]"),
    S(ops.Gt, a="f32[2,33]", b="0.5 in f32[2,33]"),
    S(ops.Ge, a="i64[2,33]", b="-3 in i64[]"),
    S(ops.Eq, a="bool[2,33]", b="bool[2,33]"),
    S(ops.And, a="bool[2,33]", b="bool[1,33]"),
    S(ops.And, a="i64[2,33]", b="i64[33]"),
    S(ops.Or, a="bool[2,33]", b="bool[2,1]"),
    S(ops.Or, a="i64[2,33]", b="6 in i64[]"),
    S(ops.Xor, a="bool[2,33]", b="bool[2,33]"),
    S(ops.Xor, a="i64[2,33]", b="i64[2,33]"),
    S(ops.ShiftLeft, a="i64[2,33]", b="i64[2,33]", ranges={"b": (0, 8)}),
    S(ops.ShiftRight, a="i32[2,33]", b="i32[33]", ranges={"b": (0, 8)}),
    S(ops.BitCast, x="f32[2,33]", dtype=DType.i32, refused=("bf16",)),  # whose bits are those of another number
    S(ops.Cast, x="i64[2,33]", dtype=DType.u8, ranges={"x": (-500, 500)}),
    S(ops.Cast, x="i64[2,33]", dtype=DType.i8, ranges={"x": (-500, 500)}),
    S(ops.Not, x="bool[2,33]"),
    S(ops.IsNan, x="f32[2,33]"),
    S(ops.Where, condition="bool[2,33,65]", a="f32[2,33,65]", b="f32[1,1,65]"),
    S(ops.Where, condition="bool[1,33,1]", a="f32[2,33,65]", b="-1e30 in f32[]"),
    S(ops.Where, condition="bool[2,33]", a="0.0 in f32[2,33]", b="f32[2,33]"),
    S(ops.Where, condition="bool[2,33]", a="1.0 in f32[]", b="2.0 in f32[]"),
    S(ops.Where, condition="bool[33]", a="1 in i64[2,33]", b="-100000 in i64[]"),
    S(ops.Where, condition="bool[2,33]", a="i64[2,33]", b="i64[33]"),
    S(ops.Where, condition="bool[2,33]", a="bool[2,33]", b="bool[2,1]"),
    S(ops.Cast, x="f32[2,33]", dtype=DType.i64, ranges={"x": (-9, 9)}),
    S(ops.Cast, x="f32[2,33]", dtype=DType.bool),
    S(ops.Cast, x="i64[2,33]", dtype=DType.f32),
    S(ops.Cast, x="i64[2,33]", dtype=DType.bool),
    S(ops.Cast, x="i64[2,33]", dtype=DType.i32),
    S(ops.Cast, x="bool[2,33]", dtype=DType.i64),
    S(ops.Cast, x="bool[2,33]", dtype=DType.f32),
    S(ops.Cast, x="f32[2,33]", dtype=DType.f16, fp32=1e-3),  # the program keeps f32
]

REDUCE: list[Sample] = [
    S(ops.Sum, x="f32[2,33,65]", dims=[2]),
    S(ops.Sum, x="f32[2,33,65]", dims=[0, 2], keep=True),
    S(ops.Sum, x="f32[2,33,65]", dims=[0, 1, 2]),
    S(ops.Sum, x="i64[2,33]", dims=[1], keep=True),
    S(ops.Sum, x="bool[2,33]", dims=[1]),
    S(ops.Mean, x="f32[1,197,64]", dims=[1]),
    S(ops.Mean, x="f32[2,3,33,65]", dims=[2, 3], keep=True),
    S(ops.Mean, x="f32[65]", dims=[0]),
    S(ops.Max, x="f32[2,33,65]", dims=[1]),
    S(ops.Max, x="f32[3,2,2,33,65]", dims=[1, 4], keep=True),
    S(ops.Max, x="i64[2,33]", dims=[0]),
    S(ops.Min, x="f32[2,33,65]", dims=[2], keep=True),
    S(ops.Min, x="bool[2,33]", dims=[1]),
    S(ops.Prod, x="f32[2,5,65]", dims=[1], ranges={"x": (0.5, 1.5)}),
    S(ops.Prod, x="f32[2,5,6]", dims=[0, 2], keep=True, ranges={"x": (0.5, 1.5)}),
    S(ops.Prod, x="bool[2,33]", dims=[1]),
    S(ops.Prod, x="i64[2,3]", dims=[1], refused=("bf16", "fp32")),
    S(ops.Argmax, x="f32[2,33,65]", dim=2, ranges={"x": "distinct"}),
    S(ops.Argmax, x="f32[2,33,65]", dim=1, keep=True, ranges={"x": "distinct"}),
    S(ops.Argmax, x="f32[2,3,33,65]", dim=0, ranges={"x": "distinct"}),
    S(ops.Argmax, x="i64[2,77]", dim=1),
    S(ops.Argmax, x="i64[2,77]", dim=0, refused=("bf16", "fp32")),
    S(ops.Cumsum, x="f32[2,33,65]", dim=2),
    S(ops.Cumsum, x="f32[2,33,65]", dim=0),
    S(ops.Cumsum, x="i64[2,77]", dim=1),
    S(ops.Cumsum, x="f32[3,65]", dim=0, reverse=True, exclusive=True),
    S(ops.Cumsum, x="f32[2,700,3]", dim=1, reverse=True),  # in blocks
    S(ops.Cumsum, x="f32[768]", dim=0, exclusive=True),
    S(ops.Cumsum, x="i64[2,700]", dim=1, reverse=True),
    S(ops.Cumprod, x="f32[2,33,65]", dim=2, ranges={"x": (0.9, 1.1)}),
    S(ops.Cumprod, x="f32[2,33]", dim=0),
    S(ops.Topk, x="f32[2,33,65]", k=5, dim=2, ranges={"x": "distinct"}),
    S(ops.Topk, x="f32[2,33,65]", k=3, dim=1, largest=False, ranges={"x": "distinct"}),
    S(ops.Topk, x="i64[2,33]", k=3, dim=1),
    S(ops.Stft, x="f32[2,100]", window="weight f32[20]", hop=5),
    S(ops.Stft, x="f32[1,150]", window="weight f32[64]", hop=30, onesided=False, normalized=True),
    S(ops.Istft, real="f32[2,11,9]", imag="f32[2,11,9]", window="1.0 in f32[20]", hop=5, start=10, length=40),
    S(ops.Istft, real="f32[1,33,9]", imag="f32[1,33,9]", window="0.5 in f32[64]", hop=30, start=0, length=310),
]

MATMUL: list[Sample] = [
    S(ops.Linear, x="f32[1,197,64]", w="weight f32[96,64]", bias="weight f32[96]"),
    S(ops.Linear, x="f32[1,197,64]", w="weight f32[96,64]", bias="weight f32[96]", activation="gelu"),
    *(
        S(ops.Linear, x="f32[2,33,70]", w="weight f32[50,70]", bias="weight f32[50]", activation=name)
        for name in ("relu", "gelu_tanh", "silu", "sigmoid", "tanh")
    ),
    S(ops.Linear, x="f32[64]", w="weight f32[96,64]", bias="weight f32[96]"),
    S(ops.Linear, x="f32[2,3,4,5,64]", w="f32[96,64]"),
    S(ops.Linear, x="weight f32[5,64]", w="f32[96,64]", bias="f32[96]", activation="relu"),
    S(ops.Matmul, a="f32[2,3,40,50]", b="f32[2,3,50,60]"),
    S(ops.Matmul, a="f32[2,3,40,50]", b="weight f32[50,60]"),
    S(ops.Matmul, a="f32[40,50]", b="f32[2,3,50,60]"),
    S(ops.Matmul, a="f32[2,1,40,50]", b="f32[1,3,50,60]"),
    S(ops.Matmul, a="f32[3,40,50]", b="f32[2,3,50,60]"),
    S(ops.Matmul, a="f32[40,50]", b="f32[1,1,50,60]"),
    S(ops.Matmul, a="f32[2,3,4,1,6]", b="f32[2,3,4,6,1]"),
    S(ops.Matmul, a="i64[2,3]", b="i64[3,4]", refused=("bf16", "fp32")),
]

NORM: list[Sample] = [
    S(ops.LayerNorm, x="f32[1,197,768]", w="weight f32[768]", bias="weight f32[768]"),
    S(ops.LayerNorm, x="f32[2,33,50]", w="weight f32[50]", eps=1e-12),
    S(ops.LayerNorm, x="f32[2,33,50]", bias="f32[50]"),
    S(ops.LayerNorm, x="f32[2,3,5,7]", w="weight f32[5,7]", bias="weight f32[5,7]", dims=2),
    S(ops.LayerNorm, x="f32[3,40]", dims=2),
    S(ops.LayerNorm, x="f32[64]"),
    S(ops.RmsNorm, x="f32[1,7,2048]", w="weight f32[2048]", eps=1e-6),
    S(ops.RmsNorm, x="f32[2,3,4,5,50]"),
    S(ops.Softmax, x="f32[1,12,197,197]", dim=3),
    S(ops.Softmax, x="f32[2,3,33,40]", dim=1),
    S(ops.Softmax, x="f32[33,40]", dim=0),
    S(ops.Softmax, x="f32[40]", dim=0),
    S(ops.Softmax, x="f32[2,2,3,4,5]", dim=0),
    S(ops.LogSoftmax, x="f32[2,1000]", dim=1),
    S(ops.LogSoftmax, x="f32[2,3,33,40]", dim=2),
    S(ops.LogSoftmax, x="f32[2,3,33]", dim=0),
]

ATTENTION: list[Sample] = [
    *(
        S(ops.Attention, q=f"f32[{q}]", k=f"f32[{k}]", v=f"f32[{v}]", scale=0.125, **rest)
        for q, k, v, rest in (
            ("1,12,197,64", "1,12,197,64", "1,12,197,64", {}),
            ("2,4,33,32", "2,4,33,32", "2,4,33,32", {"causal": True}),
            ("2,4,33,32", "2,4,50,32", "2,4,50,32", {"causal": True}),
            ("2,4,33,64", "2,2,50,64", "2,2,50,64", {}),
            ("2,4,33,40", "2,4,50,40", "2,4,50,40", {}),
            ("2,4,33,40", "2,4,50,40", "2,4,50,24", {"mask": "bool[1,50]"}),
            ("2,4,33,32", "2,4,50,32", "2,4,50,32", {"mask": "f32[33,50]"}),
            ("2,4,33,32", "2,4,50,32", "2,4,50,32", {"mask": "bool[2,1,1,50]"}),
            ("2,4,33,32", "2,4,64,32", "2,4,64,32", {"mask": "weight f32[1,4,33,64]"}),
            ("2,4,33,32", "2,2,33,32", "2,2,33,32", {"mask": "weight f32[33,33]", "causal": True}),
            ("2,4,33,32", "2,4,33,32", "2,4,33,32", {"mask": "f32[2,4,33,33]", "causal": True}),
            ("1,1,2048,128", "1,1,2048,128", "1,1,2048,128", {}),
            ("1,8,1,64", "1,2,96,64", "1,2,96,64", {"mask": "bool[1,1,1,96]"}),
            ("3,4,1,32", "3,4,64,32", "3,4,64,32", {"mask": "f32[3,4,1,64]"}),
            ("2,40,1,32", "2,8,64,32", "2,8,64,32", {"mask": "bool[2,1,1,64]", "empty": "zero"}),
            ("1,2,1,32", "1,2,64,32", "1,2,64,32", {}),
            ("1,2,1,32", "1,2,33,32", "1,2,33,32", {"mask": "f32[1,33]"}),
        )
    ),
    S(ops.Attention, q="f32[1,2,7,32]", k="f32[1,2,7,32]", v="f32[1,2,7,32]"),
    S(ops.Rotary, x="f32[2,3,33,128]", cos="f32[1,1,33,128]", sin="f32[1,1,33,128]"),
    S(ops.Rotary, x="f32[1,3,33,64]", cos="weight f32[33,64]", sin="weight f32[33,64]", pairs=True),
    S(ops.Rotary, x="f32[1,2,40,32]", cos="f32[40,32]", sin="f32[40,32]"),
    S(ops.Rotary, x="f32[1,5,3,40]", cos="f32[5,1,40]", sin="f32[5,1,40]"),
    S(ops.Rotary, x="f32[5,2,96]", cos="f32[5,1,96]", sin="f32[5,1,96]", pairs=True),
]

SHAPE: list[Sample] = [
    S(ops.Reshape, x="f32[1,197,768]", shape=[197, 768]),
    S(ops.Reshape, x="f32[1,197,768]", shape=[1, 197, 12, 64]),
    S(ops.Reshape, x="f32[2,64,96]", shape=[4, 32, 96]),
    S(ops.Reshape, x="f32[2,3,40]", shape=[240]),
    S(ops.Reshape, x="f32[1]", shape=[]),
    S(ops.Reshape, x="f32[]", shape=[1, 1, 1]),
    S(ops.Reshape, x="i64[2,3,4,5,6]", shape=[6, 4, 30]),
    S(ops.Reshape, x="bool[2,33]", shape=[33, 2]),
    S(ops.Permute, x="f32[1,197,12,64]", dims=[0, 2, 1, 3]),
    S(ops.Permute, x="f32[2,3,33,40]", dims=[0, 2, 3, 1]),
    S(ops.Permute, x="f32[33,40]", dims=[1, 0]),
    S(ops.Permute, x="f32[1,33,1,40]", dims=[2, 1, 0, 3]),
    S(ops.Permute, x="i64[2,3,4,5,6,7]", dims=[5, 4, 3, 2, 1, 0]),
    S(ops.Permute, x="f32[2,3,1,4,5,6,7,1]", dims=[0, 2, 3, 4, 1, 6, 5, 7]),
    S(ops.Permute, x="f32[2,3,2,2,2,2,2]", dims=[6, 5, 4, 3, 2, 1, 0]),
    S(ops.Skew, x="f32[2,33,9]", slope=-1, offset=4, size=33),
    S(ops.Skew, x="f32[1,2,33,33]", slope=1, offset=-4, size=9),
    S(ops.Slice, x="f32[1,197,192]", starts=[0, 0, 64], ends=[1, 197, 128]),
    S(ops.Slice, x="f32[1,197,192]", starts=[0, 0, 0], ends=[1, 1, 192]),
    S(ops.Slice, x="f32[1,197,192]", starts=[0, 1, 3], ends=[1, 197, 99]),
    S(ops.Slice, x="f32[2,3,33,40]", starts=[1, 0, 0, 1], ends=[2, 3, 33, 40], steps=[1, 2, 1, 3]),
    S(ops.Slice, x="f32[40]", starts=[3], ends=[9]),
    S(ops.Slice, x="i64[2,3,4,5,6]", starts=[0, 1, 0, 0, 1], ends=[2, 3, 4, 5, 4]),
    S(ops.Slice, x="f32[2,33]", starts=[0, 0], ends=[2, 33]),
    S(ops.Slice, x="f32[2,33]", starts=[0, 4], ends=[2, 4]),
    S(ops.Flip, x="f32[2,33,40]", dims=[2]),
    S(ops.Flip, x="f32[2,33,40]", dims=[0, 1]),
    S(ops.Flip, x="i64[5]", dims=[0]),
    S(ops.Concat, xs=["f32[1,197,64]", "f32[1,197,32]"], dim=2),
    S(ops.Concat, xs=["f32[1,1,96]", "f32[1,196,96]"], dim=1),
    S(ops.Concat, xs=["f32[2,3,40]", "f32[2,3,24]", "f32[2,3,3]"], dim=2),
    S(ops.Concat, xs=["i64[2,3,40]", "i64[2,3,24]"], dim=2),
    S(ops.Concat, xs=["f32[33,1040]", "f32[33,24]"], dim=1),
    S(ops.Concat, xs=["f32[3]", "f32[5]"], dim=0),
    S(ops.Concat, xs=["bool[2,33]", "bool[1,33]"], dim=0),
    S(ops.Concat, xs=["f32[2,1,3,4,5]", "f32[2,2,3,4,5]"], dim=1),
    S(ops.Pad, x="f32[2,3,40,40]", pads=[(0, 0), (0, 0), (1, 1), (2, 3)]),
    S(ops.Pad, x="f32[1,197,40]", pads=[(0, 0), (0, 27), (0, 5)]),
    S(ops.Pad, x="f32[1,197,40]", pads=[(0, 1), (0, 0), (0, 50)]),
    S(ops.Pad, x="f32[5,40]", pads=[(0, 3), (0, 1)], value=-1.5),
    S(ops.Pad, x="i64[5,40]", pads=[(1, 0), (0, 1)], value=7),
    S(ops.Pad, x="f32[1,3,33]", pads=[(0, 0), (0, 0), (5, 4)], mode="reflect"),
    S(ops.Pad, x="f32[2,5,33]", pads=[(0, 0), (2, 1), (5, 40)], mode="replicate"),
    S(ops.Expand, x="f32[1,1,96]", shape=[2, 197, 96]),
    S(ops.Expand, x="f32[2,1,33,40]", shape=[2, 4, 33, 40]),
    S(ops.Expand, x="f32[40,1]", shape=[3, 40, 50]),
    S(ops.Expand, x="f32[]", shape=[3, 5]),
    S(ops.Expand, x="i64[1,5]", shape=[33, 5]),
    S(ops.Expand, x="f32[33,40]", shape=[1, 33, 40]),
    S(ops.Repeat, x="f32[2,33,40]", repeats=[2, 1, 1]),
    S(ops.Repeat, x="f32[1,33,40]", repeats=[1, 2, 3]),
    S(ops.Repeat, x="i64[5]", repeats=[3]),
    S(ops.Repeat, x="f32[33,40]", repeats=[1, 1]),
]

INDEX: list[Sample] = [
    *(
        S(ops.Embedding, w=w, index=index, ranges={"index": (0, 50)}, **rest)
        for w, index, rest in (
            ("weight f32[50,64]", "i64[1,128]", {}),
            ("weight f32[50,40]", "i64[2,33]", {}),
            ("weight f32[50,3,8]", "i64[7]", {}),
            ("weight f32[50]", "i64[2,3,4]", {}),
            ("weight f32[50,32]", "i64[]", {}),
            ("weight i64[50,3]", "i64[2,3]", {}),
            ("f32[50,40]", "i64[2,3]", {}),
            ("f32[50,40]", "weight i64[7]", {}),
        )
    ),
    S(ops.Gather, x="f32[2,33,40]", index="i64[2,33,7]", dim=2, ranges={"index": (0, 40)}),
    S(ops.Gather, x="f32[5,33,40]", index="i64[2,7,9]", dim=0, ranges={"index": (0, 5)}),
    S(ops.Gather, x="i64[10]", index="i64[4]", dim=0, ranges={"index": (0, 10)}),
    S(
        ops.Scatter,
        x="f32[2,33,40]",
        index="weight i64[2,33,1]",
        updates="f32[2,33,1]",
        dim=2,
        ranges={"index": (0, 40)},
    ),
    S(ops.Scatter, x="f32[4,4000]", index="i64[4,2]", updates="f32[4,2]", dim=1, ranges={"index": (0, 4000)}),
    S(ops.Scatter, x="f32[9,2,3]", index="i64[1,2,3]", updates="f32[1,2,3]", dim=0, ranges={"index": (0, 9)}),
    S(
        ops.Scatter,
        x="f32[2,33,40]",
        index="i64[2,33,7]",
        updates="f32[2,33,7]",
        dim=2,
        reduce="add",
        ranges={"index": (0, 40)},
    ),
    S(
        ops.Scatter,
        x="f32[5,4]",
        index="i64[2,4]",
        updates="f32[2,4]",
        dim=1,
        ranges={"index": (0, 4)},
        refused=("bf16", "fp32"),
    ),
    S(ops.OneHot, index="i64[2,33]", depth=10, ranges={"index": (0, 10)}),
    S(ops.OneHot, index="i64[5]", depth=40, ranges={"index": (0, 40)}),
]

CONV: list[Sample] = [
    *(
        S(ops.Conv, x=x, w=f"weight {w}", bias=bias, stride=stride, padding=pads, dilation=dilation, **rest)
        for x, w, bias, stride, pads, dilation, rest in (
            ("f32[2,33,14,15]", "f32[40,33,3,3]", "weight f32[40]", (2, 1), ((1, 1), (0, 2)), (1, 1), {}),
            (
                "f32[1,64,20,20]",
                "f32[48,64,1,1]",
                "weight f32[48]",
                (1, 1),
                ((0, 0), (0, 0)),
                (1, 1),
                {"activation": "relu"},
            ),
            ("f32[1,64,20,20]", "f32[48,16,1,1]", None, (1, 1), ((0, 0), (0, 0)), (1, 1), {"groups": 4}),
            ("f32[1,64,20,20]", "f32[48,64,1,1]", None, (2, 2), ((0, 0), (0, 0)), (1, 1), {}),
            ("f32[1,48,16,16]", "f32[64,24,5,5]", "weight f32[64]", (1, 1), ((2, 2), (2, 2)), (1, 1), {"groups": 2}),
            ("f32[1,288,12,12]", "f32[288,1,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"groups": 288}),
            ("f32[1,3,64,64]", "f32[96,3,16,16]", "weight f32[96]", (16, 16), ((0, 0), (0, 0)), (1, 1), {}),
            ("f32[1,3,56,56]", "f32[32,3,7,7]", None, (2, 2), ((3, 3), (3, 3)), (1, 1), {"activation": "relu"}),
            ("f32[1,32,18,18]", "f32[32,32,3,3]", None, (1, 1), ((2, 2), (2, 2)), (2, 2), {"activation": "silu"}),
            ("f32[1,32,8,8]", "f32[32,32,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"activation": "gelu"}),
            ("f32[1,32,8,8]", "f32[32,32,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"activation": "tanh"}),
            ("f32[1,32,8,8]", "f32[32,32,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"activation": "sigmoid"}),
            ("f32[1,32,8,8]", "f32[32,32,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"activation": "gelu_tanh"}),
            ("f32[2,40,200]", "f32[64,40,7]", "weight f32[64]", (1,), ((9, 9),), (3,), {}),
            ("f32[1,64,100]", "f32[64,1,3]", None, (2,), ((2, 0),), (1,), {"groups": 64}),
            ("f32[1,1,600,33]", "f32[40,33,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"rows": (2, 15, 20)}),
            ("f32[1,8,5,6,7]", "f32[12,8,3,3,3]", "weight f32[12]", (1, 2, 1), ((1, 1), (1, 1), (0, 1)), (1, 1, 1), {}),
        )
    ),
    S(
        ops.Conv,
        x="f32[1,8,6,6]",
        w="f32[8,8,3,3]",
        stride=(1, 1),
        padding=((1, 1), (1, 1)),
        dilation=(1, 1),
    ),
    *(
        S(ops.ConvTranspose, x=x, w=f"weight {w}", bias=bias, stride=stride, padding=pads, output_padding=extra, **rest)
        for x, w, bias, stride, pads, extra, rest in (
            (
                "f32[2,33,14,15]",
                "f32[33,40,3,3]",
                "weight f32[40]",
                (2, 2),
                ((1, 1), (1, 0)),
                (1, 0),
                {"dilation": (1, 1)},
            ),
            ("f32[1,64,16,16]", "f32[64,32,2,2]", None, (2, 2), ((0, 0), (0, 0)), (0, 0), {"dilation": (1, 1)}),
            ("f32[1,64,75]", "f32[64,32,16]", "weight f32[32]", (8,), ((4, 4),), (0,), {"dilation": (1,)}),
            ("f32[1,64,40]", "f32[64,1,3]", None, (2,), ((1, 1),), (1,), {"dilation": (1,), "groups": 64}),
            (
                "f32[1,64,9,9]",
                "f32[64,16,3,3]",
                None,
                (1, 1),
                ((0, 0), (0, 0)),
                (0, 0),
                {"dilation": (2, 2), "groups": 2},
            ),
        )
    ),
    S(
        ops.ConvTranspose,
        x="f32[1,8,4,4,4]",
        w="weight f32[8,8,2,2,2]",
        stride=(2, 2, 2),
        padding=((0, 0),) * 3,
        output_padding=(0, 0, 0),
        dilation=(1, 1, 1),
    ),
]

SPATIAL: list[Sample] = [
    *(
        S(kind, x=x, kernel=kernel, stride=stride, padding=pads, dilation=dilation, **rest)
        for kind in (ops.MaxPool, ops.AvgPool)
        for x, kernel, stride, pads, dilation, rest in (
            ("f32[2,40,14,15]", (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), {}),
            ("f32[1,64,14,14]", (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), {}),
            ("f32[1,33,13,12]", (3, 2), (2, 3), ((1, 0), (0, 1)), (1, 1), {"ceil": True}),
            ("f32[1,528,13,13]", (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), {}),
            ("f32[1,64,100]", (5,), (2,), ((2, 2),), (1,), {}),
            ("f32[1,16,12,12]", (3, 3), (1, 1), ((2, 2), (2, 2)), (2, 2), {}),
            ("f32[1,1,256,32]", (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), {"rows": (1, 16, 16)}),
            ("f32[1,8,4,6,5]", (2, 3, 2), (2, 1, 1), ((0, 0), (1, 1), (0, 0)), (1, 1, 1), {}),
        )
    ),
    S(
        ops.AvgPool,
        x="f32[2,32,14,15]",
        kernel=(3, 3),
        stride=(2, 2),
        padding=((1, 1), (1, 1)),
        dilation=(1, 1),
        ceil=True,
        count_padding=False,
    ),
    S(ops.AvgPool, x="f32[1,8,96,64]", kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1)),
    S(ops.Upsample, x="f32[2,33,7,9]", scales=(2, 3)),
    S(ops.Upsample, x="f32[1,64,50]", scales=(4,)),
    S(ops.Upsample, x="f32[1,8,3,4,5]", scales=(2, 1, 2)),
    S(ops.Upsample, x="f32[2,33,7,9]", scales=(2, 3), mode="linear"),
    S(ops.Upsample, x="f32[1,8,48,40]", scales=(2, 2), mode="linear"),
    S(ops.Upsample, x="f32[1,64,50]", scales=(4,), mode="linear"),
    S(ops.GroupNorm, x="f32[2,48,7,9]", w="weight f32[48]", bias="weight f32[48]", groups=6),
    S(ops.GroupNorm, x="f32[1,64,16,16]", groups=64, eps=1e-3),
    S(ops.GroupNorm, x="f32[1,1,100,32]", w="weight f32[32]", groups=1, rows=(1, 10, 10)),
    S(
        ops.BatchNorm,
        x="f32[2,33,7,9]",
        w="weight f32[33]",
        bias="weight f32[33]",
        mean="weight f32[33]",
        var="weight f32[33]",
        ranges={"var": (0.5, 1.5)},
    ),
]

CONSTANT: list[Sample] = [
    S(ops.Full, type=TensorType(DType.f32, (2, 33)), value=-0.5),
    S(ops.Full, type=TensorType(DType.i64, ()), value=70000),
    S(ops.Full, type=TensorType(DType.bool, (3,)), value=True),
    S(ops.Literal, type=TensorType(DType.f32, (2, 2)), data=(0.5, -1.25, 3.0, 0.0)),
    S(ops.Literal, type=TensorType(DType.i64, (3,)), data=(-5, 0, 2**31 - 1)),
]

HEADS = """graph {
  %x: f32[2,33,%W] = input(name="x")
  %q: f32[2,33,128] = slice(x=%x, starts=[0, 0, 0], ends=[2, 33, 128])
  %k: f32[2,33,%K] = slice(x=%x, starts=[0, 0, 128], ends=[2, 33, %A])
  %v: f32[2,33,%K] = slice(x=%x, starts=[0, 0, %A], ends=[2, 33, %W])
  %q1: f32[2,33,4,32] = reshape(x=%q, shape=[2, 33, 4, 32])
  %k1: f32[2,33,%H,32] = reshape(x=%k, shape=[2, 33, %H, 32])
  %v1: f32[2,33,%H,32] = reshape(x=%v, shape=[2, 33, %H, 32])
  %q2: f32[2,4,33,32] = permute(x=%q1, dims=[0, 2, 1, 3])
  %k2: f32[2,%H,33,32] = permute(x=%k1, dims=[0, 2, 1, 3])
  %v2: f32[2,%H,33,32] = permute(x=%v1, dims=[0, 2, 1, 3])
  %y: f32[2,4,33,32] = attention(q=%q2, k=%k2, v=%v2, scale=0.25)
  %y1: f32[2,33,4,32] = permute(x=%y, dims=[0, 2, 1, 3])
  %y2: f32[2,33,128] = reshape(x=%y1, shape=[2, 33, 128])
  return "output"=%y2
}"""


def heads(shared: int) -> str:
    """Attention between rows, each key and value head for `shared` of the four query heads."""
    count = 4 // shared
    sizes = {"%W": 128 + 64 * count, "%K": 32 * count, "%A": 128 + 32 * count, "%H": count}
    text = HEADS
    for name, size in sizes.items():
        text = text.replace(name, str(size))
    return text


JOINT = """graph {
  %q: f32[1,2,64,32] = input(name="q")
  %k: f32[1,2,64,32] = input(name="k")
  %v: f32[1,2,64,32] = input(name="v")
  %r: f32[1,2,13,32] = input(name="r")
  %l: f32[1,2,13,32] = input(name="l")
  %w: f32[1,2,13,32] = input(name="w")
  %q1: f32[1,2,77,32] = concat(xs=[%r, %q], dim=2)
  %k1: f32[1,2,77,32] = concat(xs=[%l, %k], dim=2)
  %v1: f32[1,2,77,32] = concat(xs=[%w, %v], dim=2)
  %y: f32[1,2,77,32] = attention(q=%q1, k=%k1, v=%v1, scale=0.25)
  %y1: f32[1,77,2,32] = permute(x=%y, dims=[0, 2, 1, 3])
  %y2: f32[1,77,64] = reshape(x=%y1, shape=[1, 77, 64])
  %a: f32[1,13,64] = slice(x=%y2, starts=[0, 0, 0], ends=[1, 13, 64])
  %b: f32[1,64,64] = slice(x=%y2, starts=[0, 13, 0], ends=[1, 77, 64])
  return "a"=%a, "b"=%b
}"""
"""Attention of two sequences together, the shorter one first."""

PATTERN: list[Sample] = [
    P("heads cut from rows and joined again", ops.Attention, heads(1)),
    P("grouped heads cut from rows", ops.Attention, heads(2)),
    P(
        "heads cut from three values",
        ops.Attention,
        """graph {
  %q: f32[1,17,64] = input(name="q")
  %k: f32[1,17,64] = input(name="k")
  %v: f32[1,17,64] = input(name="v")
  %q1: f32[1,17,2,32] = reshape(x=%q, shape=[1, 17, 2, 32])
  %k1: f32[1,17,2,32] = reshape(x=%k, shape=[1, 17, 2, 32])
  %v1: f32[1,17,2,32] = reshape(x=%v, shape=[1, 17, 2, 32])
  %q2: f32[1,2,17,32] = permute(x=%q1, dims=[0, 2, 1, 3])
  %k2: f32[1,2,17,32] = permute(x=%k1, dims=[0, 2, 1, 3])
  %v2: f32[1,2,17,32] = permute(x=%v1, dims=[0, 2, 1, 3])
  %y: f32[1,2,17,32] = attention(q=%q2, k=%k2, v=%v2, causal=true)
  return "output"=%y
}""",
    ),
    P(
        "heads stacked as timm's ViT has them",
        ops.Attention,
        """graph {
  %x: f32[2,17,192] = input(name="x")
  %x1: f32[2,17,3,2,32] = reshape(x=%x, shape=[2, 17, 3, 2, 32])
  %x2: f32[3,2,2,17,32] = permute(x=%x1, dims=[2, 0, 3, 1, 4])
  %q: f32[1,2,2,17,32] = slice(x=%x2, starts=[0, 0, 0, 0, 0], ends=[1, 2, 2, 17, 32])
  %k: f32[1,2,2,17,32] = slice(x=%x2, starts=[1, 0, 0, 0, 0], ends=[2, 2, 2, 17, 32])
  %v: f32[1,2,2,17,32] = slice(x=%x2, starts=[2, 0, 0, 0, 0], ends=[3, 2, 2, 17, 32])
  %q1: f32[2,2,17,32] = reshape(x=%q, shape=[2, 2, 17, 32])
  %k1: f32[2,2,17,32] = reshape(x=%k, shape=[2, 2, 17, 32])
  %v1: f32[2,2,17,32] = reshape(x=%v, shape=[2, 2, 17, 32])
  %y: f32[2,2,17,32] = attention(q=%q1, k=%k1, v=%v1, scale=0.25)
  return "output"=%y
}""",
    ),
    P(
        "a sum that a norm reads alone",
        ops.LayerNorm,
        """graph {
  %x: f32[2,33,96] = input(name="x")
  %z: f32[2,33,96] = input(name="z")
  %w: f32[96] = const(ref="w")
  %v: f32[96] = const(ref="v")
  %s: f32[2,33,96] = add(a=%x, b=%z)
  %y: f32[2,33,96] = layer_norm(x=%s, w=%w, bias=%v)
  %t: f32[2,33,96] = add(a=%y, b=%z)
  %r: f32[2,33,96] = rms_norm(x=%t, w=%w)
  return "output"=%r
}""",
    ),
    P("attention of two sequences together", ops.Attention, JOINT),
    P(
        "a row of run time gates what is added",
        ops.Add,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %g: f32[1,1,64] = input(name="g")
  %z: f32[1,33,64] = input(name="z")
  %p: f32[1,33,64] = mul(a=%g, b=%z)
  %y: f32[1,33,64] = add(a=%x, b=%p)
  return "output"=%y
}""",
    ),
    P(
        "a sum without its negative numbers",
        ops.Relu,
        """graph {
  %x: f32[2,33,64] = input(name="x")
  %z: f32[33,64] = input(name="z")
  %s: f32[2,33,64] = add(a=%x, b=%z)
  %y: f32[2,33,64] = relu(x=%s)
  return "output"=%y
}""",
    ),
    P(
        "rows of run time scale and shift",
        ops.Add,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %s: f32[1,1,64] = input(name="s")
  %t: f32[1,1,64] = input(name="t")
  %p: f32[1,33,64] = mul(a=%x, b=%s)
  %y: f32[1,33,64] = add(a=%p, b=%t)
  return "output"=%y
}""",
    ),
    P(
        "a snake, behind a product as positions are in fp32",
        ops.Add,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %w: f32[64,64] = const(ref="w")
  %a: f32[1,1,64] = const(ref="a")
  %c: f32[1,1,64] = const(ref="c")
  %z: f32[1,33,64] = linear(x=%x, w=%w)
  %m: f32[1,33,64] = mul(a=%z, b=%a)
  %s: f32[1,33,64] = sin(x=%m)
  %q: f32[1,33,64] = mul(a=%s, b=%s)
  %p: f32[1,33,64] = mul(a=%q, b=%c)
  %y: f32[1,33,64] = add(a=%z, b=%p)
  return "output"=%y
}""",
    ),
    P(
        "the inverse root of a sum",
        ops.Rsqrt,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %e: f32[] = full(value=1.0)
  %q: f32[1,33,64] = mul(a=%x, b=%x)
  %s: f32[1,33,64] = add(a=%q, b=%e)
  %y: f32[1,33,64] = rsqrt(x=%s)
  return "output"=%y
}""",
    ),
    P(
        "rows of run time modulate a norm",
        ops.LayerNorm,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %s: f32[1,64] = input(name="s")
  %t: f32[1,64] = input(name="t")
  %w: f32[64] = reshape(x=%s, shape=[64])
  %b: f32[64] = reshape(x=%t, shape=[64])
  %y: f32[1,33,64] = layer_norm(x=%x, w=%w, bias=%b)
  return "output"=%y
}""",
    ),
]

RECURRENT: list[Sample] = [
    S(ops.Rnn, x="f32[5,2,8]", w="weight f32[1,16,8]", r="weight f32[1,16,16]"),
    S(ops.Rnn, x="f32[3,1,8]", w="weight f32[2,40,8]", r="weight f32[2,40,40]", bias="weight f32[2,40]",
      lengths="i64[1]", h="f32[2,1,40]", activations=["relu"], ranges={"lengths": (1, 4)}),
    S(ops.Rnn, x="f32[5,2,8]", w="weight f32[1,16,8]", r="weight f32[1,16,16]", activations=["affine(0.5, 0.1)"]),
    S(ops.Rnn, x="f32[5,2,8]", w="weight f32[1,16,8]", r="weight f32[1,16,16]", activations=["thresholded_relu(0.1)"]),
    S(ops.Lstm, x="f32[7,3,8]", w="weight f32[1,128,8]", r="weight f32[1,128,32]", bias="weight f32[1,128]"),
    S(ops.Lstm, x="f32[4,3,8]", w="weight f32[1,64,8]", r="weight f32[1,64,16]", coupled=True,
      activations=["hard_sigmoid(0.3, 0.4)", "scaled_tanh(0.9, 0.7)", "leaky_relu(0.2)"]),
    S(ops.Lstm, x="f32[4,3,8]", w="weight f32[2,160,8]", r="weight f32[2,160,40]", bias="weight f32[2,160]",
      lengths="i64[3]", ranges={"lengths": (1, 5)}),
    S(ops.Lstm, x="f32[4,2,8]", w="weight f32[1,64,8]", r="weight f32[1,64,8]", projection="weight f32[1,8,16]",
      peephole="weight f32[1,48]", h="f32[1,2,8]", c="f32[1,2,16]", lengths="i64[2]", reverse=True, clip=0.75,
      activations=["hard_sigmoid", "softsign", "leaky_relu"], ranges={"lengths": (1, 5)}),
    S(ops.Lstm, x="f32[1,2,8]", w="weight f32[2,64,8]", r="weight f32[2,64,16]",
      activations=["softplus", "elu", "tanh"]),
    S(ops.Gru, x="f32[4,3,8]", w="weight f32[1,48,8]", r="weight f32[1,48,16]", reset_after=False, reverse=True),
    S(ops.Gru, x="f32[4,3,8]", w="weight f32[2,120,8]", r="weight f32[2,120,40]", bias="weight f32[2,120]",
      bias_n="weight f32[2,40]", h="f32[2,3,40]", lengths="i64[3]", ranges={"lengths": (1, 5)}),
]  # fmt: skip

STATES: list[Sample] = [
    written("a row written into a state", 40, 48),
    written("a row written into a state of whole tiles", 64, 64),
    written("a row written into a state of more heads than cores", 33, 32, heads=128),
]

SAMPLES: list[Sample] = [
    *PATTERN,
    *ELEMENTWISE,
    *REDUCE,
    *MATMUL,
    *NORM,
    *ATTENTION,
    *SHAPE,
    *INDEX,
    *CONV,
    *SPATIAL,
    *CONSTANT,
    *RECURRENT,
    *STATES,
]
