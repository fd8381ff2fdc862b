"""The lowering rules, by family of ops. Importing this package registers every rule in `backend.lowering.RULES`."""

from ttc.backend.rules import (
    attention,
    binary,
    conv,
    conv_transpose,
    index,
    matmul,
    norm,
    paged,
    pool,
    recurrent,
    reduce,
    rotary,
    scan,
    shape,
    spatial,
    special,
    unary,
)

__all__ = [
    "attention", "binary", "conv", "conv_transpose", "index", "matmul", "norm", "paged", "pool", "recurrent", "reduce",
    "rotary", "scan", "shape", "spatial", "special", "unary",
]  # fmt: skip
