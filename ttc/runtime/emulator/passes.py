"""The matrix engine's products: operands cut to TF32, multiplied in passes over parts of their mantissas.

Per pass the engine multiplies 5 significant bits of the right side (register SrcA) by 7 of the left side (SrcB), the
implicit 1 counted. Source: Tenstorrent's ISA documentation, WormholeB0 `MVMUL` and `ELWMUL`, whose functional models
name the bits of each fidelity phase, and `SrcASrcB`: fp32 loses its low 13 bits, and SrcA the last bit of TF32 too.
Not modelled: the order of sums, infinities and NaN, which the engine does not treat as IEEE 754 does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ttc.calls.call import EXACT, ComputeKernelConfig, MathFidelity
from ttc.runtime.emulator.numerics import Mode

TF32, LEFT_BITS, RIGHT_BITS, RIGHT_ALL = 10, 6, 4, 9
"""Mantissa bits beside the implicit 1: of TF32; that a first pass reads of each side; that all read of the right."""

Multiply = Callable[[Tensor, Tensor], Tensor]


def cut(x: Tensor, bits: int) -> Tensor:
    """Return float32 numbers with the first `bits` of their 23 mantissa bits; infinity and NaN stay."""
    kept = (x.contiguous().view(torch.int32) >> (23 - bits)) << (23 - bits)
    return torch.where(x.isfinite(), kept.view(torch.float32), x)


def matrix_operand(x: Tensor, mode: Mode, config: ComputeKernelConfig | None = EXACT) -> Tensor:
    """Return float32 numbers as the engine reads what is summed, normalised or scaled."""
    if mode is Mode.exact:
        return x
    return cut(x, RIGHT_BITS if _fidelity(config) is MathFidelity.LoFi else TF32)


def product(left: Tensor, right: Tensor, config: ComputeKernelConfig | None, multiply: Multiply) -> Tensor:
    """Compute `multiply(left, right)`, bilinear in float32 operands, by the passes that `config` states.

    Where sums are kept in bf16, the sum is rounded after each pass.
    """
    parts = [multiply(*sides) for sides in passes(left, right, _fidelity(config))]
    if config is None or config.fp32_dest_acc_en:
        return sum(parts[1:], parts[0])
    total = torch.zeros_like(parts[0])
    for part in parts:
        total = (total + part).bfloat16().float()
    return total


def passes(left: Tensor, right: Tensor, fidelity: MathFidelity) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the parts of both sides whose products the engine adds up; passes that share a part are one product."""
    left, right = cut(left, TF32), cut(right, RIGHT_ALL)
    high_left, high_right = cut(left, LEFT_BITS), cut(right, RIGHT_BITS)
    if fidelity is MathFidelity.LoFi:
        yield high_left, high_right
    elif fidelity is MathFidelity.HiFi4:
        yield left, right
    else:
        yield high_left, right
        if fidelity is MathFidelity.HiFi3:
            # Infinities and NaN are in the first pass: neither do they have a remainder nor does another's count.
            yield (left - high_left).nan_to_num(0.0), high_right.where(high_right.isfinite(), 0.0)


def _fidelity(config: ComputeKernelConfig | None) -> MathFidelity:
    return MathFidelity.HiFi4 if config is None else config.math_fidelity
