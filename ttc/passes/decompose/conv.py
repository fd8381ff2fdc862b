"""Convolutions that TTNN has no call for, as matrix products of their windows."""

from __future__ import annotations

import itertools
import math

from ttc import ops
from ttc.ir import Builder
from ttc.ops.activation import FAMILIES
from ttc.ops.conv import Pads
from ttc.ops.expr import Expr, apply, concat

TAP_LIMIT = 256
"""The most elements of a kernel, each of which costs a slice."""


def decomposed_conv(op: ops.Conv, builder: Builder) -> Expr | None:
    """Decompose a conv whose weight is known only at run time, or a grouped 3-d one: the weight times windows (im2col).

        %y = conv(x=%x, w=%w, ...)  ->  %y = reshape(matmul(reshape(permute(reshape(%w))), concat(slices of pad(%x))))

    A bias known only at run time is added after. None where TTNN has a call for the conv.
    """
    known = op.w in builder.constants
    grouped = op.groups > 1 and op.w.type.rank == 5
    if math.prod(op.w.shape[2:]) > TAP_LIMIT:
        return None
    if known and not grouped:
        if op.bias is None or op.bias in builder.constants:
            return None
        y = Expr(builder(ops.Conv(op.x, op.w, None, op.stride, op.padding, op.dilation, op.groups)), builder)
    else:
        y = _as_product(op, Expr(op.x, builder), Expr(op.w, builder))
    if op.bias is not None:
        y = y + Expr(op.bias, builder).reshape(y.shape[1], *[1] * len(op.stride))
    activated = FAMILIES[op.activation].op if op.activation else None
    return y if activated is None else apply(activated, y)


def _as_product(op: ops.Conv, x: Expr, w: Expr) -> Expr:
    """Multiply w [1, groups, O / groups, taps * C / groups] by windows [N, groups, taps * C / groups, positions]."""
    shape = op.infer().shape
    batch, channels, groups = x.shape[0], x.shape[1], op.groups
    out, taps, pixels = w.shape[0], math.prod(w.shape[2:]), math.prod(shape[2:])
    each = channels // groups
    x = _padded(x, op.padding)
    windows = [
        _tap(x, tap, op, shape[2:]).reshape(batch, groups, each, pixels)
        for tap in itertools.product(*map(range, w.shape[2:]))
    ]
    columns = concat(windows, 2)
    w = w.reshape(groups, out // groups, each, taps).permute(0, 1, 3, 2)
    return (w.reshape(1, groups, out // groups, taps * each) @ columns).reshape(*shape)


def _tap(x: Expr, tap: tuple[int, ...], op: ops.Conv, sizes: tuple[int, ...]) -> Expr:
    """Slice the elements of x that one kernel element reads: every stride-th one from that element's offset on."""
    starts = [t * d for t, d in zip(tap, op.dilation, strict=True)]
    ends = [start + (n - 1) * s + 1 for start, n, s in zip(starts, sizes, op.stride, strict=True)]
    whole = x.shape[:2]
    return apply(ops.Slice, x, (0, 0, *starts), (*whole, *ends), (1, 1, *op.stride))


def _padded(x: Expr, padding: Pads) -> Expr:
    """Pad x with zeros in the spatial dimensions; negative pads cut."""
    if any(size < 0 for pair in padding for size in pair):
        starts = (0, 0, *(max(0, -begin) for begin, _ in padding))
        cuts = [size - max(0, -end) for size, (_, end) in zip(x.shape[2:], padding, strict=True)]
        x = apply(ops.Slice, x, starts, (*x.shape[:2], *cuts), (1,) * x.rank)
    pads = ((0, 0), (0, 0), *((max(0, begin), max(0, end)) for begin, end in padding))
    return apply(ops.Pad, x, pads) if any(map(any, pads)) else x


def decomposed_conv_transpose(op: ops.ConvTranspose, builder: Builder) -> Expr | None:
    """Decompose a transposed conv whose weight is known only at run time, or 3-d: a conv of x, zeros between elements.

    The kernel is flipped, the stride is 1, and the padding is the kernel's reach, dilation * (size - 1), less the
    transposed convolution's padding.
    """
    known = op.w in builder.constants and (op.bias is None or op.bias in builder.constants)
    if known and op.w.type.rank < 5:
        return None
    reach = [(k - 1) * d for k, d in zip(op.w.shape[2:], op.dilation, strict=True)]
    sides = zip(reach, op.padding, op.output_padding, strict=True)
    padding = tuple((span - begin, span - end + extra) for span, (begin, end), extra in sides)
    x = _padded(_spaced(Expr(op.x, builder), op.stride), padding)
    w = _turned(Expr(op.w, builder), op.groups)
    once = (1,) * len(reach)
    conv = ops.Conv(x.value, w.value, op.bias, once, ((0, 0),) * len(reach), op.dilation, op.groups)
    found = decomposed_conv(conv, builder)
    return Expr(builder(conv), builder) if found is None else found


def _spaced(x: Expr, stride: tuple[int, ...]) -> Expr:
    """Insert stride - 1 zeros between the elements of x in each spatial dimension."""
    for axis, step in enumerate(stride, start=2):
        if step == 1:
            continue
        size, before, after = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
        column = x.reshape(math.prod(before), size, 1, math.prod(after))
        wide = column.pad(2, 0, step - 1).reshape(*before, size * step, *after)
        x = wide.part(axis, 0, (size - 1) * step + 1)
    return x


def _turned(w: Expr, groups: int) -> Expr:
    """Turn a transposed convolution's weight [C, O / groups, *kernel] to [O, C / groups, *kernel], flipped."""
    kernel = w.shape[2:]
    ins, outs, taps = w.shape[0] // groups, w.shape[1], math.prod(kernel)
    w = w.reshape(groups, ins, outs, taps).permute(0, 2, 1, 3)
    w = concat([w.part(3, tap, tap + 1) for tap in range(taps)][::-1], 3)
    return w.reshape(groups * outs, ins, *kernel)
