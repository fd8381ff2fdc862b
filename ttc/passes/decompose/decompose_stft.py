"""The pass that writes Fourier transforms of frames as matrix products, with framing and overlap-add.

A signal is cut into blocks of one hop, and a frame is r = n_fft / hop blocks in a row (rounded up: the transform's
matrix has zeros there). So r shifted views of the blocks, side by side, are all the frames. The other way round, a
block is what r frames in a row add up to: the r shifted views of the spectra, side by side, times a matrix that has
a part for each, give the overlapped and added signal in one product.

Rows side by side are one call where they are whole tiles. Narrower ones TTNN turns into columns and back; there a
convolution along the blocks, or the spectra, multiplies each by a part of the matrix of its own, and adds up.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ttc import ops
from ttc.guard.budget import check_table
from ttc.ir import TILE, Builder, Graph, Value
from ttc.ops.expr import Adds, Expr, concat, constant, reciprocal
from ttc.ops.signal import LONGEST_ROW
from ttc.ops.torch_types import to_torch
from ttc.ops.waves import inverse_of_half, waves
from ttc.passes.normal import rebuild


def decompose_stft(graph: Graph) -> Graph:
    """Decompose stft and istft into products; windows and envelopes become part of derived weights.

    Before:
        %re, %im: f32[1,11,21] = stft(x=%x, window=%w, hop=5)
    After:
        %blocks: f32[1,24,5] = reshape(x=%x, shape=[1, 24, 5])
        %frames: f32[1,21,20] = concat(xs=[%blocks_0, %blocks_1, %blocks_2, %blocks_3], dim=2)
        %re: f32[1,21,11] = matmul(a=%frames, b=%cosines)        (then permuted; likewise %im)
    """
    return rebuild(graph, _decomposed)


def _decomposed(op: ops.Stft | ops.Istft, builder: Builder) -> Expr | tuple[Expr, ...] | None:
    """Return an stft or istft as products; None for any other op."""
    match op:
        case ops.Stft():
            return _spectra(op, builder)
        case ops.Istft():
            return _signal(op, builder)
    return None


def _spectra(op: ops.Stft, builder: Builder) -> tuple[Expr, ...]:
    """Compute real and imaginary parts [N, bins, frames]: frames [N, frames, n_fft] times windowed waves."""
    real, _ = op.infer()
    _, count, frames = real.shape
    steps = -(-op.window.shape[0] // op.hop)
    blocks = frames + steps - 1
    x = _in_blocks(Expr(op.x, builder), blocks, op.hop)
    narrow = _is_narrow(op.hop, steps)
    rows = x.permute(0, 2, 1) if narrow else _side_by_side(x, range(steps), frames)
    window = Expr(op.window, builder).reshape(op.window.shape[0], 1)
    known = (constant(builder, wave.to(to_torch(window.dtype))) for wave in _forward(op, count))
    waves = (_fitted(wave * window, 0, steps * op.hop) for wave in known)
    if narrow:
        parts = (wave.reshape(steps, op.hop, count).permute(2, 1, 0) for wave in waves)
        return tuple(_convolved(rows, part, (0, 0)) for part in parts)
    return tuple((rows @ wave).permute(0, 2, 1) for wave in waves)


def _forward(op: ops.Stft, count: int) -> tuple[Tensor, Tensor]:
    """Compute the transform's matrices [n_fft, bins]: cosines for real parts, negative sines for imaginary parts."""
    size = op.window.shape[0]
    scale = size**-0.5 if op.normalized else 1.0
    cosines, sines = waves(size, count)
    return cosines * scale, sines * scale


