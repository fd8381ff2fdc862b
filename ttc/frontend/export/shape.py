"""Readings of aten ops that move elements."""

from __future__ import annotations

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import END, result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten
from ttc.ir import DType, Value


@aten("view", "_unsafe_view", "reshape", "view_copy", "_reshape_copy")
def view(b: ExportBuilder, x: Value, size: list[int]) -> Value:
    return compose.reshape(b, x, size)


@aten("view.dtype")
def view_dtype(b: ExportBuilder, x: Value, dtype: DType) -> Value:
    if dtype is x.dtype:
        return x
    if dtype.bytes != x.dtype.bytes:
        raise Refusal(f"reading the bits of {x.dtype} as {dtype} is not supported: their sizes differ")
    return b(ops.BitCast(x, dtype))


@aten("flatten.using_ints", "unflatten.int", "squeeze", "unsqueeze", "squeeze_copy", "unsqueeze_copy", "view_as",
      "reshape_as")  # fmt: skip
def reshaped(b: ExportBuilder, x: Value, *_: object, **__: object) -> Value:
    """Ops that only change the shape, to the one torch declares."""
    return compose.reshape(b, x, b.result.shape)


@aten("permute", "permute_copy")
def permute(b: ExportBuilder, x: Value, dims: list[int]) -> Value:
    return compose.permute(b, x, dims)


@aten("transpose.int", "transpose_copy.int", "swapaxes")
def transpose(b: ExportBuilder, x: Value, dim0: int, dim1: int) -> Value:
    return compose.transpose(b, x, dim0, dim1)


@aten("t", "numpy_T", "mT")
def t(b: ExportBuilder, x: Value) -> Value:
    return compose.transpose(b, x, -2, -1) if x.type.rank >= 2 else x


@aten("movedim.int")
def movedim(b: ExportBuilder, x: Value, source: int, destination: int) -> Value:
    return compose.move(b, x, source, destination)


@aten("expand", "expand_as", "broadcast_to", "expand_copy")
def expand(b: ExportBuilder, x: Value, *_: object, **__: object) -> Value:
    return compose.expand(b, x, b.result.shape)


