"""Readings of aten ops that move elements."""

from __future__ import annotations

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten
from ttc.ir import Const, DType
from ttc.ops.expr import Expr, apply


@aten("view", "_unsafe_view", "reshape", "view_copy", "_reshape_copy")
def view(b: ExportBuilder, x: Expr, size: list[int]) -> Expr:
    return x.view(*size)


@aten("view.dtype")
def view_dtype(b: ExportBuilder, x: Expr, dtype: DType) -> Expr:
    if dtype is x.dtype:
        return x
    if dtype.bytes != x.dtype.bytes:
        raise Refusal(f"reading the bits of {x.dtype} as {dtype} is not supported: their sizes differ")
    return apply(ops.BitCast, x, dtype)


@aten("flatten.using_ints", "unflatten.int", "squeeze", "unsqueeze", "squeeze_copy", "unsqueeze_copy", "view_as",
      "reshape_as")  # fmt: skip
def reshaped(b: ExportBuilder, x: Expr, *_: object, **__: object) -> Expr:
    """Reshape to the shape that torch declares: for ops that only change the shape."""
    return x.reshape(*b.result.shape)


@aten("permute", "permute_copy")
def permute(b: ExportBuilder, x: Expr, dims: list[int]) -> Expr:
    return x.permute(*dims)


@aten("transpose.int", "transpose_copy.int", "swapaxes")
def transpose(b: ExportBuilder, x: Expr, dim0: int, dim1: int) -> Expr:
    return compose.transpose(x, dim0, dim1)


@aten("t", "numpy_T", "mT")
def t(b: ExportBuilder, x: Expr) -> Expr:
    return compose.transpose(x, -2, -1) if x.rank >= 2 else x


@aten("movedim.int")
def movedim(b: ExportBuilder, x: Expr, source: int, destination: int) -> Expr:
    return compose.move(x, source, destination)


@aten("expand", "expand_as", "broadcast_to", "expand_copy")
def expand(b: ExportBuilder, x: Expr, *_: object, **__: object) -> Expr:
    return x.expand(*b.result.shape)


