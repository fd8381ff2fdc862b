"""The options of one compilation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ttc.calls.call import MathFidelity
from ttc.calls.target import Target
from ttc.errors import InputError
from ttc.ir import DType
from ttc.runtime.run.program import PROGRAM_DTYPES

DTYPES = PROGRAM_DTYPES

ALIASES = {"bfloat16": "bf16", "float32": "fp32", "float": "fp32"}
"""torch's and numpy's names of what a program's floating values can be."""


def dtype_named(dtype: Any) -> str:
    """Return a program's dtype by its name or torch's or numpy's; InputError with the names for any other."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
    name = name.removeprefix("torch.")
    name = ALIASES.get(name, name)
    if name not in DTYPES:
        raise InputError(f"no dtype is called {dtype!r}; choose from {', '.join(DTYPES)}")
    return name


@dataclass(frozen=True)
class Options:
    """The card to compile for, the numbers to compute with, and the ops that the host may do.

    `fidelity` is that of every call, None the choice of `ttc.calls.fidelity` for each. At level 0 of `optimize` each op
    is alone: nothing is fused, and every value is in DRAM; at level 3 a solver chooses what lies in L1. `weight_dtypes`
    is the storage of weights of products and convolutions by their names, where it is another than `dtype` says;
    `cache_dtype` that of floating states in which rows are written in place, None that of `dtype`;
    `activation_dtype` the block format of bf16 values between calls that take that format, None for none.
    """

    target: Target
    dtype: str = "bf16"
    allow_host: tuple[str, ...] = ()
    fidelity: MathFidelity | None = None
    optimize: int = 1
    weight_dtypes: Mapping[str, DType] = field(default_factory=dict)
    cache_dtype: DType | None = None
    activation_dtype: DType | None = None
