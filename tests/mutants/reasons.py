"""Mutants that change nothing, and why: (file, the lines taken out, the lines put in)."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "ttc/backend/rules/scan.py",
        "short = totals.shape[-1] <= SHORT",
        "short = totals.shape[+1] <= SHORT",
    ): "totals are of rank 2: dimension 1 is the last",
}
