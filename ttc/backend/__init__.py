"""Lowering: a rule for each op that gives TTNN calls, then passes over the program of calls."""

from ttc.backend import rules  # noqa: F401  (registers every rule)
from ttc.backend.lower import lower
from ttc.backend.lowering import RULES
from ttc.backend.pipeline import EXACT, NEEDED, PIPELINE

__all__ = ["EXACT", "NEEDED", "PIPELINE", "RULES", "lower"]
