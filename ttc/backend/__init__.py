"""Lowering: a rule for each op that gives TTNN calls, then passes over the program of calls."""

from ttc.backend import (  # noqa: F401  (each registers its rules)
    attention,
    binary,
    conv,
    conv_transpose,
    index,
    matmul,
    norm,
    pool,
    recurrent,
    reduce,
    scan,
    shape,
    spatial,
    special,
    unary,
)
from ttc.backend.lowering import RULES, lower
from ttc.backend.pipeline import PIPELINE

__all__ = ["PIPELINE", "RULES", "lower"]
