"""One line a sample: an op with small operands. `test_samples.py` derives the same tests for each.

`S(kind, **fields)`: a field written as a type ("f32[2,3]") is a run-time input, "weight f32[2,3]" a weight,
anything else an attribute; a list of such strings is a list of operands. `ranges` bounds an operand's
numbers, e.g. ranges={"index": (0, 10)}; `bf16` and `fp32` are the accuracy asked of the emulated program
(PCC, scaled error), `refused` the dtypes for which compiling must be refused; a reason stands beside any of
these that is not the default.
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

_OPERAND = re.compile(r"(weight )?(\w+)\[([\d,]*)\]")


@dataclass(frozen=True)
class Sample:
    """An op, its operands as text, its attributes, and what accuracy is asked."""

    kind: type[Op]
    fields: dict[str, Any]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
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
            if found[1]:
                return builder(Const(type, name))
            inputs[name] = _numbers(type, self.ranges.get(name), generator)
            return builder(Input(type, name))

        op = self.kind(**{name: value_of(name, item) for name, item in self.fields.items()})
        results = builder.add(op, ())
        names = ["output"] if len(results) == 1 else [f"output.{i}" for i in range(len(results))]
        return builder.finish(zip(names, results, strict=True)), inputs

    def _weights(self, generator: torch.Generator) -> dict[str, Weight]:
        weights = {}
        for name, item in self.fields.items():
            if isinstance(item, str) and (found := _OPERAND.fullmatch(item)) and found[1]:
                type = _type(found)
                array = array_of(_numbers(type, self.ranges.get(name), generator))
                weights[name] = Weight(type, lambda array=array: array)
        return weights


def _type(found: re.Match) -> TensorType:
    return TensorType(DType[found[2]], tuple(int(size) for size in found[3].split(",") if size))


def _numbers(type: TensorType, bounds: tuple[float, float] | None, generator: torch.Generator) -> torch.Tensor:
    """Seeded numbers: normal floats, small integers or coin flips unless `bounds` says otherwise."""
    if type.dtype is DType.bool:
        return torch.rand(type.shape, generator=generator) > 0.5
    if type.dtype.is_integer:
        low, high = bounds or (-9, 10)
        return torch.randint(int(low), int(high), type.shape, generator=generator).to(to_torch(type.dtype))
    if bounds is None:
        return torch.randn(type.shape, generator=generator).to(to_torch(type.dtype))
    low, high = bounds
    return (torch.rand(type.shape, generator=generator) * (high - low) + low).to(to_torch(type.dtype))


def S(
    kind: type[Op],
    *,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    bf16: float = 0.99,
    fp32: float = 1e-5,
    refused: tuple[str, ...] = (),
    **fields: Any,
) -> Sample:
    return Sample(kind, fields, ranges or {}, bf16, fp32, refused)


ELEMENTWISE: list[Sample] = [
    S(ops.Relu, x="f32[2,33,65]"),
]

REDUCE: list[Sample] = []

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
