"""Predicted device time of a call: a roofline of the matrix engine and DRAM, plus dispatch.

Two constants are fitted, to the published times of bf16 HiFi2 products on N150 (512^3 to 4096^3, operands in
DRAM, traced: 20.0, 69.0, 299 and 2009 us); the prediction is within 8.1% of each. Elementwise arithmetic and
traffic within L1 count as free beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from ttc.calls.attention import ScaledDotProductAttention
from ttc.calls.call import Call, Dispatch, MathFidelity, spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.conv_transpose import ConvTranspose2d
from ttc.calls.index import Embedding
from ttc.calls.joint_attention import JointScaledDotProductAttention
from ttc.calls.loop import Put, Take
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.shape import Slice
from ttc.calls.target import Target
from ttc.ir import TILE, Buffer, Node, Value

DISPATCH_SECONDS = 4e-6
"""Seconds from one device program to the next in a captured trace."""

MATRIX_EFFICIENCY = 0.484
"""Share of the matrix engine's peak that a large product reaches."""

DRAM_EFFICIENCY = 0.339
"""Share of DRAM's peak rate that interleaved tiles reach."""

CYCLES = {MathFidelity.LoFi: 16, MathFidelity.HiFi2: 32, MathFidelity.HiFi3: 48, MathFidelity.HiFi4: 64}
"""Cycles of the matrix engine for one product of two 32 x 32 tiles."""


@dataclass(frozen=True)
class Cost:
    """Work of a call: tile products, device programs, DRAM bytes moved; and the seconds of the matrix engine and DRAM.

    All numbers are for `times` runs of the call: as often as the loop around the call runs.
    """

    tile_products: int
    dispatch: Dispatch
    dram_bytes: int
    matrix_seconds: float
    dram_seconds: float
    times: int = 1

    @property
    def programs(self) -> int:
        return self.dispatch.programs

    @property
    def dispatch_seconds(self) -> float:
        """Return the seconds that starting the device programs takes."""
        return self.programs * DISPATCH_SECONDS

    @property
    def seconds(self) -> float:
        """Predict the time: the matrix engine and DRAM work side by side, after dispatch."""
        return self.dispatch_seconds + max(self.matrix_seconds, self.dram_seconds)

    @property
    def bound(self) -> str:
        """Return the largest part of the time: "matrix engine", "DRAM" or "dispatch"; "" where no program runs."""
        parts = {
            "dispatch": self.dispatch_seconds,
            "DRAM": self.dram_seconds,
            "matrix engine": self.matrix_seconds,
        }
        return max(parts, key=parts.__getitem__) if self.programs else ""

    @property
    def flops(self) -> int:
        """Count the multiplications and additions of the matrix engine, padding included."""
        return 2 * TILE**3 * self.tile_products

    def repeated(self, count: int) -> Cost:
        """Return the cost of this work `count` times."""
        return Cost(
            count * self.tile_products,
            count * self.dispatch,
            count * self.dram_bytes,
            count * self.matrix_seconds,
            count * self.dram_seconds,
            count * self.times,
        )


def cost(node: Node, target: Target) -> Cost:
    """Predict the cost of one call."""
    call = node.op
    assert isinstance(call, Call)
    products = tile_products(call)
    moved = sum(size for value, size in traffic(node, target) if spec_of(value).memory.buffer is Buffer.DRAM)
    cores = min(target.cores, max(1, sum(_tiles(value.shape) for value in node.results)))
    matrix = products * CYCLES[fidelity(call)] / cores / target.clock_hz / MATRIX_EFFICIENCY
    return Cost(products, call.dispatch(target), moved, matrix, moved / target.dram_bytes_per_second / DRAM_EFFICIENCY)


def tile_products(call: Call) -> int:
    """Count the products of 32 x 32 tiles that the matrix engine computes, over padded sizes."""
    match call:
        case Matmul() | Linear():
            a, b = call.input_tensor_a.shape, call.input_tensor_b.shape
            rows, inner = (a[-1], a[-2]) if call.transpose_a else (a[-2], a[-1])
            columns = b[-2] if call.transpose_b else b[-1]
            return max(prod(a[:-2]), prod(b[:-2])) * _tiles((rows, inner)) * _count(columns)
        case Conv2d() | ConvTranspose2d():
            pixels = prod(call.infer().shape[:-1])
            return call.taps * _count(pixels) * _count(call.in_channels) * _count(call.out_channels)
        case ScaledDotProductAttention():
            batch, heads, queries, head = call.input_tensor_q.shape
            both = 2 * batch * heads * _count(queries) * _count(call.input_tensor_k.shape[2]) * _count(head)
            return both // 2 if call.is_causal else both
        case JointScaledDotProductAttention():
            batch, heads, _, head = call.input_tensor_q.shape
            rows = sum(_count(q.shape[2]) for q, _, _ in call.sequences)
            return 2 * batch * heads * rows * rows * _count(head)
    return 0


def traffic(node: Node, target: Target) -> Iterator[tuple[Value, int]]:
    """Yield each tensor that a call reads or writes, in whichever memory, with its bytes that the call moves."""
    call = node.op
    if isinstance(call, Call) and not call.dispatch(target).programs:
        return
    if isinstance(call, Put):
        yield from ((value, spec_of(call.input).stored_bytes) for value in (call.input, call.cache))
        return
    written = sum(spec_of(value).stored_bytes for value in node.results)
    for value in dict.fromkeys(call.operands()):
        size = spec_of(value).stored_bytes
        if isinstance(call, (Slice, Take)) or (isinstance(call, Embedding) and value is call.weight):
            size = min(size, written)  # only what is taken of it
        yield value, size
    for value in node.results:
        yield value, spec_of(value).stored_bytes


def fidelity(call: Call) -> MathFidelity:
    """Return the passes that the matrix engine makes for a call; the most if the call does not say."""
    return call.compute.math_fidelity if call.compute else MathFidelity.HiFi4


def _count(size: int) -> int:
    return -(-size // TILE)


def _tiles(shape: tuple[int, ...]) -> int:
    *batch, rows, columns = (1, 1, *shape)
    return prod(batch) * _count(rows) * _count(columns)
