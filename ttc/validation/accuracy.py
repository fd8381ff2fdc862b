"""Measures of accuracy used everywhere: scaled error and Pearson correlation."""

from __future__ import annotations

import numpy as np


def scaled_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Compute max|a - b| / max|b|; infinite if shapes differ or NaN or infinities stand in different places."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    if found.shape != wanted.shape or not _same_specials(found, wanted):
        return np.inf
    finite = np.isfinite(wanted)
    if not finite.any():
        return 0.0
    difference = np.abs(found[finite] - wanted[finite]).max()
    return float(difference / (np.abs(wanted[finite]).max() or 1.0))


def pcc(found: np.ndarray, wanted: np.ndarray) -> float:
    """Compute the Pearson correlation; for a constant side 1 if both are close, else 0; 0 if NaN positions differ."""
    found, wanted = np.asarray(found, np.float64).ravel(), np.asarray(wanted, np.float64).ravel()
    if found.shape != wanted.shape or not _same_specials(found, wanted):
        return 0.0
    finite = np.isfinite(wanted)
    found, wanted = found[finite], wanted[finite]
    if found.size == 0 or found.std() == 0 or wanted.std() == 0:
        return float(np.allclose(found, wanted, rtol=1e-2, atol=1e-2))
    return float(np.corrcoef(found, wanted)[0, 1])


def _same_specials(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Return whether NaN and the infinities stand in the same places."""
    return np.array_equal(
        np.where(np.isfinite(found), 0, found), np.where(np.isfinite(wanted), 0, wanted), equal_nan=True
    )
