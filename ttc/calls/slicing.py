"""Slices of a sliding window op that is too large for L1: the op runs on one slice of its image after the other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ttc.calls.call import Dispatch
from ttc.calls.sizes import same_places
from ttc.calls.window import Window
from ttc.errors import Refusal
from ttc.ir import TILE


class SliceType(Enum):
    """Cuts of a sliding window op; L1Full: no cut, all at once."""

    L1Full = "L1Full"
    DRAMSliceHeight = "DRAMSliceHeight"
    DRAMSliceWidth = "DRAMSliceWidth"


@dataclass(frozen=True)
class Op2DSliceConfig:
    """Statement of an op's slices; where a call has none, TTNN cuts as the L1 demands.

    TTNN shares the lines of the result out over the slices as evenly as it can, of a slice along the width the tiles
    of 32 columns.
    """

    slice_type: SliceType
    num_slices: int = 0

    @property
    def axis(self) -> int:
        """Return the axis of (height, width) that slices go along."""
        return 1 if self.slice_type is SliceType.DRAMSliceWidth else 0

    @property
    def unit(self) -> int:
        """Return the lines or columns that stay together."""
        return TILE if self.slice_type is SliceType.DRAMSliceWidth else 1

    def most(self, window: Window) -> int:
        """Return the number of slices that the window's result can be cut into."""
        return -(-window.output[self.axis] // self.unit)

    def check(self, window: Window) -> None:
        """Refuse a number of slices that TTNN refuses or would choose itself."""
        if self.slice_type is SliceType.L1Full:
            if self.num_slices:
                raise Refusal(f"an op that runs whole has no slices, got {self.num_slices}")
        elif not 1 <= self.num_slices <= self.most(window):
            side, size = ("height", "width")[self.axis], f"{window.output[0]} x {window.output[1]}"
            raise Refusal(f"{self.num_slices} slices along the {side} of {size} pixels: 1 to {self.most(window)} exist")

    def parts(self, window: Window) -> tuple[Window, ...]:
        """Return the windows of the slices of different size, the largest first: over what such a slice reads."""
        return tuple(part for part, _ in self.counted_parts(window))

    def counted_parts(self, window: Window) -> tuple[tuple[Window, int], ...]:
        """Return the windows of the slices of different size, and how many slices have that size."""
        if self.slice_type is SliceType.L1Full:
            return ((window, 1),)
        smaller, larger = divmod(self.most(window), self.num_slices)
        sizes = ((smaller + 1, larger), (smaller, self.num_slices - larger))
        return tuple((window.part(self.axis, size * self.unit), count) for size, count in sizes if count)


WHOLE = Op2DSliceConfig(SliceType.L1Full)


def windowed(slices: Op2DSliceConfig | None, moves_halo: bool, *lines: tuple[int, int], sharded: int = 0) -> Dispatch:
    """Count the device programs of a sliding window op on channels-last rows in TILE layout.

    A whole op goes to shards, makes its halo, may move the halo, computes, and goes back; of operand and result
    `sharded` lie in shards as they are. Each slice is read, makes
    and moves its halo, computes, and is written; of images that are reshaped on the way `lines` tells the rows of all
    images and of one line.
    """
    if slices is None or slices == WHOLE:
        return Dispatch(4 + moves_halo - sharded, 2 - sharded)
    return Dispatch(5 * slices.num_slices + sum(is_reshaped(*rows) for rows in lines))


def is_reshaped(rows: int, line: int) -> bool:
    """Return whether `rows` in tiles, cut into lines, are a device program: where a line is no whole tiles."""
    return not same_places((rows, 1), (line, 1), tiled=True)
