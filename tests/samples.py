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
from dataclasses import dataclass, field
from typing import Any

import torch

from ttc import ops
from ttc.ir import Builder, Const, DType, Graph, Input, Op, TensorType, Weight, Weights
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
    S(ops.Topk, x="f32[2,33,65]", k=5, dim=2, ranges={"x": "distinct"}),
    S(ops.Topk, x="f32[2,33,65]", k=3, dim=1, largest=False, ranges={"x": "distinct"}),
    S(ops.Topk, x="i64[2,33]", k=3, dim=1, refused=("bf16", "fp32")),
]

MATMUL: list[Sample] = [
    S(ops.Linear, x="f32[1,197,64]", w="weight f32[96,64]", bias="weight f32[96]"),
    S(ops.Linear, x="f32[1,197,64]", w="weight f32[96,64]", bias="weight f32[96]", activation="gelu"),
]

NORM: list[Sample] = []

ATTENTION: list[Sample] = []

SHAPE: list[Sample] = []

INDEX: list[Sample] = []

CONV: list[Sample] = []

SPATIAL: list[Sample] = []

CONSTANT: list[Sample] = []

SAMPLES: list[Sample] = [
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
]
