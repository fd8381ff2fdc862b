"""Random networks over time, for comparing a bucket with what PyTorch gives for each sample at its own length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

import torch
from torch import Tensor, nn

from tests.passes.padded_layers import CHANNELS, KINDS, STYLE, Choices
from ttc import ops
from ttc.frontend.export import export
from ttc.ir import DType, Graph, Input, TensorType, Weight, Weights, parse_graph
from ttc.ir.lengths import Extent
from ttc.ops.torch_types import array_of, tensor_of
from ttc.passes.padding import Doubtful, Padded, pad

BUCKET = 24
SHORTEST = 6
PROBES = (BUCKET - 1, BUCKET - 3)
MORE_PROBES = (BUCKET - 2, *range(BUCKET - 4, BUCKET - 9, -1))
"""As `ttc.compiled.lengths` reads a model at more sizes where rounded quotients of a length leave a doubt."""


class Net(nn.Module):
    """Layers, one after another, some of them added to what comes in; outputs are every step and the energy."""

    def __init__(self, layers: Sequence[int], seed: int):
        super().__init__()
        torch.manual_seed(seed)
        choices = Choices(seed)
        self.layers = nn.ModuleList()
        self.added: list[bool] = []
        for number in layers:
            layer = KINDS[number](choices)
            choices.aligned &= layer.keeps
            self.layers.append(layer)
            self.added.append(layer.keeps and choices.choice((True, False)))

    def forward(self, x: Tensor, style: Tensor, keep: Tensor) -> dict[str, Tensor]:
        for layer, added in zip(self.layers, self.added, strict=True):
            y = layer(x, style, keep)
            x = x + y if added else y
        return {"y": x, "energy": x.square().mean(2)}


def inputs(lengths: Sequence[int]) -> dict[str, Tensor]:
    """Samples, styles and key masks at the longest of these lengths: the beginning of the same ones for all."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, CHANNELS, BUCKET, generator=generator)
    style = torch.randn(4, STYLE, generator=generator)
    keep = torch.rand(4, BUCKET, generator=generator) < 0.7
    keep[:, 0] = True
    batch, longest = len(lengths), max(lengths)
    return {"x": x[:batch, :, :longest], "style": style[:batch], "keep": keep[:batch, :longest]}


@dataclass(frozen=True)
class Case:
    """The numbers of layers, and the seed of what they choose."""

    layers: tuple[int, ...]
    seed: int

    @staticmethod
    def numbered(seed: int) -> Case:
        """One of a series."""
        choices = Random(seed)
        return Case(tuple(choices.randrange(len(KINDS)) for _ in range(choices.randint(3, 6))), seed)

    @property
    def usable(self) -> bool:
        """Whether the network takes the sizes that it is read at, and is no larger than a test should compute."""
        return min(PROBES) in self.lengths and self.run([BUCKET])["y"].numel() <= 2000

    @cached_property
    def net(self) -> Net:
        return Net(self.layers, self.seed).eval()

    @cached_property
    def exact(self) -> Net:
        """The network in float64."""
        return Net(self.layers, self.seed).eval().double()

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """The lengths that the network takes."""
        return tuple(length for length in range(SHORTEST, BUCKET + 1) if self._takes(length))

    def _takes(self, length: int) -> bool:
        try:
            self.run([length])
        except (RuntimeError, ValueError):  # a mirrored edge, or a norm of one step
            return False
        return True

    def run(self, lengths: Sequence[int], sample: int | None = None, exact: bool = False) -> dict[str, Tensor]:
        """What the network gives; for one of the samples alone, at its own length, if it is given."""
        given = inputs(lengths)
        if sample is not None:
            given = {name: tensor[sample : sample + 1] for name, tensor in given.items()}
            given = {"x": given["x"][..., : lengths[sample]], "style": given["style"], "keep": given["keep"]}
            given["keep"] = given["keep"][:, : lengths[sample]]
        if exact:
            given = {name: t.double() if t.is_floating_point() else t for name, t in given.items()}
        with torch.no_grad():
            return (self.exact if exact else self.net)(**given)

    def graph(self, batch: int, length: int) -> Graph:
        return export(self.net, (), inputs([length] * batch)).graph

    def padded(self, batch: int) -> Padded:
        """The network in a bucket, read at other sizes as well; at more where few leave a doubt."""
        with suppress(Doubtful):
            found = self._padded(batch, (BUCKET, *PROBES))
            if not found.guessed:
                return found
        return self._padded(batch, (BUCKET, *PROBES, *MORE_PROBES))

    def _padded(self, batch: int, sizes: Sequence[int]) -> Padded:
        return pad([self.graph(batch, size) for size in sizes], [{"T": size} for size in sizes])


