"""Parts that type rules share: dimension numbers, window arithmetic."""

from __future__ import annotations

import math

from ttc.errors import TypeRuleError
from ttc.ir import DType, Value, require
from ttc.ir.types import LARGEST


def same_dtype(*values: Value | None) -> DType:
    """Return the one dtype of all present values; TypeRuleError if the dtypes differ."""
    dtypes = {value.dtype for value in values if value is not None}
    if len(dtypes) != 1:  # texts of refusals are made where they are needed: every op of a model comes here
        raise TypeRuleError(f"operands have different dtypes: {', '.join(sorted(map(str, dtypes)))}")
    return dtypes.pop()


def check_floating(x: Value) -> None:
    """Require a floating dtype of x; TypeRuleError otherwise."""
    require(x.dtype.is_float, f"needs a floating dtype, got {x.type}")


def check_number(number: float, dtype: DType) -> None:
    """Require that `dtype` holds a number; TypeRuleError otherwise. inf and NaN are floating numbers."""
    if dtype.is_float and math.isfinite(number):
        largest = _ROUNDS_TO_F32 if dtype is DType.f32 else LARGEST.get(dtype, math.inf)
        require(abs(number) <= largest, f"{number} is more than {dtype} holds")
    elif dtype.is_integer:
        low, last = dtype.limits
        require(math.isfinite(number) and low <= number < last + 1, f"{number} is not among the numbers of {dtype}")


_ROUNDS_TO_F32 = 3.4028235677973366e38
"""The largest number, of 64 bits as Python's are, that rounds to the largest finite f32."""


def is_permutation(dims: tuple[int, ...], rank: int) -> bool:
    """Return whether `dims` holds each of 0 .. rank - 1 once."""
    return sorted(dims) == list(range(rank))


def check_dim(dim: int, x: Value) -> int:
    """Return `dim`, which must be 0 <= dim < rank: front ends normalise negative ones."""
    require(0 <= dim < max(x.type.rank, 1), f"dim {dim} is not in a tensor of rank {x.type.rank}")
    return dim


def window_output(size: int, kernel: int, stride: int, pads: tuple[int, int], dilation: int, ceil: bool = False) -> int:
    """Return the output length of a sliding window, torch's rule: in ceil mode no window starts in the end padding."""
    require(min(kernel, stride, dilation) >= 1, f"a window of {kernel}, stride {stride}, dilation {dilation}")
    span = size + sum(pads) - dilation * (kernel - 1) - 1
    require(
        span >= 0,
        f"a window of {kernel} (dilation {dilation}) is larger than its input of {size} + padding {list(pads)}",
    )
    if not ceil:
        return span // stride + 1
    count = (span + stride - 1) // stride + 1
    return count - 1 if (count - 1) * stride >= size + pads[0] else count
