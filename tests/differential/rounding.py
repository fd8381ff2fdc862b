"""Torch run in float64 with every result rounded at random to fewer bits: how much rounding alone may change a result.

Monte Carlo arithmetic (Parker, 1997): a result that has more bits than the format goes to one of its two neighbours,
whichever a random number says, with a chance in proportion to its nearness; one that the format holds stays as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

LARGEST = torch.finfo(torch.float32).max
SMALLEST = torch.finfo(torch.float32).tiny


def rounded(x: torch.Tensor, bits: int | None, generator: torch.Generator) -> torch.Tensor:
    """float64 numbers with `bits` significant bits (all of them if None), in the range of float32."""
    y = torch.where(x.abs() > LARGEST, torch.sign(x) * torch.inf, x)
    if bits is None:
        return y
    mantissa, exponent = torch.frexp(torch.where(y.isfinite(), y, 0.0))
    scaled = mantissa * 2.0**bits
    below = scaled.floor()
    up = torch.rand(x.shape, generator=generator, dtype=torch.float64) < scaled - below
    near = torch.ldexp((below + up) / 2.0**bits, exponent)
    tiny = (near.abs() < SMALLEST) & (torch.rand(x.shape, generator=generator) < 0.5)
    return torch.where(y.isfinite(), torch.where(tiny, 0.0, near), y)


SEVERAL = (
    "norm", "var", "std", "softmax", "sum", "mean", "mm", "mv", "dot", "conv", "lstm", "gru", "rnn", "bilinear",
    "linear", "prod", "interpolate", "upsample", "attention", "logsumexp", "einsum", "pool", "matmul", "fft",
    "gemm", "lrn", "resize", "stft", "reducel",
)  # fmt: skip
"""Parts of the names of ops that take many elements in several steps, each rounded: their operands are shaken too."""


RECURRENT = ("lstm", "gru", "rnn")
"""They round at every step, and their operands are shaken by as much as a few steps give."""


def bits_of(name: str, bits: int) -> int:
    """To how many bits the operands of an op are shaken."""
    return bits - 2 if any(part in name.lower() for part in RECURRENT) else bits


def shaken(x: torch.Tensor, bits: int, generator: torch.Generator) -> torch.Tensor:
    """float64 numbers with an error of at most one unit in the last of `bits`, whole numbers as they are."""
    noise = 1 + (torch.rand(x.shape, generator=generator, dtype=torch.float64) * 2 - 1) * 2.0**-bits
    return torch.where(x == x.round(), x, x * noise)


def is_undecided(name: str, args: Any, bits: int) -> bool:
    """Whether an op's result hangs on what docs/numbers.md leaves open.

    That is which element NaN is, which windows of a pool by a matrix take an infinity, the last bit of a floor: a
    quotient that is no integer but lies as near to one as its rounding to `bits` is floored to either.
    """
    match name.removeprefix("aten::"), *args:
        case "argmax" | "argmin", torch.Tensor() as x, *_:
            return bool(x.isnan().any())
        case "adaptive_avg_pool1d" | "_adaptive_avg_pool2d" | "_adaptive_avg_pool3d", torch.Tensor() as x, *_:
            return not bool(x.isfinite().all())
        case "floor_divide" | "floor_divide.Scalar", a, b, *_:
            a, b = torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64)
            quotient = a / b
            near = (quotient - quotient.round()).abs() <= quotient.abs() * 2.0 ** (1 - min(bits, 24))
            return bool((near & (torch.fmod(a, b) != 0)).any())
    return False


def takes_several(name: str) -> bool:
    return any(part in name.lower() for part in SEVERAL)


class Rounded(TorchDispatchMode):
    """While it is on, floating results of every op are rounded so; `undefined` notes what torch leaves undefined.

    `widest` is the largest integer that was computed.
    """

    def __init__(self, bits: int | None, seed: int = 0):
        super().__init__()
        self.bits = bits
        self.generator = torch.Generator().manual_seed(seed)
        self.undefined = False
        self.widest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.bits is not None and not func._schema.is_mutable and takes_several(func._schema.name):
            bits = bits_of(func._schema.name, self.bits)
            args = pytree.tree_map(lambda leaf: self._shaken(leaf, bits), args)
        found = func(*args, **(kwargs or {}))
        self._note(args, found)
        self.undefined |= is_undecided(func._schema.name, args, self.bits or 53)
        if func._schema.is_mutable:
            for tensor in (leaf for leaf in pytree.tree_leaves(found) if is_double(leaf)):
                tensor.copy_(rounded(tensor, self.bits, self.generator))
            return found
        return pytree.tree_map(lambda leaf: self._rounded(leaf) if is_double(leaf) else leaf, found)

    def _rounded(self, x: torch.Tensor) -> torch.Tensor:
        y = rounded(x, self.bits, self.generator)
        return x if bool((y == x).logical_or(x.isnan()).all()) else y  # a view stays one

    def _shaken(self, leaf: Any, bits: int) -> Any:
        return shaken(leaf, bits, self.generator) if is_double(leaf) else leaf

    def _note(self, args: Any, found: Any) -> None:
        for result in pytree.tree_leaves(found):
            if isinstance(result, torch.Tensor) and result.dtype in (torch.int64, torch.int32) and result.numel():
                self.widest = max(self.widest, int(result.max()), -int(result.min()))
                operands = [leaf for leaf in pytree.tree_leaves(args) if is_double(leaf)]
                if any(leaf.numel() == result.numel() and bool((~(leaf.abs() < 2.0**31)).any()) for leaf in operands):
                    self.undefined = True


def is_double(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.dtype is torch.float64