def _signal(op: ops.Istft, builder: Builder) -> Expr:
    """Compute the signal [N, samples]: shifted spectra side by side times the inverse, divided by the envelope."""
    batch, count, frames = op.real.shape
    size, hop = op.window.shape[0], op.hop
    steps = -(-size // hop)
    blocks = frames + steps - 1
    spectra = concat((Expr(op.real, builder), Expr(op.imag, builder)), 1)
    windowed = constant(builder, _inverse(op, count)) * Expr(op.window, builder)
    parts = _fitted(windowed, 1, steps * hop).reshape(2 * count, steps, hop)
    end = min(op.start + op.length, op.whole)
    whole = op.start % hop == 0 and end % hop == 0  # whole blocks: the line is made last
    first, last = (op.start // hop, end // hop) if whole else (0, blocks)
    added, envelope = _added(spectra, parts, (first, last)), _envelope(op, steps, builder).part(1, first, last)
    if not whole:
        added, envelope = (x.reshape(x.shape[0], blocks * hop).part(1, op.start, end) for x in (added, envelope))
    kept = (added * reciprocal(envelope)).reshape(batch, end - op.start)
    return _fitted(kept, 1, op.length)


def _added(spectra: Expr, parts: Expr, between: tuple[int, int]) -> Expr:
    """Return the blocks [N, blocks, hop] between two that spectra [N, 2 bins, frames] add up to.

    `parts` [2 bins, steps, hop] give the blocks that a frame begins with, and the `steps` - 1 after that.
    """
    (first, last), (double, steps, hop), frames = between, parts.shape, spectra.shape[2]
    # before the first frame there are steps - 1 that are zero
    begin, end = steps - 1 - first, last - frames
    if _is_narrow(double, steps) and min(begin, end) >= 0:
        return _convolved(spectra, parts.flip(1).permute(2, 0, 1), (begin, end)).permute(0, 2, 1)
    rows = _side_by_side(
        spectra.permute(0, 2, 1).pad(1, steps - 1, steps - 1), reversed(range(steps)), frames + steps - 1
    )
    return (rows @ parts.permute(1, 0, 2).reshape(steps * double, hop)).part(1, first, last)


def _is_narrow(width: int, steps: int) -> bool:
    """Return whether rows of `width` numbers, `steps` of them side by side, begin within tiles."""
    return steps > 1 and width % TILE > 0


def _convolved(x: Expr, w: Expr, pads: tuple[int, int]) -> Expr:
    """Convolve lines x [N, C, T], with zeros around, by w [O, C, K]."""
    return x.new(ops.Conv(x.value, w.value, stride=(1,), padding=(pads,), dilation=(1,)))


def _in_blocks(x: Expr, blocks: int, hop: int) -> Expr:
    """Cut a signal [N, samples] into blocks [N, blocks, hop]; the rows that a signal is made of without the line."""
    needed = blocks * hop
    if x.shape[0] == 1 and needed <= x.shape[1]:
        rows = _rows_of_line(x.value)
        if isinstance(rows.op, ops.Pad) and (reflected := _reflected(rows.op, hop, x.builder)) is not None:
            return reflected.part(1, 0, blocks)
        if rows.type.numel % hop == 0:
            return Expr(rows, x.builder).reshape(1, rows.type.numel // hop, hop).part(1, 0, blocks)
    return _fitted(x, 1, needed).reshape(x.shape[0], blocks, hop)


def _rows_of_line(line: Value) -> Value:
    """Return the rows that a line is made of, or the beginning of which the line is; the line itself without such."""
    match line.op:
        case ops.Reshape(x=x):
            return _rows_of_line(x) if x.type.numel == max(x.shape) else x
        case ops.Slice(x=x, starts=starts, steps=steps) if x.type.numel == max(x.shape):
            return line if any(starts) or set(steps) != {1} else _rows_of_line(x)
    return line


def _reflected(op: ops.Pad, hop: int, builder: Adds) -> Expr | None:
    """Reflect the edges of a long line by blocks [1, blocks, hop]; None for short lines, and edges of no whole blocks.

    Sample i before the first is sample i after the first, which the first blocks hold; likewise at the end.
    """
    (begin, end), size = op.pads[-1], op.x.shape[-1]
    if op.mode != "reflect" or op.x.type.numel != size or size <= LONGEST_ROW:
        return None
    if any(count % hop for count in (begin, end, size)):
        return None
    blocks = Expr(_rows_of_line(op.x), builder).reshape(1, size // hop, hop)
    parts = [blocks]
    if begin:
        first = blocks.part(1, 0, begin // hop + 1).reshape(1, begin + hop)
        parts.insert(0, first.part(1, 1, begin + 1).flip(1).reshape(1, begin // hop, hop))
    if end:
        last = blocks.part(1, (size - end) // hop - 1).reshape(1, end + hop)
        parts.append(last.part(1, hop - 1, hop - 1 + end).flip(1).reshape(1, end // hop, hop))
    return concat(parts, 1)


def _inverse(op: ops.Istft, count: int) -> Tensor:
    """Compute the inverse transform [2 * bins, n_fft]: rows for real parts, then rows for imaginary parts."""
    size = op.window.shape[0]
    scale = size**-0.5 if op.normalized else 1 / size
    cosines, sines = inverse_of_half(size, count)
    return torch.cat((cosines * scale, sines * scale)).to(to_torch(op.window.dtype))


def _envelope(op: ops.Istft, steps: int, builder: Builder) -> Expr:
    """Sum, for each sample of each block [1, blocks, hop], the squared windows of the frames that cover the sample."""
    frames, hop = op.real.shape[2], op.hop
    check_table(frames + steps, steps)
    window = Expr(op.window, builder)
    square = _fitted(window * window, 0, steps * hop)
    block, step = torch.arange(frames + steps - 1)[:, None], torch.arange(steps)
    reached = (block >= step) & (block - step < frames)
    table = constant(builder, reached.to(to_torch(window.dtype)))
    return (table @ square.reshape(steps, hop)).reshape(1, frames + steps - 1, hop)


def _side_by_side(x: Expr, starts: Iterable[int], count: int) -> Expr:
    """Concatenate, along the last dimension, `count` rows of x [N, rows, width] from each start on."""
    return concat([x.part(1, start, start + count) for start in starts], 2)


def _fitted(x: Expr, dim: int, size: int) -> Expr:
    """Cut x, or pad x with zeros at the end, to `size` along a dimension."""
    return x.part(dim, 0, size) if x.shape[dim] >= size else x.pad(dim, 0, size - x.shape[dim])
