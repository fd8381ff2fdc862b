"""Convolutions that TTNN has no call for, as matrix products of their windows."""

from __future__ import annotations

import itertools
import math

from ttc import ops
from ttc.ir import Builder, Op, Value
from ttc.ops.conv import Pads

TAP_LIMIT = 256
"""Kernel elements, of which each costs a slice."""

ACTIVATIONS: dict[str, type[Op]] = {"relu": ops.Relu, "gelu": ops.Gelu, "silu": ops.Silu, "tanh": ops.Tanh}
ACTIVATIONS["sigmoid"] = ops.Sigmoid


def decomposed_conv(op: ops.Conv, builder: Builder) -> Value | None:
    """A weight known only at run time, and groups in three dimensions: windows side by side, times the weight.

        %y = conv(x=%x, w=%w, ...)  ->  %y = reshape(matmul(reshape(permute(reshape(%w))), concat(slices of pad(%x))))

    A bias known only at run time is added.
    """
    known = op.w in builder.constants
    grouped = op.groups > 1 and op.w.type.rank == 5
    if math.prod(op.w.shape[2:]) > TAP_LIMIT or (op.activation and op.activation not in ACTIVATIONS):
        return None
    if known and not grouped:
        if op.bias is None or op.bias in builder.constants:
            return None
        y = builder(ops.Conv(op.x, op.w, None, op.stride, op.padding, op.dilation, op.groups))
    else:
        y = _as_product(op, builder)
    if op.bias is not None:
        y = builder(ops.Add(y, builder(ops.Reshape(op.bias, (y.shape[1], *[1] * len(op.stride))))))
    return builder(ACTIVATIONS[op.activation](y)) if op.activation else y  # type: ignore[call-arg]


def _as_product(op: ops.Conv, builder: Builder) -> Value:
    shape = op.infer().shape
    batch, channels, groups = op.x.shape[0], op.x.shape[1], op.groups
    out, taps, pixels = op.w.shape[0], math.prod(op.w.shape[2:]), math.prod(shape[2:])
    each = channels // groups
    x = _padded(op.x, op.padding, builder)
    windows = [
        builder(ops.Reshape(_tap(x, tap, op, shape[2:], builder), (batch, groups, each, pixels)))
        for tap in itertools.product(*map(range, op.w.shape[2:]))
    ]
    columns = builder(ops.Concat(tuple(windows), 2)) if taps > 1 else windows[0]
    w = builder(ops.Reshape(op.w, (groups, out // groups, each, taps)))
    w = builder(ops.Permute(w, (0, 1, 3, 2)))
    w = builder(ops.Reshape(w, (1, groups, out // groups, taps * each)))
    return builder(ops.Reshape(builder(ops.Matmul(w, columns)), shape))


def _tap(x: Value, tap: tuple[int, ...], op: ops.Conv, sizes: tuple[int, ...], builder: Builder) -> Value:
    """What one element of the kernel sees: every stride-th element of x from its own offset on."""
    starts = [t * d for t, d in zip(tap, op.dilation, strict=True)]
    ends = [start + (n - 1) * s + 1 for start, n, s in zip(starts, sizes, op.stride, strict=True)]
    whole = x.shape[:2]
    return builder(ops.Slice(x, (0, 0, *starts), (*whole, *ends), (1, 1, *op.stride)))


def _padded(x: Value, padding: Pads, builder: Builder) -> Value:
    """x with zeros around it; negative pads cut."""
    if any(size < 0 for pair in padding for size in pair):
        starts = (0, 0, *(max(0, -begin) for begin, _ in padding))
        cuts = [size - max(0, -end) for size, (_, end) in zip(x.shape[2:], padding, strict=True)]
        x = builder(ops.Slice(x, starts, (*x.shape[:2], *cuts), (1,) * x.type.rank))
    pads = ((0, 0), (0, 0), *((max(0, begin), max(0, end)) for begin, end in padding))
    return builder(ops.Pad(x, pads)) if any(map(any, pads)) else x


def decomposed_conv_transpose(op: ops.ConvTranspose, builder: Builder) -> Value | None:
    """A weight known only at run time, and three dimensions: a convolution of x with zeros between its elements.

    With the kernel flipped, stride 1, and what the padding leaves of the kernel's reach as padding.
    """
    known = op.w in builder.constants and (op.bias is None or op.bias in builder.constants)
    if known and op.w.type.rank < 5:
        return None
    reach = [(k - 1) * d for k, d in zip(op.w.shape[2:], op.dilation, strict=True)]
    sides = zip(reach, op.padding, op.output_padding, strict=True)
    padding = tuple((span - begin, span - end + extra) for span, (begin, end), extra in sides)
    x = _padded(_spaced(op.x, op.stride, builder), padding, builder)
    w = _turned(op.w, op.groups, builder)
    once = (1,) * len(reach)
    conv = ops.Conv(x, w, op.bias, once, ((0, 0),) * len(reach), op.dilation, op.groups)
    return decomposed_conv(conv, builder) or builder(conv)


def _spaced(x: Value, stride: tuple[int, ...], builder: Builder) -> Value:
    """x with stride - 1 zeros between its elements."""
    for axis, step in enumerate(stride, start=2):
        if step == 1:
            continue
        size, before, after = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
        column = builder(ops.Reshape(x, (math.prod(before), size, 1, math.prod(after))))
        column = builder(ops.Pad(column, ((0, 0), (0, 0), (0, step - 1), (0, 0))))
        wide = builder(ops.Reshape(column, (*before, size * step, *after)))
        ends = tuple((size - 1) * step + 1 if i == axis else n for i, n in enumerate(wide.shape))
        x = builder(ops.Slice(wide, (0,) * len(ends), ends, (1,) * len(ends)))
    return x


def _turned(w: Value, groups: int, builder: Builder) -> Value:
    """A transposed convolution's weight [C, O / groups, *kernel] as [O, C / groups, *kernel], flipped."""
    kernel = w.shape[2:]
    ins, outs, taps = w.shape[0] // groups, w.shape[1], math.prod(kernel)
    w = builder(ops.Reshape(w, (groups, ins, outs, taps)))
    w = builder(ops.Permute(w, (0, 2, 1, 3)))
    if taps > 1:
        last = [builder(ops.Slice(w, (0, 0, 0, t), (groups, outs, ins, t + 1), (1,) * 4)) for t in range(taps)]
        w = builder(ops.Concat(tuple(reversed(last)), 3))
    return builder(ops.Reshape(w, (groups * outs, ins, *kernel)))
