"""What a sample is: an op of one line, or a pattern of a few in text."""

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


def P(name: str, kind: type[Op], text: str, refused: tuple[str, ...] = (), **ranges: tuple[int, int]) -> Pattern:
    return Pattern(kind, {"name": name}, ranges, refused=refused, text=text)
