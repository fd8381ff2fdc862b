"""Random networks over time, for comparing a bucket with the exact length; built of ops, at any length."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ttc import ops
from ttc.ir import Builder, Const, DType, Graph, Input, TensorType, Value, Weight, Weights
from ttc.ir.lengths import Extent
from ttc.ops.torch_types import array_of, to_torch
from ttc.passes.padding import Padded, pad

CHANNELS = 4
BUCKET = 24


class Net:
    """Adds one layer after another to a value [B, C, T]; its seed makes the same choices at every length."""

    def __init__(self, batch: int, time: int, seed: int, dtype: DType = DType.f32):
        self.choices, self.dtype = random.Random(seed), dtype
        self.weights: dict[str, Weight] = {}
        self.b = Builder()
        self.x = self.b(Input(TensorType(dtype, (batch, CHANNELS, time)), "x"))

    def choose(self, items: Sequence):
        return self.choices.choice(items)

    def number(self, number: float) -> Value:
        return self.b(ops.Full(TensorType(self.dtype, ()), number))

    def weight(self, *shape: int) -> Value:
        ref = f"w{len(self.weights)}"
        generator = torch.Generator().manual_seed(len(self.weights))
        tensor = (torch.randn(shape, generator=generator) * 0.4).to(to_torch(self.dtype))
        type = TensorType(self.dtype, shape)
        self.weights[ref] = Weight(type, lambda: array_of(tensor))
        return self.b(Const(type, ref))

    def graph(self) -> Graph:
        found = self.b.finish([("y", self.x)])
        return Graph(found.nodes, found.outputs, Weights(self.weights))


def conv(n: Net) -> Value:
    kernel, dilation, stride = n.choose((1, 3, 5)), n.choose((1, 2)), n.choose((1, 1, 2))
    span = dilation * (kernel - 1)
    pads = n.choose(((span // 2, span - span // 2), (span, 0), (0, span)))
    groups = n.choose((1, 1, CHANNELS))
    w = n.weight(CHANNELS, CHANNELS // groups, kernel)
    return n.b(ops.Conv(n.x, w, n.weight(CHANNELS), (stride,), (pads,), (dilation,), groups))


def mirrored(n: Net) -> Value:
    pads, mode = n.choose(((1, 2), (0, 2), (2, 0))), n.choose(("reflect", "replicate"))
    return n.b(ops.Pad(n.x, ((0, 0), (0, 0), pads), mode))


def padded(n: Net) -> Value:
    return n.b(ops.Pad(n.x, ((0, 0), (0, 0), n.choose(((1, 2), (0, 1)))), "constant", n.choose((0.0, 0.5))))


def transposed(n: Net) -> Value:
    kernel, stride = n.choose((2, 3, 4)), n.choose((1, 2))
    cut = n.choose(((0, 0), (0, 1), (1, 0))) if kernel > 2 else (0, 0)
    w = n.weight(CHANNELS, CHANNELS, kernel)
    return n.b(ops.ConvTranspose(n.x, w, n.weight(CHANNELS), (stride,), (cut,), (0,), (1,)))


def group_norm(n: Net) -> Value:
    groups = n.choose((1, 2, CHANNELS))
    return n.b(ops.GroupNorm(n.x, n.weight(CHANNELS), n.weight(CHANNELS), groups))


def layer_norm(n: Net) -> Value:
    rows = n.b(ops.Permute(n.x, (0, 2, 1)))
    normal = n.b(ops.LayerNorm(rows, n.weight(CHANNELS), n.weight(CHANNELS)))
    return n.b(ops.Permute(normal, (0, 2, 1)))


def time_norm(n: Net) -> Value:
    return n.b(ops.LayerNorm(n.x, dims=n.choose((1, 2))))


def attention(n: Net) -> Value:
    batch, channels, time = n.x.shape
    heads = n.b(ops.Reshape(n.b(ops.Permute(n.x, (0, 2, 1))), (batch, time, 2, channels // 2)))
    q = n.b(ops.Permute(heads, (0, 2, 1, 3)))
    k = n.b(ops.Mul(q, n.number(0.5)))
    y = n.b(ops.Attention(q, k, q, causal=n.choose((False, True)), scale=0.5))
    rows = n.b(ops.Reshape(n.b(ops.Permute(y, (0, 2, 1, 3))), (batch, time, channels)))
    return n.b(ops.Permute(rows, (0, 2, 1)))


def scores(n: Net) -> Value:
    """Attention written out."""
    rows = n.b(ops.Permute(n.x, (0, 2, 1)))
    shares = n.b(ops.Softmax(n.b(ops.Matmul(rows, n.x)), 2))
    return n.b(ops.Permute(n.b(ops.Matmul(shares, rows)), (0, 2, 1)))


def pool(n: Net) -> Value:
    kernel, stride, pads = n.choose(((3, 1, (1, 1)), (2, 2, (0, 0)), (3, 2, (1, 1)), (3, 2, (0, 1))))
    kind = n.choose((ops.MaxPool, ops.AvgPool))
    options = {} if kind is ops.MaxPool else {"count_padding": n.choose((True, False))}
    return n.b(kind(n.x, (kernel,), (stride,), (pads,), (1,), **options))


def upsample(n: Net) -> Value:
    return n.b(ops.Upsample(n.x, (n.choose((2, 3)),), n.choose(("nearest", "linear"))))


def prefix_sum(n: Net) -> Value:
    return n.b(ops.Tanh(n.b(ops.Cumsum(n.x, 2))))


def centred(n: Net) -> Value:
    kind = n.choose((ops.Mean, ops.Max, ops.Min, ops.Sum))
    return n.b(ops.Sub(n.x, n.b(kind(n.x, (2,), True))))


def turned(n: Net) -> Value:
    return n.b(ops.Flip(n.x, (2,)))


def shifted(n: Net) -> Value:
    """x[t] with x[t - 1], the first with the last."""
    batch, channels, time = n.x.shape
    first = n.b(ops.Slice(n.x, (0, 0, 0), (batch, channels, time - 1), (1, 1, 1)))
    last = n.b(ops.Slice(n.x, (0, 0, time - 1), (batch, channels, time), (1, 1, 1)))
    return n.b(ops.Add(n.x, n.b(ops.Concat((last, first), 2))))


def doubled(n: Net) -> Value:
    """x after x, halved again by a stride."""
    batch, channels, time = n.x.shape
    return n.b(ops.Slice(n.b(ops.Concat((n.x, n.x), 2)), (0, 0, 0), (batch, channels, 2 * time), (1, 1, 2)))


def exponential(n: Net) -> Value:
    """What may overflow in the padding."""
    small = n.b(ops.Tanh(n.x))
    return n.b(ops.Reciprocal(n.b(ops.Add(n.b(ops.Exp(small)), n.number(0.1)))))


def recurrence(n: Net) -> Value:
    hidden = CHANNELS // 2
    steps = n.b(ops.Permute(n.x, (2, 0, 1)))
    w, r = n.weight(2, 3 * hidden, CHANNELS), n.weight(2, 3 * hidden, hidden)
    y = n.b(ops.Gru(steps, w, r))[0] if n.choose((True, False)) else _lstm(n, steps)
    return n.b(ops.Permute(y, (1, 2, 0)))


def _lstm(n: Net, steps: Value) -> Value:
    hidden = CHANNELS // 2
    return n.b(ops.Lstm(steps, n.weight(2, 4 * hidden, CHANNELS), n.weight(2, 4 * hidden, hidden)))[0]


LAYERS = (
    conv, mirrored, padded, transposed, group_norm, layer_norm, time_norm, attention, scores, pool, upsample,
    prefix_sum, centred, turned, shifted, doubled, exponential, recurrence,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Layers, one after another, and the seed of what they choose."""

    layers: tuple[int, ...]
    seed: int

    def graph(self, batch: int, time: int, dtype: DType = DType.f32) -> Graph:
        """The network at a length."""
        made = Net(batch, time, self.seed, dtype)
        for number in self.layers:
            made.x = LAYERS[number](made)
        return made.graph()

    def padded(self, batch: int, dtype: DType = DType.f32) -> Padded:
        """The network in a bucket of 24, read at two other sizes as well."""
        sizes = (BUCKET, BUCKET - 1, BUCKET - 3)
        return pad([self.graph(batch, size, dtype) for size in sizes], [{"T": size} for size in sizes])


