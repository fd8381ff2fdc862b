"""Sliding windows over channels-last rows: the geometry that convolutions and pools share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ttc.errors import Refusal
from ttc.ir import TILE


@dataclass(frozen=True)
class Window:
    """A window of `kernel` over images of (height, width); padding is (top, bottom, left, right)."""

    batch: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    ceil: bool = False

    def __post_init__(self):
        """Refuse kernels, strides and dilations below 1."""
        if min(*self.kernel, *self.stride, *self.dilation) < 1:
            raise Refusal(f"a window of {self.kernel} cannot have stride {self.stride}, dilation {self.dilation}")

    @property
    def output(self) -> tuple[int, int]:
        """Return the result's height and width; in ceil mode a last window starts in the input or its left padding."""
        return self._output(0), self._output(1)

    def _output(self, axis: int) -> int:
        begin, end = self.padding[2 * axis : 2 * axis + 2]
        span = self.size[axis] + begin + end - self.dilation[axis] * (self.kernel[axis] - 1) - 1
        if not self.ceil:
            return span // self.stride[axis] + 1
        count = -(-span // self.stride[axis]) + 1
        return count - 1 if (count - 1) * self.stride[axis] >= self.size[axis] + begin else count

    @property
    def pixels(self) -> int:
        """Count the rows of the input, one a pixel."""
        return self.batch * math.prod(self.size)

    @property
    def output_pixels(self) -> int:
        """Count the rows of the result, one a pixel."""
        return self.batch * math.prod(self.output)

    @property
    def padded(self) -> tuple[int, int]:
        """Return the height and width of an image with its padding."""
        return self.size[0] + sum(self.padding[:2]), self.size[1] + sum(self.padding[2:])

    def part(self, axis: int, count: int) -> Window:
        """Return the window of `count` adjacent results along an axis, over all that they read, padding as pixels."""
        (height, width), (top, bottom, left, right) = self.size, self.padding
        read = (count - 1) * self.stride[axis] + self.dilation[axis] * (self.kernel[axis] - 1) + 1
        if axis == 0:
            return replace(self, size=(read, width), padding=(0, 0, left, right), ceil=False)
        return replace(self, size=(height, read), padding=(top, bottom, 0, 0), ceil=False)

    def halo(self, rows: int) -> int:
        """Count the most padded input pixels from the first to the last that `rows` adjacent output pixels read."""
        (padded_height, padded_width), (height, width) = self.padded, self.output
        spans = [dilation * (kernel - 1) + 1 for dilation, kernel in zip(self.dilation, self.kernel, strict=True)]
        # `rows` adjacent output pixels go over `lines` whole lines and `rest` pixels more.
        lines, rest = divmod(min(rows, self.output_pixels) - 1, width)
        reach = lines * self.stride[0] * padded_width + rest * self.stride[1]
        if rest and lines + 1 < self.batch * height:  # the pixels may begin inside a line and end in one more
            reach += self.stride[0] * padded_width - width * self.stride[1]
        # From image to image windows skip the input lines that no window of this image begins in.
        between = max(0, padded_height - height * self.stride[0]) * padded_width
        images = -(-rows // (height * width)) if self.batch > 1 else 0
        reach += images * between + (spans[0] - 1) * padded_width + spans[1]
        return min(reach, self.batch * padded_height * padded_width)

    def input_rows(self, cores: int) -> int:
        """Count the rows of each core's shard of the input: on no more cores than the result has tiles of rows for."""
        return shard_rows(self.pixels, min(cores, -(-self.output_pixels // TILE)))

    def most_read(self, rows: int) -> int:
        """Count the most padded input pixels that a core reads where each core has `rows` adjacent output pixels."""
        last = self.output_pixels - 1
        spans = [dilation * (kernel - 1) for dilation, kernel in zip(self.dilation, self.kernel, strict=True)]
        # In ceil mode the last windows may reach beyond the padding, which TTNN then makes larger.
        height, width = (
            max(padded, (count - 1) * stride + span + 1)
            for padded, count, stride, span in zip(self.padded, self.output, self.stride, spans, strict=True)
        )

        def begin(output: int) -> int:
            lines, column = divmod(output, self.output[1])
            image, line = divmod(lines, self.output[0])
            return (image * height + line * self.stride[0]) * width + column * self.stride[1]

        cores = range(0, self.output_pixels, rows)
        return max(begin(min(at + rows - 1, last)) - begin(at) for at in cores) + spans[0] * width + spans[1] + 1

    def runs(self, rows: int) -> int:
        """Estimate the runs of adjacent windows into which `rows` output pixels fall: one, or one an image, or a line.

        Lines are one run where no window skips a padded pixel, and so are images where none skips a padded line.
        """
        count, (height, width) = min(rows, self.output_pixels), self.output
        if self.stride != (1, 1) or width != self.padded[1]:
            return -(-count // width)
        return 1 if height == self.padded[0] else -(-count // (height * width))


def shard_rows(pixels: int, cores: int) -> int:
    """Count the rows of each core's shard, in whole tiles."""
    return -(-pixels // (TILE * cores)) * TILE
