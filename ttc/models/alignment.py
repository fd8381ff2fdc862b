"""Durations to frames: which symbol of a text each frame is of, as a matrix."""

from __future__ import annotations

from torch import Tensor


def alignment(durations: Tensor, frames: Tensor) -> Tensor:
    """Return [1, T, F], 1 where frame f is of symbol t, 0 elsewhere; frames after the last duration are of none.

    `durations` [1, T] are whole numbers of frames, `frames` [1, F] the positions 0 to F - 1.
    """
    ends = durations.cumsum(1)[..., None]
    starts = ends - durations[..., None]
    return ((frames[:, None] >= starts) & (frames[:, None] < ends)).to(durations.dtype)
