"""Complex numbers as pairs of real tensors: readings of aten ops on the parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeGuard

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import OF_COMPLEX, ExportBuilder, Number, full, function_for, named, refused
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, cos, exp, sin, sqrt

PARTS = {torch.complex32: torch.float16, torch.complex64: torch.float32, torch.complex128: torch.float64}
"""The dtype of each part."""


@dataclass(frozen=True)
class Complex:
    """real + i * imag; both have one type, which is the builder's `result` where torch declares a complex one."""

    real: Expr
    imag: Expr


Operand = Complex | Expr | complex | Number
Reading = Callable[..., Any]
TABLE: dict[str, Reading] = {}

EACH_PART = dict.fromkeys((
    "view", "_unsafe_view", "reshape", "view_copy", "flatten.using_ints", "unflatten.int", "squeeze", "unsqueeze",
    "permute", "transpose.int", "t", "movedim.int", "expand", "slice.Tensor", "narrow", "select.int", "unbind.int",
    "split.Tensor", "split_with_sizes", "chunk", "cat", "stack", "flip", "roll", "repeat", "index.Tensor",
    "index_select", "gather", "clone", "alias", "detach", "contiguous", "lift_fresh_copy", "neg", "sum", "mean",
    "cumsum", "unfold", "diagonal", "tril", "triu", "repeat_interleave.self_int", "zeros_like", "empty_like",
), (0,)) | {
    "slice_scatter": (0, 1), "select_scatter": (0, 1), "fill.Tensor": (0, 1), "where": (1, 2), "masked_fill": (0, 2),
    "constant_pad_nd": (0, 2), "pad": (0, 3), "index_put": (0, 2), "scatter.src": (0, 3),
    "zeros": (), "new_zeros": (), "empty": (), "new_empty": (),
}  # fmt: skip
"""Ops that treat real and imaginary parts alike, each part by itself, and their operands that may be complex numbers.

A real number or tensor among those operands has an imaginary part of zero; others are sizes, masks and places.
"""


def complex_function_for(target: torch._ops.OpOverload) -> Reading:
    """Find the function that reads an op with a complex operand or result; Refusal with the op's name without one."""
    found = named(TABLE, target)
    if found is not None:
        return found
    numbers = named(EACH_PART, target)
    if numbers is not None:
        return partial(_each_part, function_for(target), numbers)
    if refused(target):
        return function_for(target)
    raise Refusal(f"{target} of complex numbers is not supported")


def complex_aten(*names: str) -> Callable[[Reading], Reading]:
    def register(function: Reading) -> Reading:
        TABLE.update(dict.fromkeys(names, function))
        OF_COMPLEX.update(names)
        return function

    return register


def _each_part(function: Reading, numbers: tuple[int, ...], b: ExportBuilder, *args: Any, **keywords: Any) -> Any:
    """Apply `function` to the real parts, and to the imaginary parts, of the operands at the places of `numbers`."""
    args = tuple(_complete(b, item) if place in numbers else item for place, item in enumerate(args))
    real, imag = (function(b, *_parts(args, name), **keywords) for name in ("real", "imag"))
    if isinstance(real, (tuple, list)):
        return tuple(map(Complex, real, imag))
    return Complex(real, imag)


def _complete(b: ExportBuilder, item: Any) -> Any:
    """Give real tensors and numbers, alone and in a list, an imaginary part."""
    if isinstance(item, (list, tuple)):
        return [_complete(b, part) for part in item]
    if isinstance(item, Expr):
        return as_complex(b, item)
    return complex(item) if isinstance(item, (bool, int, float)) else item


def _parts(item: Any, name: str) -> Any:
    match item:
        case Complex() | complex():
            return getattr(item, name)
        case list() | tuple():
            return [_parts(part, name) for part in item]
    return item


@complex_aten("full", "full_like", "new_full", "fill.Scalar")
def fill(b: ExportBuilder, *operands: Any, **_: object) -> Complex:
    """Fill with a number: the last positional operand of each of these ops."""
    number = complex(operands[-1])
    return Complex(*(full(b, b.result.shape, part, b.result.dtype) for part in (number.real, number.imag)))


@complex_aten("ones", "ones_like", "new_ones")
def ones(b: ExportBuilder, *_: object, **__: object) -> Complex:
    return fill(b, 1)


@complex_aten("view_as_complex")
def view_as_complex(b: ExportBuilder, x: Expr) -> Complex:
    """Split x [.., 2] into real and imaginary parts."""
    return Complex(compose.select(x, -1, 0), compose.select(x, -1, 1))


@complex_aten("view_as_real")
def view_as_real(b: ExportBuilder, x: Complex) -> Expr:
    return compose.cat([compose.unsqueeze(part, -1) for part in (x.real, x.imag)], -1)