@aten("slice.Tensor", "slice_copy.Tensor")
def slice_(
    b: ExportBuilder, x: Expr, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Expr:
    start, end, step = slice(start, end, step).indices(x.shape[dim])
    return x.part(dim, start, max(start, end), step)


@aten("alias")
def alias(b: ExportBuilder, x: Expr) -> Expr:
    """Read a view of everything; of a table of the model as a slice, which other lengths take a part of."""
    if not isinstance(x.op, Const) or not x.rank:
        return x
    return x.new(ops.Slice(x.value, (0,) * x.rank, x.shape))


@aten("narrow", "narrow_copy")
def narrow(b: ExportBuilder, x: Expr, dim: int, start: int, length: int) -> Expr:
    start %= max(x.shape[dim], 1)
    return x.part(dim, start, start + length)


@aten("select.int", "select_copy.int")
def select(b: ExportBuilder, x: Expr, dim: int, index: int) -> Expr:
    return compose.select(x, dim, index)


@aten("unbind.int", "unbind_copy.int")
def unbind(b: ExportBuilder, x: Expr, dim: int = 0) -> tuple[Expr, ...]:
    return tuple(compose.select(x, dim, index) for index in range(x.shape[dim]))


@aten("split.Tensor", "split_copy.Tensor")
def split(b: ExportBuilder, x: Expr, split_size: int, dim: int = 0) -> tuple[Expr, ...]:
    total = x.shape[dim]
    sizes = [min(split_size, total - start) for start in range(0, total, max(split_size, 1))]
    return compose.parts(x, sizes or [0], dim)


@aten("split_with_sizes", "split_with_sizes_copy", "split.sizes")
def split_with_sizes(b: ExportBuilder, x: Expr, split_sizes: list[int], dim: int = 0) -> tuple[Expr, ...]:
    return compose.parts(x, split_sizes, dim)


@aten("chunk")
def chunk(b: ExportBuilder, x: Expr, chunks: int, dim: int = 0) -> tuple[Expr, ...]:
    return split(b, x, -(-x.shape[dim] // chunks), dim)


@aten("cat", "concat", "concatenate")
def cat(b: ExportBuilder, tensors: list[Expr], dim: int = 0) -> Expr:
    xs = [x for x in tensors if x.shape != (0,)] or tensors[:1]  # torch lets an empty vector join anything
    return compose.cat([result_as(b, x) for x in xs], dim)


@aten("stack")
def stack(b: ExportBuilder, tensors: list[Expr], dim: int = 0) -> Expr:
    xs = [compose.unsqueeze(result_as(b, x), dim) for x in tensors]
    return compose.cat(xs, dim)


@aten("flip")
def flip(b: ExportBuilder, x: Expr, dims: list[int]) -> Expr:
    return x.flip(*compose.axes(x, dims)) if dims else x


@aten("roll")
def roll(b: ExportBuilder, x: Expr, shifts: list[int], dims: list[int] | None = None) -> Expr:
    if not dims:
        flat = roll(b, x.view(-1), shifts, [0])
        return flat.reshape(*x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        cut = -shift % max(x.shape[dim], 1)
        x = compose.cat([x.part(dim, cut), x.part(dim, 0, cut)], dim)
    return x


@aten("repeat", "tile")
def repeat(b: ExportBuilder, x: Expr, repeats: list[int]) -> Expr:
    rank = max(len(repeats), x.rank)
    x = x.reshape(*(1,) * (rank - x.rank), *x.shape)
    counts = (1,) * (rank - len(repeats)) + tuple(repeats)
    return x if set(counts) <= {1} else apply(ops.Repeat, x, counts)


@aten("repeat_interleave.self_int")
def repeat_interleave(
    b: ExportBuilder, x: Expr, repeats: int, dim: int | None = None, output_size: int | None = None
) -> Expr:
    """Repeat each element `repeats` times in a row: a new dimension, expanded, then merged."""
    if dim is None:
        return repeat_interleave(b, x.view(-1), repeats, 0)
    at = compose.axis(x, dim)
    wide = compose.unsqueeze(x, at + 1)
    wide = wide.expand(*x.shape[: at + 1], repeats, *x.shape[at + 1 :])
    return wide.reshape(*b.result.shape)


@aten("pad")
def pad(b: ExportBuilder, x: Expr, pad: list[int], mode: str = "constant", value: float | None = None) -> Expr:
    """Pad x: torch lists pads from the last dimension; negative ones cut."""
    pairs = [(0, 0)] * (x.rank - len(pad) // 2) + list(zip(pad[-2::-2], pad[::-2], strict=True))
    for dim, (begin, end) in enumerate(pairs):
        x = x.part(dim, max(-begin, 0), x.shape[dim] - max(-end, 0))
    pads = tuple((max(begin, 0), max(end, 0)) for begin, end in pairs)
    if mode == "circular":
        return _circular(x, pads)
    if not any(map(any, pads)):
        return x
    number = float(bool(value) if x.dtype is DType.bool else value or 0)
    return apply(ops.Pad, x, pads, mode, number)  # type: ignore[arg-type] (the type rule knows the modes)


def _circular(x: Expr, pads: tuple[tuple[int, int], ...]) -> Expr:
    for dim, (begin, end) in enumerate(pads):
        pieces = [x.part(dim, x.shape[dim] - begin), x, x.part(dim, 0, end)]
        x = compose.cat(pieces, dim)
    return x


@aten("constant_pad_nd")
def constant_pad(b: ExportBuilder, x: Expr, pad_sizes: list[int], value: Number = 0) -> Expr:
    return pad(b, x, pad_sizes, "constant", value)


@aten("reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
def reflection_pad(b: ExportBuilder, x: Expr, padding: list[int]) -> Expr:
    return pad(b, x, padding, "reflect")


@aten("replication_pad1d", "replication_pad2d", "replication_pad3d")
def replication_pad(b: ExportBuilder, x: Expr, padding: list[int]) -> Expr:
    return pad(b, x, padding, "replicate")


@aten("pixel_shuffle")
def pixel_shuffle(b: ExportBuilder, x: Expr, upscale_factor: int) -> Expr:
    r, (*lead, channels, height, width) = upscale_factor, x.shape
    wide = x.reshape(*lead, channels // r**2, r, r, height, width)
    n = len(lead)
    wide = wide.permute(*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return wide.reshape(*b.result.shape)


@aten("pixel_unshuffle")
def pixel_unshuffle(b: ExportBuilder, x: Expr, downscale_factor: int) -> Expr:
    r, (*lead, channels, height, width) = downscale_factor, x.shape
    wide = x.reshape(*lead, channels, height // r, r, width // r, r)
    n = len(lead)
    wide = wide.permute(*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return wide.reshape(*b.result.shape)


@aten("slice_scatter")
def slice_scatter(
    b: ExportBuilder,
    x: Expr,
    src: Expr,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Expr:
    start, end, step = slice(start, end, step).indices(x.shape[dim])
    if step == 1:
        return compose.put(x, result_as(b, src), dim, start, max(start, end))
    return compose.put_every(x, result_as(b, src), compose.axis(x, dim), start, step)


@aten("select_scatter")
def select_scatter(b: ExportBuilder, x: Expr, src: Expr, dim: int, index: int) -> Expr:
    at = compose.axis(x, dim)
    index %= x.shape[at]
    return compose.put(x, compose.unsqueeze(result_as(b, src), at), at, index, index + 1)
