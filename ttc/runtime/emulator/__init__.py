"""The card on the CPU: what each call computes, in the card's number formats; the only part of runtime with torch."""

from ttc.runtime.emulator import binary, conv, layout, matmul, reduce, unary  # noqa: F401  (each registers its calls)
from ttc.runtime.emulator.registry import EMULATIONS

__all__ = ["EMULATIONS"]
