"""Fourier transforms of frames as matrix products, framing and overlap-add among them.

A signal is cut into blocks of one hop, and a frame is r = n_fft / hop blocks in a row (rounded up: the transform's
matrix has zeros there). So r shifted views of the blocks, side by side, are all the frames. The other way round, a
block is what r frames in a row add up to: the r shifted views of the spectra, side by side, times a matrix that has
a part for each, give the overlapped and added signal in one product.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from ttc import ops
from ttc.guard.budget import check_table
from ttc.ir import Builder, Graph, Op, Value
from ttc.ops.torch_types import to_torch
from ttc.passes.compose import part, with_zeros
from ttc.passes.normal import rebuild


def decompose_stft(graph: Graph) -> Graph:
    """Products in place of stft and istft; windows and envelopes become part of derived weights.

    Before:
        %re, %im: f32[1,11,21] = stft(x=%x, window=%w, hop=5)
    After:
        %blocks: f32[1,24,5] = reshape(x=%x, shape=[1, 24, 5])
        %frames: f32[1,21,20] = concat(xs=[%blocks_0, %blocks_1, %blocks_2, %blocks_3], dim=2)
        %re: f32[1,21,11] = matmul(a=%frames, b=%cosines)        (then permuted; likewise %im)
    """
    return rebuild(graph, _decomposed)


def _decomposed(op: Op, builder: Builder) -> Value | tuple[Value, ...] | None:
    match op:
        case ops.Stft():
            return _spectra(op, builder)
        case ops.Istft():
            return _signal(op, builder)
    return None


def _spectra(op: ops.Stft, b: Builder) -> tuple[Value, Value]:
    real, _ = op.infer()
    batch, count, frames = real.shape
    steps = -(-op.window.shape[0] // op.hop)
    blocks = frames + steps - 1
    x = _fitted(op.x, 1, blocks * op.hop, b)
    x = b(ops.Reshape(x, (batch, blocks, op.hop)))
    rows = _side_by_side(x, range(steps), frames, b)
    column = b(ops.Reshape(op.window, (op.window.shape[0], 1)))
    waves = (_weighted(wave, column, steps * op.hop, b) for wave in _forward(op, count))
    return tuple(b(ops.Permute(b(ops.Matmul(rows, wave)), (0, 2, 1))) for wave in waves)  # type: ignore[return-value]


def _forward(op: ops.Stft, count: int) -> tuple[Tensor, Tensor]:
    """[n_fft, bins]: cosines and negative sines, what real and imaginary parts are products with."""
    size = op.window.shape[0]
    angles = _angles(size, count)
    scale = size**-0.5 if op.normalized else 1.0
    cosines, sines = _waves(angles)
    return cosines * scale, sines * scale


def _weighted(wave: Tensor, column: Value, rows: int, b: Builder) -> Value:
    """A wave matrix times the window, zeros below up to `rows`."""
    known = ops.constant(b, wave.to(to_torch(column.dtype)))
    return _fitted(b(ops.Mul(known, column)), 0, rows, b)


def _signal(op: ops.Istft, b: Builder) -> Value:
    batch, count, frames = op.real.shape
    size, hop = op.window.shape[0], op.hop
    steps = -(-size // hop)
    blocks = frames + steps - 1
    spectra = b(ops.Permute(b(ops.Concat((op.real, op.imag), 1)), (0, 2, 1)))
    spectra = b(ops.Pad(spectra, ((0, 0), (steps - 1, steps - 1), (0, 0))))
    rows = _side_by_side(spectra, reversed(range(steps)), blocks, b)
    windowed = b(ops.Mul(ops.constant(b, _inverse(op, count)), op.window))
    parts = b(ops.Reshape(_fitted(windowed, 1, steps * hop, b), (2 * count, steps, hop)))
    weight = b(ops.Reshape(b(ops.Permute(parts, (1, 0, 2))), (steps * 2 * count, hop)))
    line = b(ops.Reshape(b(ops.Matmul(rows, weight)), (batch, blocks * hop)))
    end = min(op.start + op.length, op.whole)
    kept = b(ops.Mul(part(line, 1, op.start, end, b), b(ops.Reciprocal(_envelope(op, steps, end, b)))))
    return _fitted(kept, 1, op.length, b)


def _inverse(op: ops.Istft, count: int) -> Tensor:
    """[2 * bins, n_fft]: what real parts, then imaginary parts, give to each sample of a frame."""
    size = op.window.shape[0]
    angles = _angles(size, count).T
    twice = torch.ones(count, 1, dtype=torch.float64)
    twice[1 : (size + 1) // 2] = 2.0  # those whose conjugates are left out
    scale = twice * (size**-0.5 if op.normalized else 1 / size)
    cosines, sines = _waves(angles)
    return torch.cat((cosines * scale, sines * scale)).to(to_torch(op.window.dtype))


def _envelope(op: ops.Istft, steps: int, end: int, b: Builder) -> Value:
    """[1, end - start]: the sum of the squared windows of the frames that reach each sample."""
    frames, hop = op.real.shape[2], op.hop
    check_table(frames + steps, steps)
    square = _fitted(b(ops.Mul(op.window, op.window)), 0, steps * hop, b)
    block, step = torch.arange(frames + steps - 1)[:, None], torch.arange(steps)
    reached = (block >= step) & (block - step < frames)
    table = ops.constant(b, reached.to(to_torch(op.window.dtype)))
    line = b(ops.Matmul(table, b(ops.Reshape(square, (steps, hop)))))
    return part(b(ops.Reshape(line, (1, (frames + steps - 1) * hop))), 1, op.start, end, b)


def _angles(size: int, count: int) -> Tensor:
    """[size, count]: 2 pi n k / size in float64, n k reduced modulo size first."""
    check_table(size, count)
    turns = torch.outer(torch.arange(size), torch.arange(count)) % size
    return turns.double() * (2 * math.pi / size)


def _waves(angles: Tensor) -> tuple[Tensor, Tensor]:
    """cos and -sin, exactly 0 at their zeros: what stands there decides the sign of a phase of pi."""
    cosines, sines = (torch.where(wave.abs() < 1e-12, 0.0, wave) for wave in (angles.cos(), -angles.sin()))
    return cosines, sines


def _side_by_side(x: Value, starts: Iterable[int], count: int, b: Builder) -> Value:
    """`count` rows of x [N, rows, width] from each start, along the last dimension."""
    views = tuple(part(x, 1, start, start + count, b) for start in starts)
    return views[0] if len(views) == 1 else b(ops.Concat(views, 2))


def _fitted(x: Value, dim: int, size: int, b: Builder) -> Value:
    """x cut or filled up with zeros to `size` along a dimension."""
    if x.shape[dim] >= size:
        return part(x, dim, 0, size, b)
    return with_zeros(x, dim, 0, size - x.shape[dim], b)