@aten("slice.Tensor", "slice_copy.Tensor")
def slice_(
    b: ExportBuilder, x: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Value:
    return compose.part(b, x, dim, start or 0, END if end is None else end, step)


@aten("narrow")
def narrow(b: ExportBuilder, x: Value, dim: int, start: int, length: int) -> Value:
    start %= max(x.shape[dim], 1)
    return compose.part(b, x, dim, start, start + length)


@aten("select.int", "select_copy.int")
def select(b: ExportBuilder, x: Value, dim: int, index: int) -> Value:
    return compose.select(b, x, dim, index)


@aten("unbind.int", "unbind_copy.int")
def unbind(b: ExportBuilder, x: Value, dim: int = 0) -> tuple[Value, ...]:
    return tuple(compose.select(b, x, dim, index) for index in range(x.shape[dim]))


@aten("split.Tensor", "split_copy.Tensor")
def split(b: ExportBuilder, x: Value, split_size: int, dim: int = 0) -> tuple[Value, ...]:
    total = x.shape[dim]
    sizes = [min(split_size, total - start) for start in range(0, total, max(split_size, 1))]
    return compose.parts(b, x, sizes or [0], dim)


@aten("split_with_sizes", "split_with_sizes_copy", "split.sizes")
def split_with_sizes(b: ExportBuilder, x: Value, split_sizes: list[int], dim: int = 0) -> tuple[Value, ...]:
    return compose.parts(b, x, split_sizes, dim)


@aten("chunk")
def chunk(b: ExportBuilder, x: Value, chunks: int, dim: int = 0) -> tuple[Value, ...]:
    return split(b, x, -(-x.shape[dim] // chunks), dim)


@aten("cat", "concat", "concatenate")
def cat(b: ExportBuilder, tensors: list[Value], dim: int = 0) -> Value:
    xs = [x for x in tensors if x.shape != (0,)] or tensors[:1]  # torch lets an empty vector join anything
    return compose.concat(b, [result_as(b, x) for x in xs], dim)


@aten("stack")
def stack(b: ExportBuilder, tensors: list[Value], dim: int = 0) -> Value:
    xs = [compose.unsqueeze(b, result_as(b, x), dim) for x in tensors]
    return compose.concat(b, xs, dim)


@aten("flip")
def flip(b: ExportBuilder, x: Value, dims: list[int]) -> Value:
    return b(ops.Flip(x, compose.axes(x, dims))) if dims else x


@aten("roll")
def roll(b: ExportBuilder, x: Value, shifts: list[int], dims: list[int] | None = None) -> Value:
    if not dims:
        flat = roll(b, compose.reshape(b, x, (-1,)), shifts, [0])
        return compose.reshape(b, flat, x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        cut = -shift % max(x.shape[dim], 1)
        x = compose.concat(b, [compose.part(b, x, dim, cut, END), compose.part(b, x, dim, 0, cut)], dim)
    return x


@aten("repeat", "tile")
def repeat(b: ExportBuilder, x: Value, repeats: list[int]) -> Value:
    rank = max(len(repeats), x.type.rank)
    x = compose.reshape(b, x, (1,) * (rank - x.type.rank) + x.shape)
    counts = (1,) * (rank - len(repeats)) + tuple(repeats)
    return x if set(counts) <= {1} else b(ops.Repeat(x, counts))


@aten("repeat_interleave.self_int")
def repeat_interleave(
    b: ExportBuilder, x: Value, repeats: int, dim: int | None = None, output_size: int | None = None
) -> Value:
    """Each element `repeats` times in a row: a new dimension, expanded, then merged."""
    if dim is None:
        return repeat_interleave(b, compose.reshape(b, x, (-1,)), repeats, 0)
    at = compose.axis(x, dim)
    wide = compose.unsqueeze(b, x, at + 1)
    wide = compose.expand(b, wide, (*x.shape[: at + 1], repeats, *x.shape[at + 1 :]))
    return compose.reshape(b, wide, b.result.shape)


@aten("pad")
def pad(b: ExportBuilder, x: Value, pad: list[int], mode: str = "constant", value: float | None = None) -> Value:
    """torch lists pads from the last dimension; negative ones cut."""
    pairs = [(0, 0)] * (x.type.rank - len(pad) // 2) + list(zip(pad[-2::-2], pad[::-2], strict=True))
    for dim, (begin, end) in enumerate(pairs):
        x = compose.part(b, x, dim, max(-begin, 0), x.shape[dim] - max(-end, 0))
    pads = tuple((max(begin, 0), max(end, 0)) for begin, end in pairs)
    if mode == "circular":
        return _circular(b, x, pads)
    if not any(map(any, pads)):
        return x
    return b(ops.Pad(x, pads, mode, float(value or 0)))  # type: ignore[arg-type] (the type rule knows the modes)


def _circular(b: ExportBuilder, x: Value, pads: tuple[tuple[int, int], ...]) -> Value:
    for dim, (begin, end) in enumerate(pads):
        pieces = [compose.part(b, x, dim, x.shape[dim] - begin, END), x, compose.part(b, x, dim, 0, end)]
        x = compose.concat(b, pieces, dim)
    return x


@aten("constant_pad_nd")
def constant_pad(b: ExportBuilder, x: Value, pad_sizes: list[int], value: Number = 0) -> Value:
    return pad(b, x, pad_sizes, "constant", value)


@aten("reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
def reflection_pad(b: ExportBuilder, x: Value, padding: list[int]) -> Value:
    return pad(b, x, padding, "reflect")


@aten("replication_pad1d", "replication_pad2d", "replication_pad3d")
def replication_pad(b: ExportBuilder, x: Value, padding: list[int]) -> Value:
    return pad(b, x, padding, "replicate")


@aten("pixel_shuffle")
def pixel_shuffle(b: ExportBuilder, x: Value, upscale_factor: int) -> Value:
    r, (*lead, channels, height, width) = upscale_factor, x.shape
    wide = compose.reshape(b, x, (*lead, channels // r**2, r, r, height, width))
    n = len(lead)
    wide = compose.permute(b, wide, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))
    return compose.reshape(b, wide, b.result.shape)


@aten("pixel_unshuffle")
def pixel_unshuffle(b: ExportBuilder, x: Value, downscale_factor: int) -> Value:
    r, (*lead, channels, height, width) = downscale_factor, x.shape
    wide = compose.reshape(b, x, (*lead, channels, height // r, r, width // r, r))
    n = len(lead)
    wide = compose.permute(b, wide, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))
    return compose.reshape(b, wide, b.result.shape)


@aten("slice_scatter")
def slice_scatter(
    b: ExportBuilder,
    x: Value,
    src: Value,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    start, end, step = slice(start, end, step).indices(x.shape[dim])
    if step == 1:
        return compose.put(b, x, result_as(b, src), dim, start, max(start, end))
    return compose.put_every(b, x, result_as(b, src), compose.axis(x, dim), start, step)


@aten("select_scatter")
def select_scatter(b: ExportBuilder, x: Value, src: Value, dim: int, index: int) -> Value:
    at = compose.axis(x, dim)
    index %= x.shape[at]
    return compose.put(b, x, compose.unsqueeze(b, result_as(b, src), at), at, index, index + 1)
