"""Parts of convolutions that meet nothing: elements of a kernel that read padding alone, pixels that no patch reaches.

Pyramids of dilated convolutions (DeepLab's) have dilations wider than a small input: the middle of the kernel is left.
"""

from __future__ import annotations

from dataclasses import replace

from ttc import ops
from ttc.ir import Builder
from ttc.ops.expr import Expr


def without_unread_taps(op: ops.Conv, builder: Builder) -> Expr | None:
    """Drop a kernel's first and last elements that meet no element of x, and the padding that they reach; else None.

    Weights are finite, so that padding adds 0.

    Before:
        %y: f32[1,8,4] = conv(x=%x, w=%w, stride=[1], padding=[[9, 9]], dilation=[9])     (%w: f32[8,8,3])
    After:
        %w_0: f32[8,8,1] = slice(x=%w, starts=[0, 0, 1], ends=[8, 8, 2])
        %y: f32[1,8,4] = conv(x=%x, w=%w_0, stride=[1], padding=[[0, 0]], dilation=[9])
    """
    if op.rows:
        return None
    kernel, counts = op.w.shape[2:], op.infer().shape[2:]
    sizes = zip(op.x.shape[2:], kernel, counts, op.stride, op.padding, op.dilation, strict=True)
    read = [_read(*axis) for axis in sizes]
    if all(len(taps) == size for taps, size in zip(read, kernel, strict=True)):
        return None
    w = Expr(op.w, builder)
    for dim, taps in enumerate(read, start=2):
        w = w.part(dim, taps.start, taps.stop)
    axes = zip(op.padding, read, kernel, op.dilation, strict=True)
    # the first tap that is left reads what it has read: at taps.start * dilation from where the first one began
    padding = tuple((a - taps.start * d, b - (size - taps.stop) * d) for (a, b), taps, size, d in axes)
    return Expr(builder(replace(op, w=w.value, padding=padding)), builder)


def _read(size: int, taps: int, count: int, stride: int, pads: tuple[int, int], dilation: int) -> range:
    """Return the taps that are left along an axis of `size` elements and `count` windows.

    Window i reads element i * stride + tap * dilation - pads[0] with a tap. Taps are dropped only with padding of their
    own: the others would begin within x.
    """
    first, last = 0, taps
    while (first + 1) * dilation <= pads[0] and (count - 1) * stride + first * dilation < pads[0]:
        first += 1
    while (taps - last + 1) * dilation <= pads[1] and (last - 1) * dilation >= pads[0] + size:
        last -= 1
    return range(first, last) if first < last else range(taps)


def without_unread_edges(op: ops.Conv, builder: Builder) -> Expr | None:
    """Cut the last lines and columns of x that no patch reaches, so that patches tile what is left; None for others.

    SigLIP's patches of 14 pixels leave 6 of 384. TTNN folds patches that tile their image into one product.
    """
    sizes = tuple(zip(op.x.shape[2:], op.w.shape[2:], strict=True))
    if op.rows or op.stride != op.w.shape[2:] or any(map(any, op.padding)) or set(op.dilation) != {1}:
        return None
    if all(size % taps == 0 for size, taps in sizes):
        return None
    x = Expr(op.x, builder)
    for dim, (size, taps) in enumerate(sizes, start=2):
        x = x.part(dim, 0, size // taps * taps)
    return Expr(builder(replace(op, x=x.value)), builder)