def in_double(graph: Graph) -> Graph:
    """The same program in float64."""
    weights = {ref: _wide(weight) for ref, weight in graph.weights.items()}
    return parse_graph(re.sub(r"f32(?=\[)|(?<=dtype=)f32", "f64", str(graph)), Weights(weights))


def _wide(weight: Weight) -> Weight:
    if weight.type.dtype is not DType.f32:
        return weight
    read = weight.read
    assert read is not None
    type = TensorType(DType.f64, weight.type.shape)
    return replace(weight, type=type, read=lambda: array_of(tensor_of(read(), DType.f32).double()))


def filled(lengths: Sequence[int], garbage: str) -> dict[str, Tensor]:
    """The inputs in the bucket: garbage after each sample's end; what is no floating number is zero there."""
    given = inputs([BUCKET] * len(lengths))
    generator = torch.Generator().manual_seed(2)
    for sample, length in enumerate(lengths):
        rest = given["x"][sample, :, length:]
        noise = torch.randn(rest.shape, generator=generator) * 1e3
        rest.copy_(noise if garbage == "random" else torch.full_like(rest, float(garbage)))
        given["keep"][sample, length:] = False
    return given


GARBAGE = ("random", "inf", "nan", "1e30")


def error(case: Case, padded: Padded, graph: Graph, lengths: Sequence[int], garbage: str) -> float:
    """The largest scaled error of a bucket's valid parts against each sample alone; NaN if there is one."""
    exact = graph is not padded.graph
    given = filled(lengths, garbage)
    if exact:
        given = {name: t.double() if t.is_floating_point() else t for name, t in given.items()}
    taken = {value.op.name for value in graph.inputs if isinstance(value.op, Input)}
    given = {name: tensor for name, tensor in given.items() if name in taken}
    found = ops.evaluate(graph, {**given, "T": torch.tensor(lengths)})
    errors = []
    for sample, length in enumerate(lengths):
        for name, wanted in case.run(lengths, sample, exact).items():
            valid = found[name][sample : sample + 1][box(padded.outputs[name], length)]
            assert valid.shape == wanted.shape
            errors.append(scaled(valid, wanted))
    return sum(errors) if any(e != e for e in errors) else max(errors)


def rounding(case: Case, lengths: Sequence[int]) -> float:
    """How far float32 itself takes the network from its result in float64; NaN where one of the two is not finite."""
    return max(
        scaled(single.double(), double)
        for sample in range(len(lengths))
        for single, double in zip(
            case.run(lengths, sample).values(), case.run(lengths, sample, exact=True).values(), strict=True
        )
    )


def scaled(found: Tensor, wanted: Tensor) -> float:
    """The scaled error; a network's own infinities and NaN must be where and what they are, else NaN."""
    finite = wanted.isfinite()
    if not bool(finite.all()):
        same = torch.equal(found.nan_to_num(7.0)[~finite], wanted.nan_to_num(7.0)[~finite])
        if not same or not torch.equal(found.isnan(), wanted.isnan()):
            return float("nan")
        found, wanted = found.where(finite, 0), wanted.where(finite, 0)
    return ((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30)).item()


def box(extent: Extent, length: int) -> tuple[slice, ...]:
    return tuple(slice(None if own is None else own.at({"T": length})) for own in extent.lengths)
