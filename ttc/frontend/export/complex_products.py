"""Products of complex numbers: sums of products of their parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ttc import ops
from ttc.frontend import einsum as shared
from ttc.frontend.export import compose
from ttc.frontend.export.complex import Complex, Operand, add, as_complex, complex_aten, conj, mul
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder
from ttc.ops.expr import Expr, apply


@complex_aten("matmul", "mm", "bmm", "mv", "dot")
def matmul(b: ExportBuilder, x: Complex | Expr, y: Complex | Expr) -> Complex:
    return as_complex(b, _multilinear(b, lambda operands: compose.matmul(*operands), [x, y]))


@complex_aten("vdot")
def vdot(b: ExportBuilder, x: Complex, y: Complex) -> Complex:
    return matmul(b, conj(b, x), y)


@complex_aten("linear")
def linear(b: ExportBuilder, x: Complex | Expr, weight: Complex | Expr, bias: Operand | None = None) -> Complex:
    def product(operands: list[Expr]) -> Expr:
        return apply(ops.Linear, *operands, None)

    y = as_complex(b, _multilinear(b, product, [x, weight]))
    return y if bias is None else add(b, y, bias)


@complex_aten("addmm", "baddbmm")
def addmm(b: ExportBuilder, x: Operand, *factors: Any, beta: Operand = 1, alpha: Operand = 1) -> Complex:
    product = mul(b, matmul(b, *factors), alpha)
    return product if beta == 0 else add(b, mul(b, x, beta), product)


@complex_aten("einsum")
def einsum(b: ExportBuilder, equation: str, tensors: list[Complex | Expr], path: list[int] | None = None) -> Complex:
    return as_complex(b, _multilinear(b, lambda operands: shared.einsum(b, equation, operands), list(tensors)))


def _multilinear(
    b: ExportBuilder, product: Callable[[list[Expr]], Expr], operands: list[Complex | Expr]
) -> Complex | Expr:
    """Compute what is linear in each operand: of real + i * imag the product of real, plus i times that of imag."""
    place = next((place for place, operand in enumerate(operands) if isinstance(operand, Complex)), None)
    if place is None:
        return product([result_as(b, operand) for operand in operands if isinstance(operand, Expr)])
    whole = operands[place]
    assert isinstance(whole, Complex)
    real, imag = (
        _multilinear(b, product, [*operands[:place], part, *operands[place + 1 :]]) for part in (whole.real, whole.imag)
    )
    if isinstance(real, Complex) and isinstance(imag, Complex):
        return Complex(real.real - imag.imag, real.imag + imag.real)
    assert isinstance(real, Expr), "both products have as many complex operands"
    assert isinstance(imag, Expr), "both products have as many complex operands"
    return Complex(real, imag)
