"""Expressions: how rule writers spell ops.

An `Expr` is a value and the builder that its results go to. Operators, functions and methods each add the op that
they name and nothing else, so `where(abs(x) > lambd, x, 0)` is

    builder(Where(builder(Gt(builder(Abs(x)), lambd_in_the_dtype_of_x)), x, zero_in_the_dtype_of_x))

A Python number takes the dtype of the other side. Ops without a spelling of their own are written `apply(Conv, x, w)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from torch import Tensor

from ttc.errors import TypeRuleError
from ttc.ir import Builder, DType, Op, TensorType, Value
from ttc.ops import activation, binary, cast, matmul, reduce, shape, unary
from ttc.ops.constant import Full
from ttc.ops.constant import constant as known_value


class Adds(Protocol):
    """Adds ops to a program."""

    def __call__(self, op: Op, /) -> Any:
        """Give the op's result, or its results."""
        ...


Number = bool | int | float
Make = Callable[[Value, Value], Op]
"""A class of ops of two operands."""


def _operator(op: Make) -> Callable[[Expr, Expr | Number], Expr]:
    def operator(x: Expr, other: Expr | Number) -> Expr:
        beside = x.beside(other)
        return NotImplemented if beside is None else x.new(op(x.value, beside.value))

    operator.__doc__ = op.__doc__
    return operator


def _reflected(op: Make) -> Callable[[Expr, Number], Expr]:
    def operator(x: Expr, other: Number) -> Expr:
        before = x.beside(other)
        return NotImplemented if before is None else x.new(op(before.value, x.value))

    operator.__doc__ = op.__doc__
    return operator