def bounded(graph: Graph) -> bool:
    """Whether it is no more than a test should compute."""
    return all(value.type.numel <= 40_000 for value in graph.values())


GARBAGE = (1e3, float("nan"), float("inf"))


def largest_error(case: Case, padded: Padded, lengths: Sequence[int], garbage: float) -> float:
    """The scaled error of a bucket's valid part against each sample run alone at its own length; NaN for any NaN."""
    x = inputs(padded, lengths, garbage)
    found = ops.evaluate(padded.graph, {"x": x, "T": torch.tensor(lengths[: padded.samples])})["y"]
    dtype = next(iter(padded.graph.inputs)).dtype
    errors = []
    for sample, length in enumerate(lengths):
        wanted = ops.evaluate(case.graph(1, length, dtype), {"x": x[sample : sample + 1, :, :length]})["y"]
        valid = found[sample : sample + 1][_box(padded.outputs["y"], length)]
        assert valid.shape == wanted.shape
        errors.append(scaled(valid, wanted))
    return sum(errors) if any(error != error for error in errors) else max(errors)


def inputs(padded: Padded, lengths: Sequence[int], garbage: float) -> torch.Tensor:
    """Random samples, garbage after each one's end."""
    source = next(iter(padded.graph.inputs))
    generator = torch.Generator().manual_seed(sum(lengths))
    x = torch.randn(source.shape, generator=generator).to(to_torch(source.dtype))
    for sample, length in enumerate(lengths):
        x[sample, :, length:] = garbage
    return x


def scaled(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return ((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30)).item()


def rounding(case: Case, x: torch.Tensor) -> float:
    """How far float32 itself takes the network from its result in float64."""
    exact = ops.evaluate(case.graph(1, x.shape[2], DType.f64), {"x": x.double()})["y"]
    return scaled(ops.evaluate(case.graph(1, x.shape[2]), {"x": x})["y"].double(), exact)


def _box(extent: Extent, length: int) -> tuple[slice, ...]:
    return tuple(slice(None if own is None else own.at({"T": length})) for own in extent.lengths)