@complex_aten("polar")
def polar(b: ExportBuilder, size: Expr, angle: Expr) -> Complex:
    return Complex(size * cos(angle), size * sin(angle))


@complex_aten("complex")
def complex_(b: ExportBuilder, real: Expr, imag: Expr) -> Complex:
    return Complex(*compose.same_shape(real, imag))


@complex_aten("real")
def real(b: ExportBuilder, x: Complex) -> Expr:
    return x.real


@complex_aten("imag")
def imag(b: ExportBuilder, x: Complex) -> Expr:
    return x.imag


@complex_aten("conj", "_conj", "_conj_physical", "conj_physical")
def conj(b: ExportBuilder, x: Complex) -> Complex:
    return Complex(x.real, -x.imag)


@complex_aten("resolve_conj", "resolve_neg")
def resolve(b: ExportBuilder, x: Complex) -> Complex:
    return x


@complex_aten("abs")
def abs_(b: ExportBuilder, x: Complex) -> Expr:
    return sqrt(_square(x))


@complex_aten("angle")
def angle(b: ExportBuilder, x: Complex) -> Expr:
    return apply(ops.Atan2, x.imag, x.real)


@complex_aten("_to_copy", "to")
def to_copy(b: ExportBuilder, x: Operand, *_: object, **__: object) -> Complex:
    x = as_complex(b, x)
    return Complex(result_as(b, x.real), result_as(b, x.imag))


@complex_aten("copy")
def copy(b: ExportBuilder, x: Operand, source: Operand, *_: object) -> Complex:
    new = to_copy(b, source)
    return Complex(*(part.expand(*b.result.shape) for part in (new.real, new.imag)))


def real_part(x: Complex) -> Expr:
    """Return what a cast of complex numbers to a real dtype leaves; Refusal of a cast to bool, which asks for both."""
    if x.real.dtype is DType.bool:
        raise Refusal("a complex number is cast to bool: compare its absolute value with 0")
    return x.real


@complex_aten("add")
def add(b: ExportBuilder, x: Operand, y: Operand, alpha: Number = 1) -> Complex:
    return _sum(b, ops.Add, x, y, alpha)


@complex_aten("sub")
def sub(b: ExportBuilder, x: Operand, y: Operand, alpha: Number = 1) -> Complex:
    return _sum(b, ops.Sub, x, y, alpha)


def _sum(b: ExportBuilder, op: Callable[..., Any], x: Operand, y: Operand, alpha: Number) -> Complex:
    left, right = as_complex(b, x), as_complex(b, y)
    right = right if alpha == 1 else mul(b, right, alpha)
    return Complex(apply(op, left.real, right.real), apply(op, left.imag, right.imag))


@complex_aten("mul")
def mul(b: ExportBuilder, x: Operand, y: Operand) -> Complex:
    if _is_real(x):
        x, y = y, x
    left = as_complex(b, x)
    if _is_real(y):
        number = result_as(b, y)
        return Complex(left.real * number, left.imag * number)
    right = as_complex(b, y)
    real = left.real * right.real - left.imag * right.imag
    return Complex(real, left.real * right.imag + left.imag * right.real)


@complex_aten("square")
def square(b: ExportBuilder, x: Complex) -> Complex:
    return mul(b, x, x)


@complex_aten("rsub")
def rsub(b: ExportBuilder, x: Operand, y: Operand, alpha: Number = 1) -> Complex:
    return sub(b, y, x, alpha)


@complex_aten("div")
def div(b: ExportBuilder, x: Operand, y: Operand) -> Complex:
    """Divide by a complex number: multiply by the conjugate, divide by the squared absolute value."""
    over = as_complex(b, x)
    if _is_real(y):
        size = result_as(b, y)
    else:
        under = as_complex(b, y)
        over, size = mul(b, over, conj(b, under)), _square(under)
    return Complex(over.real / size, over.imag / size)


@complex_aten("reciprocal")
def reciprocal(b: ExportBuilder, x: Complex) -> Complex:
    return div(b, 1, x)


@complex_aten("exp")
def exp_(b: ExportBuilder, x: Complex) -> Complex:
    size = exp(x.real)
    return Complex(size * cos(x.imag), size * sin(x.imag))


def _square(x: Complex) -> Expr:
    return x.real * x.real + x.imag * x.imag


def _is_real(x: Operand) -> TypeGuard[Expr | Number]:
    return not isinstance(x, (Complex, complex))


def as_complex(b: ExportBuilder, x: Operand) -> Complex:
    """Return a Python number, or a real operand, with an imaginary part of zero."""
    if isinstance(x, Complex):
        return x
    if isinstance(x, complex):
        return Complex(full(b, (), x.real, b.result.dtype), full(b, (), x.imag, b.result.dtype))
    part = result_as(b, x)
    return Complex(part, full(b, part.shape, 0, part.dtype))