@dataclass(frozen=True, eq=False, repr=False)
class Expr:
    """A value of a program being built; `builder` takes the ops that are made of it.

    `==` compares elements, as in torch: expressions have no truth value and no hash.
    """

    value: Value
    builder: Adds

    @property
    def op(self) -> Op:
        return self.value.op

    @property
    def type(self) -> TensorType:
        return self.value.type

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> DType:
        return self.value.dtype

    @property
    def rank(self) -> int:
        return self.value.type.rank

    def __repr__(self) -> str:
        return f"Expr({self.value!r})"

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} is known only at run time: choose with where(), compare expressions with `is`")

    __add__, __radd__ = _operator(binary.Add), _reflected(binary.Add)
    __sub__, __rsub__ = _operator(binary.Sub), _reflected(binary.Sub)
    __mul__, __rmul__ = _operator(binary.Mul), _reflected(binary.Mul)
    __truediv__, __rtruediv__ = _operator(binary.Div), _reflected(binary.Div)
    __floordiv__, __rfloordiv__ = _operator(binary.FloorDiv), _reflected(binary.FloorDiv)
    __mod__, __rmod__ = _operator(binary.Remainder), _reflected(binary.Remainder)
    __pow__, __rpow__ = _operator(binary.Pow), _reflected(binary.Pow)
    __lt__, __le__ = _operator(binary.Lt), _operator(binary.Le)
    __gt__, __ge__ = _operator(binary.Gt), _operator(binary.Ge)
    __and__, __or__, __xor__ = _operator(binary.And), _operator(binary.Or), _operator(binary.Xor)
    __lshift__, __rshift__ = _operator(binary.ShiftLeft), _operator(binary.ShiftRight)

    def __matmul__(self, other: Expr) -> Expr:
        return apply(matmul.Matmul, self, other) if isinstance(other, Expr) else NotImplemented

    def __eq__(self, other: Expr | Number) -> Expr:  # type: ignore[override] (as in torch: element by element)
        return self._compared(binary.Eq, other)

    def __ne__(self, other: Expr | Number) -> Expr:  # type: ignore[override]
        return self._compared(binary.Ne, other)

    __hash__ = None  # type: ignore[assignment]

    def __invert__(self) -> Expr:
        """Return not x, of booleans."""
        return apply(unary.Not, self)

    def __neg__(self) -> Expr:
        return apply(unary.Neg, self)

    def __abs__(self) -> Expr:
        return apply(unary.Abs, self)

    def __round__(self) -> Expr:
        """Round to the nearest integer, halves to even."""
        return apply(unary.Round, self)

    def number(self, number: Number) -> Expr:
        """Make a number [] in the dtype of this value; an integer dtype cuts the fraction off."""
        return self.new(Full(TensorType(self.dtype, ()), as_kind(number, self.dtype)))

    def cast(self, dtype: DType) -> Expr:
        """Return this value in another dtype; nothing is added where the dtype is the same."""
        return self if self.dtype is dtype else self.new(cast.Cast(self.value, dtype))

    def reshape(self, *sizes: int) -> Expr:
        """Return the same elements under another shape; nothing is added where the shape is the same."""
        return self if sizes == self.shape else self.new(shape.Reshape(self.value, sizes))

    def view(self, *sizes: int) -> Expr:
        """Return the same elements under another shape, in which one size may be -1, for the elements left."""
        rest = -prod(sizes)
        return self.reshape(*((self.type.numel // rest if rest else 0) if size == -1 else size for size in sizes))

    def permute(self, *dims: int) -> Expr:
        """Return the dimensions in another order, negative ones from the end; nothing is added where all stay."""
        dims = tuple(self._dim(dim) for dim in dims)
        return self if dims == tuple(range(self.rank)) else self.new(shape.Permute(self.value, dims))

    def expand(self, *sizes: int) -> Expr:
        """Broadcast to a shape; nothing is added where the shape is the same."""
        return self if sizes == self.shape else self.new(shape.Expand(self.value, sizes))

    def part(self, dim: int, start: int, end: int | None = None, step: int = 1) -> Expr:
        """Return x[start:end:step] along one dimension, bounds within the size; nothing is added for all of x."""
        dim = self._dim(dim)
        end = self.shape[dim] if end is None else end
        if (start, end, step) == (0, self.shape[dim], 1):
            return self
        starts, ends, steps = [0] * self.rank, list(self.shape), [1] * self.rank
        starts[dim], ends[dim], steps[dim] = start, end, step
        return self.new(shape.Slice(self.value, tuple(starts), tuple(ends), tuple(steps)))

    def pad(self, dim: int, before: int, after: int) -> Expr:
        """Put zeros before and after along one dimension."""
        at = self._dim(dim)
        pads = tuple((before, after) if i == at else (0, 0) for i in range(self.rank))
        return self.new(shape.Pad(self.value, pads))

    def flip(self, *dims: int) -> Expr:
        """Reverse the elements along dimensions."""
        return self.new(shape.Flip(self.value, dims))

    def clamp(self, low: float | None = None, high: float | None = None) -> Expr:
        """Return min(max(x, low), high)."""
        return self.new(unary.Clamp(self.value, low, high))

    def sum(self, dims: tuple[int, ...], keep: bool = False) -> Expr:
        return self.new(reduce.Sum(self.value, dims, keep))

    def mean(self, dims: tuple[int, ...], keep: bool = False) -> Expr:
        return self.new(reduce.Mean(self.value, dims, keep))

    def max(self, dims: tuple[int, ...], keep: bool = False) -> Expr:
        return self.new(reduce.Max(self.value, dims, keep))

    def min(self, dims: tuple[int, ...], keep: bool = False) -> Expr:
        return self.new(reduce.Min(self.value, dims, keep))

    def argmax(self, dim: int, keep: bool = False) -> Expr:
        """Return the index (i64) of the first largest element along a dimension."""
        return self.new(reduce.Argmax(self.value, dim, keep))

    def _dim(self, dim: int) -> int:
        return dim + self.rank if -self.rank <= dim < 0 else dim

    def new(self, op: Op) -> Expr:
        return Expr(self.builder(op), self.builder)

    def beside(self, other: Any) -> Expr | None:
        """Return an operand as an expression, a number in the dtype of this one; None for anything else."""
        if isinstance(other, Expr):
            return other
        if not isinstance(other, (bool, int, float)):
            return None
        if self.dtype.is_integer and isinstance(other, float) and not other.is_integer():
            raise TypeRuleError(f"{other} is not a number of {self.dtype}")
        return self.number(other)

    def _compared(self, op: Make, other: Expr | Number) -> Expr:
        beside = self.beside(other)
        if beside is None:
            raise TypeError(f"{self!r} is compared with {other!r}, which is neither an expression nor a number")
        return self.new(op(self.value, beside.value))


def as_kind(number: Number, dtype: DType) -> Number:
    """Return a number as the dtype holds it: float, bool or int."""
    return float(number) if dtype.is_float else bool(number) if dtype is DType.bool else int(number)


def constant(builder: Builder, tensor: Tensor) -> Expr:
    """Add a known tensor in the shortest form."""
    return Expr(known_value(builder, tensor), builder)


def apply(op: Callable[..., Op], *operands: Any, **attributes: Any) -> Any:
    """Add an op whose operands are expressions; return one result, or a tuple of several.

    Numbers are attributes here, and stay as they are.
    """
    builder = next(found.builder for found in _flat((*operands, *attributes.values())) if isinstance(found, Expr))
    plain = {name: _plain(item) for name, item in attributes.items()}
    results = builder(op(*map(_plain, operands), **plain))
    if isinstance(results, tuple):
        return tuple(Expr(result, builder) for result in results)
    return Expr(results, builder)


def _flat(items: Iterable[Any]) -> Iterable[Any]:
    for item in items:
        yield from item if isinstance(item, (tuple, list)) else (item,)


def _plain(item: Any) -> Any:
    """Return a field of an op, values in place of expressions."""
    if isinstance(item, (tuple, list)):
        return tuple(map(_plain, item))
    return item.value if isinstance(item, Expr) else item


def where(condition: Expr, a: Expr | Number, b: Expr | Number) -> Expr:
    """Choose a where the condition holds, else b; one of both is an expression."""
    like = a if isinstance(a, Expr) else b
    if not isinstance(like, Expr):
        raise TypeError(f"{a} and {b} are both numbers, so that their dtype is not known: write x.number({a})")
    return apply(binary.Where, condition, *(like.beside(item) for item in (a, b)))


def maximum(a: Expr, b: Expr | Number) -> Expr:
    """Return the larger of each two; NaN wins."""
    return apply(binary.Maximum, a, a.beside(b))


def minimum(a: Expr, b: Expr | Number) -> Expr:
    """Return the smaller of each two; NaN wins."""
    return apply(binary.Minimum, a, a.beside(b))


def concat(xs: Sequence[Expr], dim: int) -> Expr:
    """Join expressions along a dimension; one alone stays as it is."""
    return xs[0] if len(xs) == 1 else apply(shape.Concat, tuple(xs), xs[0]._dim(dim))


def _function(op: Callable[[Value], Op]) -> Callable[[Expr], Expr]:
    def function(x: Expr) -> Expr:
        return apply(op, x)

    function.__doc__ = op.__doc__
    return function


exp = _function(unary.Exp)
log = _function(unary.Log)
sqrt = _function(unary.Sqrt)
rsqrt = _function(unary.Rsqrt)
reciprocal = _function(unary.Reciprocal)
sin = _function(unary.Sin)
cos = _function(unary.Cos)
tanh = _function(unary.Tanh)
sigmoid = _function(activation.Sigmoid)
relu = _function(activation.Relu)
silu = _function(activation.Silu)
sign = _function(unary.Sign)
trunc = _function(unary.Trunc)
is_nan = _function(unary.IsNan)
