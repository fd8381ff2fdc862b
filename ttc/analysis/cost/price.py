"""Price of a call: the time, what bounds it, and what the call does: programs, cores, products, bytes.

The time is the sum over the call's device programs, each by the formula of its family, and the gap from program to
program in a captured trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ttc.analysis.cost.amounts import cores_of
from ttc.analysis.cost.call_work import works
from ttc.analysis.cost.constants import CONSTANTS
from ttc.analysis.cost.division import divide
from ttc.analysis.cost.families import price_work
from ttc.analysis.cost.work import Card, Work
from ttc.calls.attention import ScaledDotProductAttention
from ttc.calls.attention_decode import ScaledDotProductAttentionDecode
from ttc.calls.cache import PagedFillCache, PagedUpdateCache
from ttc.calls.call import Call, Dispatch, spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.conv_transpose import ConvTranspose2d
from ttc.calls.index import Embedding
from ttc.calls.joint_attention import JointScaledDotProductAttention
from ttc.calls.loop import FillCache, Put, Take
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.paged_attention import (
    ChunkedScaledDotProductAttention,
    PagedAttentionCall,
    PagedScaledDotProductAttentionDecode,
)
from ttc.calls.program_config import BlocksConfig
from ttc.calls.shape import Slice
from ttc.calls.sizes import count_tiles, tiles_along
from ttc.calls.target import Target
from ttc.ir import TILE, Buffer, Node, Value

DISPATCH = "dispatch"
"""The part of a time that the start of programs takes: from one to the next in a trace, and until cores compute."""


@dataclass(frozen=True)
class Cost:
    """Work of a call: tile products, device programs, cores, bytes moved to and from DRAM and L1; and the seconds.

    `parts` are the seconds by resource. All but `cores` is for `times` runs of the call: as often as the loop around
    the call runs.
    """

    tile_products: int
    dispatch: Dispatch
    cores: int
    dram_bytes: int
    l1_bytes: int
    parts: Mapping[str, float] = field(default_factory=dict)
    times: int = 1

    @property
    def programs(self) -> int:
        return self.dispatch.programs

    @property
    def seconds(self) -> float:
        """Return the predicted time."""
        return sum(self.parts.values())

    @property
    def bound(self) -> str:
        """Return the resource that takes most of the time; "" where no program runs."""
        return max(self.parts, key=self.parts.__getitem__) if self.parts else ""

    @property
    def flops(self) -> int:
        """Count the multiplications and additions of the matrix engine, padding included."""
        return 2 * TILE**3 * self.tile_products

    def repeated(self, count: int) -> Cost:
        """Return the cost of this work `count` times."""
        return Cost(
            count * self.tile_products,
            count * self.dispatch,
            self.cores,
            count * self.dram_bytes,
            count * self.l1_bytes,
            {resource: count * seconds for resource, seconds in self.parts.items()},
            count * self.times,
        )


def cost(node: Node, target: Target) -> Cost:
    """Predict the cost of one call."""
    call = node.op
    assert isinstance(call, Call)
    moved = dict.fromkeys(Buffer, 0)
    for value, size in traffic(node, target):
        moved[spec_of(value).memory.buffer] += size
    dispatch = call.dispatch(target)
    programs = works(node, target)
    cores = max((_cores(work, card) for work, card in programs), default=0)
    parts = _parts(programs, dispatch, target)
    return Cost(tile_products(call), dispatch, min(cores, target.cores), moved[Buffer.DRAM], moved[Buffer.L1], parts)


def seconds(node: Node, target: Target, dispatch: Dispatch) -> float:
    """Predict the time of one call that runs these device programs, as `cost` does."""
    return sum(_parts(works(node, target), dispatch, target).values())


def call_seconds(call: Call, target: Target) -> float:
    """Predict the time of a call of one result that stands in no program."""
    result: Any = call.infer()
    return seconds(Node(call, (Value(call, result, ""),)), target, call.dispatch(target))


def _parts(programs: list[tuple[Work, Card]], dispatch: Dispatch, target: Target) -> dict[str, float]:
    """Return the seconds of device programs by resource, the gaps between programs included."""
    parts: dict[str, float] = {}
    for work, card in programs:
        for resource, taken in price_work(work, card).attributed().items():
            name = DISPATCH if resource == "start" else resource
            parts[name] = parts.get(name, 0.0) + taken
    if parts:
        gaps = dispatch.programs * CONSTANTS[target.arch]["launch.gap_us"] * 1e-6
        parts[DISPATCH] = parts.get(DISPATCH, 0.0) + gaps
    return parts


def _cores(work: Work, card: Card) -> int:
    return divide(work, card).cores if work.family == "product" else cores_of(work, card)


def tile_products(call: Call) -> int:
    """Count the products of 32 x 32 tiles that the matrix engine computes, over padded sizes."""
    match call:
        case Matmul() | Linear():
            a, b = call.input_tensor_a.shape, call.input_tensor_b.shape
            rows, inner = (a[-1], a[-2]) if call.transpose_a else (a[-2], a[-1])
            columns = b[-2] if call.transpose_b else b[-1]
            return max(prod(a[:-2]), prod(b[:-2])) * count_tiles((rows, inner)) * tiles_along(columns)
        case Conv2d() | ConvTranspose2d():
            pixels = prod(call.infer().shape[:-1])
            return call.taps * tiles_along(pixels) * tiles_along(call.in_channels) * tiles_along(call.out_channels)
        case ScaledDotProductAttention():
            batch, heads, queries, head = call.input_tensor_q.shape
            scores = batch * heads * tiles_along(queries) * tiles_along(call.input_tensor_k.shape[2])
            both = 2 * scores * tiles_along(head)
            return both // 2 if call.is_causal else both
        case ScaledDotProductAttentionDecode():
            _, _, heads, head = call.input_tensor_q.shape
            batch, groups, keys, _ = call.input_tensor_k.shape
            return 2 * batch * groups * tiles_along(heads) * tiles_along(keys) * tiles_along(head)
        case PagedScaledDotProductAttentionDecode():
            _, _, heads, head = call.input_tensor_q.shape
            return 2 * call.groups * tiles_along(heads) * tiles_along(call.keys) * tiles_along(head)
        case ChunkedScaledDotProductAttention():
            _, heads, queries, head = call.input_tensor_q.shape
            return 2 * heads * tiles_along(queries) * tiles_along(call.keys) * tiles_along(head)
        case JointScaledDotProductAttention():
            batch, heads, _, head = call.input_tensor_q.shape
            rows = sum(tiles_along(q.shape[2]) for q, _, _ in call.sequences)
            return 2 * batch * heads * rows * rows * tiles_along(head)
    return 0


def traffic(node: Node, target: Target) -> Iterator[tuple[Value, int]]:
    """Yield each tensor that a call reads or writes, in whichever memory, with its bytes that the call moves."""
    call = node.op
    if isinstance(call, Call) and not call.dispatch(target).programs:
        return
    if isinstance(call, PagedUpdateCache):
        yield from ((value, spec_of(value).stored_bytes) for value in call.operands()[1:])
        yield call.cache_tensor, call.moved_bytes
        return
    if isinstance(call, PagedFillCache):
        yield from ((value, spec_of(value).stored_bytes) for value in call.operands()[1:])
        yield call.cache_tensor, spec_of(call.input_tensor).stored_bytes
        return
    if isinstance(call, (Put, FillCache)):
        yield from ((value, spec_of(call.input).stored_bytes) for value in (call.input, call.cache))
        return
    written = sum(spec_of(value).stored_bytes for value in node.results)
    for value in dict.fromkeys(call.operands()):
        size = spec_of(value).stored_bytes
        if isinstance(call, (Slice, Take)) or (isinstance(call, Embedding) and value is call.weight):
            size = min(size, written)  # only what is taken of it
        if isinstance(call, PagedAttentionCall) and value in (call.input_tensor_k, call.input_tensor_v):
            size = size // value.shape[0] * call.page_table_tensor.type.numel  # the blocks that the table names
        if isinstance(call, Linear) and value is call.input_tensor_b and isinstance(call.program_config, BlocksConfig):
            size *= -(-call.program_config.per_core_M // call.program_config.block_rows)  # once for each block of rows
        yield value, size
    for value in node.results:
        yield value, spec_of(value).stored_bytes
