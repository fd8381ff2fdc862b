"""How TTNN runs ops: a lowering rule for each, then passes over the calls."""

from ttc.backend import binary, conv, matmul, reduce, spatial, unary  # noqa: F401  (each registers its rules)
from ttc.backend.lowering import RULES, Lowered, lower
from ttc.backend.pipeline import PIPELINE

__all__ = ["PIPELINE", "RULES", "Lowered", "lower"]
