"""Matrices of Fourier transforms: waves of whole turns over a number of samples, as float64."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ttc.guard.budget import check_table


def waves(size: int, count: int) -> tuple[Tensor, Tensor]:
    """Compute cos and -sin of 2 pi n k / size, [size, count], with n k reduced modulo size first.

    Zeros are exactly 0: a rounding error would decide the sign of a phase of pi. Refusal for a table that is too large.
    """
    check_table(size, count)
    turns = torch.outer(torch.arange(size), torch.arange(count)) % size
    angles = turns.double() * (2 * math.pi / size)
    cosines, sines = (torch.where(wave.abs() < 1e-12, 0.0, wave) for wave in (angles.cos(), -angles.sin()))
    return cosines, sines


def inverse_of_half(size: int, count: int) -> tuple[Tensor, Tensor]:
    """Compute the matrices [count, size] from real and from imaginary parts of half a spectrum to samples, unscaled.

    The other half are conjugates: a bin counts twice unless the bin is its own conjugate (the first; the middle one of
    an even size).
    """
    twice = torch.ones(count, 1, dtype=torch.float64)
    twice[1 : (size + 1) // 2] = 2.0
    cosines, sines = (wave.T for wave in waves(size, count))
    return cosines * twice, sines * twice
