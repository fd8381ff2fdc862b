"""The card on the CPU: each call's numbers, in the card's formats; the only part of runtime with torch."""

from ttc.runtime.emulator import (  # noqa: F401  (each registers its calls)
    attention,
    binary,
    cache,
    conv,
    conv_transpose,
    heads_decode,
    index,
    layout,
    loop,
    matmul,
    norm,
    paged_attention,
    pool,
    reduce,
    repeat,
    rotary,
    scan,
    shape,
    spatial,
    ternary,
    unary,
)
from ttc.runtime.emulator.registry import EMULATIONS

__all__ = ["EMULATIONS"]
