"""Math fidelity: how many passes the matrix engine makes over the mantissas of a product's two sides.

The engine multiplies 5 bits of the right side (SrcA: the weights) by 7 bits of the left side (SrcB: the activations),
the implicit 1 counted; more passes read 5 more bits of the right (HiFi2), 4 more of the left (HiFi3), and the two
remainders' product (HiFi4). Source: Tenstorrent's ISA documentation, MVMUL and ELWMUL, "fidelity phases".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from ttc.calls.attention import ScaledDotProductAttention
from ttc.calls.call import Call, MathFidelity
from ttc.calls.conv import Conv2d
from ttc.calls.conv_transpose import ConvTranspose2d
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.target import Target
from ttc.errors import InputError
from ttc.ir import DType, Op, Value

C = TypeVar("C", bound=Call)

MOST = {"wormhole_b0": MathFidelity.HiFi3, "blackhole": MathFidelity.HiFi4}
"""The most passes by architecture. Wormhole's fourth pass, with sums in fp32, gives elements that are off by powers
of two (tt-metal issues 38306 and 48824); HiFi3 leaves out the product of the remainders alone, 2^-12 of a product."""

BY_WEIGHT = {DType.bfp8: MathFidelity.HiFi2, DType.bfp4: MathFidelity.LoFi}
"""The passes that read all bits of a right side in a block format: 7 and 3 significant bits."""

BY_INPUT = MathFidelity.HiFi2
"""The passes that read all bits of both sides where the left one is in a block format: 7 bits are read at once."""


def fidelity_named(name: object, target: Target) -> MathFidelity:
    """Return a math fidelity by TTNN's name; InputError with the card's names for any other."""
    known = {item.name: item for item in MathFidelity if item.value <= MOST[target.arch].value}
    if isinstance(name, MathFidelity):
        name = name.name
    if isinstance(name, str) and name in known:
        return known[name]
    why = f" on {target.name}, where a fourth pass with sums in fp32 gives wrong numbers" if name == "HiFi4" else ""
    raise InputError(f"no fidelity is called {name!r}{why}; choose from {', '.join(known)}")


def with_fidelity(call: C, target: Target, stated: MathFidelity | None = None) -> C:
    """Return a call with the math fidelity for its card and for its operands' storage, or with the `stated` one."""
    config, field = call.compute, call.compute_field
    if config is None or field is None:
        return call
    fidelity = stated or _chosen(call, target)
    return replace(call, **{field: replace(config, math_fidelity=fidelity)})


def reason(call: Op, target: Target) -> str:
    """Return a call's math fidelity and why the call has this one; "" for a call that states none."""
    if not isinstance(call, Call) or call.compute is None:
        return ""
    chosen, most = call.compute.math_fidelity, MOST[target.arch]
    if chosen is not _chosen(call, target):
        return f"{chosen.name} as asked for"
    if chosen is not most:
        return f"{chosen.name} for block formats"
    return f"{chosen.name}, the most that is right with sums in fp32 on {target.arch}"


def _chosen(call: Call, target: Target) -> MathFidelity:
    """Return the fewest passes that read all bits of a side in a block format, else the most of the card."""
    left, right = _sides(call)
    if right in BY_WEIGHT:
        return BY_WEIGHT[right]
    return BY_INPUT if left in BY_WEIGHT else MOST[target.arch]


def _sides(call: Call) -> tuple[DType | None, DType | None]:
    """Return the storage types of a product's left and right side; None for a call that is no product of two."""
    match call:
        case Matmul(input_tensor_a=left, input_tensor_b=right) | Linear(input_tensor_a=left, input_tensor_b=right):
            return left.dtype, right.dtype
        case Conv2d(input_tensor=left, weight_tensor=right) | ConvTranspose2d(input_tensor=left, weight_tensor=right):
            return left.dtype, right.dtype
        case ScaledDotProductAttention(input_tensor_q=Value() as left, input_tensor_k=Value() as right):
            return left.dtype, right.dtype
    return None, None
