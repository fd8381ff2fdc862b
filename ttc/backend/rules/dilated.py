"""Dilated convolutions as ones without dilation along an axis, over the phases of that axis.

Phase r of an axis with dilation d has the elements r, r + d, r + 2 d .. of the padded axis. A window's elements are d
apart, so that they lie in one phase, side by side: each phase is part of an image of its own, convolved without
dilation (space to batch; Yu and Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", 2016).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from ttc.backend.lowering import Lowering
from ttc.backend.rules.conv_layer import Convolve, Layer, along, around
from ttc.backend.rules.moves import permuted, reshaped
from ttc.calls.pad import Pad
from ttc.calls.shape import Slice
from ttc.ir import Value


def over_phases(layer: Layer, x: Value, convolve: Convolve, to: Lowering) -> Value | None:
    """Compute a dilated convolution as one of phases; None for one that has none."""
    phases = Phases.of(layer)
    return phases and phases.joined(convolve(phases.plain, phases.cut(x, to)), to)


@dataclass(frozen=True)
class Phases:
    """The images that a convolution's images become when one axis is cut into its phases."""

    layer: Layer
    axis: int

    @classmethod
    def of(cls, layer: Layer) -> Phases | None:
        """Return the phases along the first axis whose windows are dilated and not strided; None if there is none."""
        axes = enumerate(zip(layer.kernel, layer.dilation, layer.stride, strict=True))
        found = (axis for axis, (taps, dilation, stride) in axes if taps > 1 and dilation > 1 and stride == 1)
        axis = next(found, None)
        return None if axis is None else cls(layer, axis)

    @property
    def step(self) -> int:
        """Return the number of phases."""
        return self.layer.dilation[self.axis]

    @property
    def blocks(self) -> int:
        """Return the number of windows of each phase: enough for all windows of the axis."""
        return -(-self.layer.counts[self.axis] // self.step)

    @property
    def plain(self) -> Layer:
        """Return the convolution of the phases, without dilation along the axis."""
        layer = self.layer
        elements = self.blocks + layer.kernel[self.axis] - 1
        return replace(
            layer,
            batch=layer.batch * self.step,
            spatial=along(self.axis, layer.spatial, elements),
            padding=along(self.axis, layer.padding, (0, 0)),
            dilation=along(self.axis, layer.dilation, 1),
        )

    def cut(self, x: Value, to: Lowering) -> Value:
        """Cut images, in rows [1, 1, pixels, I], into phases: padded, [N, .., blocks, step, ..] -> [N, step, ..]."""
        layer, plain = self.layer, self.plain
        before, size, after = around(self.axis, layer.spatial)
        begin, elements = layer.padding[self.axis][0], plain.spatial[self.axis]
        lines = reshaped(to.row_major(x), (layer.batch * before, size, after, layer.channels), to)
        pads = (begin, elements * self.step - size - begin)
        padded = to.call(Pad(lines, ((0, 0), pads, (0, 0), (0, 0)), 0.0)) if any(pads) else lines
        apart = reshaped(padded, (layer.batch, before, elements, self.step, after, layer.channels), to)
        phases = permuted(apart, (0, 3, 1, 2, 4, 5), to)
        return to.tile(reshaped(phases, (1, 1, plain.batch * prod(plain.spatial), layer.channels), to))

    def joined(self, y: Value, to: Lowering) -> Value:
        """Join results, in rows, [N, step, .., blocks, ..] -> [N, .., blocks * step, ..], without windows too many."""
        batch, out = self.layer.batch, y.shape[-1]
        before, count, after = around(self.axis, self.layer.counts)
        phases = reshaped(to.row_major(y), (batch, self.step, before, self.blocks, after, out), to)
        together = permuted(phases, (0, 2, 3, 1, 4, 5), to)
        lines = reshaped(together, (batch * before, self.blocks * self.step, after, out), to)
        if lines.shape[1] > count:
            lines = to.call(Slice(lines, (0, 0, 0, 0), (batch * before, count, after, out)))
        return to.tile(reshaped(lines, (1, 1, batch * before * count * after, out), to))
