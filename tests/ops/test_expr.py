"""Expressions: each spelling adds the op that it names, and nothing else."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import pytest
import torch

from ttc import ops
from ttc.errors import TypeRuleError
from ttc.ir import Builder, DType, Input, Op, TensorType, Value
from ttc.ops import expr
from ttc.ops.expr import Expr, apply, concat, maximum, minimum, where

BOTH: dict[Callable, Callable[[Value, Value], Op]] = {
    operator.add: ops.Add, operator.sub: ops.Sub, operator.mul: ops.Mul, operator.truediv: ops.Div,
    operator.floordiv: ops.FloorDiv, operator.mod: ops.Remainder, operator.pow: ops.Pow,
    operator.lt: ops.Lt, operator.le: ops.Le, operator.gt: ops.Gt, operator.ge: ops.Ge,
    operator.eq: ops.Eq, operator.ne: ops.Ne, maximum: ops.Maximum, minimum: ops.Minimum,
}  # fmt: skip
OF_WHOLE: dict[Callable, Callable[[Value, Value], Op]] = {
    operator.and_: ops.And, operator.or_: ops.Or, operator.xor: ops.Xor,
    operator.lshift: ops.ShiftLeft, operator.rshift: ops.ShiftRight,
}  # fmt: skip
REFLECTED = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
)  # fmt: skip
TURNED = {operator.lt: ops.Gt, operator.le: ops.Ge, operator.gt: ops.Lt, operator.ge: ops.Le, operator.eq: ops.Eq}
UNARY: dict[Callable, Callable[[Value], Op]] = {
    operator.neg: ops.Neg, abs: ops.Abs, round: ops.Round, expr.exp: ops.Exp, expr.log: ops.Log, expr.sqrt: ops.Sqrt,
    expr.rsqrt: ops.Rsqrt, expr.reciprocal: ops.Reciprocal, expr.sin: ops.Sin, expr.cos: ops.Cos, expr.tanh: ops.Tanh,
    expr.sigmoid: ops.Sigmoid, expr.relu: ops.Relu, expr.silu: ops.Silu, expr.sign: ops.Sign, expr.trunc: ops.Trunc,
    expr.is_nan: ops.IsNan,
}  # fmt: skip
METHODS: dict[str, tuple[Callable[[Expr], Expr], Callable[[Value], Op]]] = {
    "cast": (lambda x: x.cast(DType.bf16), lambda x: ops.Cast(x, DType.bf16)),
    "reshape": (lambda x: x.reshape(12, 2), lambda x: ops.Reshape(x, (12, 2))),
    "view": (lambda x: x.view(6, -1), lambda x: ops.Reshape(x, (6, 4))),
    "permute": (lambda x: x.permute(0, -1, 1), lambda x: ops.Permute(x, (0, 2, 1))),
    "expand": (lambda x: x.expand(5, 2, 3, 4), lambda x: ops.Expand(x, (5, 2, 3, 4))),
    "part": (lambda x: x.part(1, 1, 3), lambda x: ops.Slice(x, (0, 1, 0), (2, 3, 4), (1, 1, 1))),
    "part to the end": (lambda x: x.part(1, 1), lambda x: ops.Slice(x, (0, 1, 0), (2, 3, 4), (1, 1, 1))),
    "part of the last": (lambda x: x.part(-1, 2, 3), lambda x: ops.Slice(x, (0, 0, 2), (2, 3, 3), (1, 1, 1))),
    "empty part": (lambda x: x.part(2, 3, 3), lambda x: ops.Slice(x, (0, 0, 3), (2, 3, 3), (1, 1, 1))),
    "every second": (lambda x: x.part(2, 0, None, 2), lambda x: ops.Slice(x, (0, 0, 0), (2, 3, 4), (1, 1, 2))),
    "pad": (lambda x: x.pad(-1, 1, 2), lambda x: ops.Pad(x, ((0, 0), (0, 0), (1, 2)))),
    "flip": (lambda x: x.flip(0, 2), lambda x: ops.Flip(x, (0, 2))),
    "clamp": (lambda x: x.clamp(0.5), lambda x: ops.Clamp(x, 0.5, None)),
    "clamp from above": (lambda x: x.clamp(high=0.5), lambda x: ops.Clamp(x, None, 0.5)),
    "sum": (lambda x: x.sum((0, 2)), lambda x: ops.Sum(x, (0, 2), False)),
    "mean": (lambda x: x.mean((1,), True), lambda x: ops.Mean(x, (1,), True)),
    "max": (lambda x: x.max((1,), True), lambda x: ops.Max(x, (1,), True)),
    "min": (lambda x: x.min((1,)), lambda x: ops.Min(x, (1,), False)),
    "argmax": (lambda x: x.argmax(1, True), lambda x: ops.Argmax(x, 1, True)),
    "concat": (lambda x: concat((x, x), -1), lambda x: ops.Concat((x, x), 2)),
    "apply": (lambda x: apply(ops.LeakyRelu, x, 0.3), lambda x: ops.LeakyRelu(x, 0.3)),
    "apply by name": (lambda x: apply(ops.Concat, xs=[x, x], dim=1), lambda x: ops.Concat((x, x), 1)),
}
NOTHING: dict[str, Callable[[Expr], Expr]] = {
    "cast": lambda x: x.cast(DType.f32),
    "reshape": lambda x: x.reshape(2, 3, 4),
    "view": lambda x: x.view(2, -1, 4),
    "permute": lambda x: x.permute(0, 1, -1),
    "expand": lambda x: x.expand(2, 3, 4),
    "part": lambda x: x.part(1, 0, 3),
    "concat": lambda x: concat([x], 1),
}
ONE_OPERAND = [*UNARY.items(), *METHODS.values()]


def operand(b: Builder, name: str = "x", dtype: DType = DType.f32) -> Expr:
    return Expr(b(Input(TensorType(dtype, (2, 3, 4)), name)), b)


def text(spell: Callable[[Builder, Expr, Expr], Value], dtype: DType = DType.f32) -> str:
    """The program of what a function makes of two inputs."""
    b = Builder()
    return str(b.finish([("y", spell(b, operand(b, "x", dtype), operand(b, "z", dtype)))]))


def number(b: Builder, value: float, dtype: DType = DType.f32) -> Value:
    return b(ops.Full(TensorType(dtype, ()), value))


@pytest.mark.parametrize(("spelling", "op"), ONE_OPERAND)
def test_one_operand(spelling: Callable[[Expr], Expr], op: Callable[[Value], Op]):
    assert text(lambda b, x, _: spelling(x).value) == text(lambda b, x, _: b(op(x.value)))


@pytest.mark.parametrize(("spelling", "op"), BOTH.items())
def test_two_operands(spelling: Callable, op: Callable[[Value, Value], Op]):
    assert text(lambda b, x, z: spelling(x, z).value) == text(lambda b, x, z: b(op(x.value, z.value)))


@pytest.mark.parametrize(("spelling", "op"), OF_WHOLE.items())
def test_two_whole_operands(spelling: Callable, op: Callable[[Value, Value], Op]):
    made = text(lambda b, x, z: spelling(x, z).value, DType.i32)
    assert made == text(lambda b, x, z: b(op(x.value, z.value)), DType.i32)


@pytest.mark.parametrize(("spelling", "op"), BOTH.items())
def test_a_number_behind(spelling: Callable, op: Callable[[Value, Value], Op]):
    assert text(lambda b, x, _: spelling(x, 3).value) == text(lambda b, x, _: b(op(x.value, number(b, 3.0))))


@pytest.mark.parametrize("spelling", REFLECTED)
def test_a_number_before(spelling: Callable):
    op = BOTH[spelling]
    assert text(lambda b, x, _: spelling(3, x).value) == text(lambda b, x, _: b(op(number(b, 3.0), x.value)))


@pytest.mark.parametrize(("spelling", "op"), TURNED.items())
def test_python_turns_comparisons_with_a_number_before(spelling: Callable, op: Callable[[Value, Value], Op]):
    assert text(lambda b, x, _: spelling(3, x).value) == text(lambda b, x, _: b(op(x.value, number(b, 3.0))))


def test_matrix_product():
    def spelled(b: Builder, x: Expr, z: Expr) -> Value:
        return (x @ z.permute(0, 2, 1)).value

    def built(b: Builder, x: Expr, z: Expr) -> Value:
        return b(ops.Matmul(x.value, b(ops.Permute(z.value, (0, 2, 1)))))

    assert text(spelled) == text(built)


def test_not():
    assert text(lambda b, x, _: (~x).value, DType.bool) == text(lambda b, x, _: b(ops.Not(x.value)), DType.bool)


def test_precedence_and_order_are_those_of_python():
    def spelled(b: Builder, x: Expr, z: Expr) -> Value:
        return where(abs(x) > 0.5, x, 1 - 2 * z**3).value

    def built(b: Builder, x: Expr, z: Expr) -> Value:
        large = b(ops.Gt(b(ops.Abs(x.value)), number(b, 0.5)))
        cube = b(ops.Pow(z.value, number(b, 3.0)))
        double = b(ops.Mul(number(b, 2.0), cube))
        return b(ops.Where(large, x.value, b(ops.Sub(number(b, 1.0), double))))

    assert text(spelled) == text(built)


@pytest.mark.parametrize(("dtype", "given", "held"), [
    (DType.f32, 2, 2.0), (DType.bf16, math.inf, math.inf), (DType.i64, 2.0, 2), (DType.i32, True, 1),
    (DType.bool, 1, True), (DType.u8, 0, 0),
])  # fmt: skip
def test_a_number_takes_the_dtype_of_the_other_side(dtype: DType, given: float, held: float):
    b = Builder()
    x = operand(b, dtype=dtype)
    found = (x == given).value.op
    assert isinstance(found, ops.Eq)
    assert found.b.type == TensorType(dtype, ())
    assert found.b.op.value == held
    assert type(found.b.op.value) is type(held)


def test_one_choice_of_two_may_be_a_number():
    for spelled in (lambda x: where(x > 0, 1, x), lambda x: where(x > 0, x, 1)):
        b = Builder()
        y = spelled(operand(b, dtype=DType.bf16))
        assert y.dtype is DType.bf16


def test_numbers_are_cut_only_where_that_is_said():
    b = Builder()
    x = operand(b, dtype=DType.i64)
    assert x.number(2.7).op == ops.Full(TensorType(DType.i64, ()), 2)
    with pytest.raises(TypeRuleError, match=r"2\.7 is not a number of i64"):
        x * 2.7
    with pytest.raises(TypeRuleError, match="inf is not a number of i64"):
        where(x > 0, x, math.inf)


@pytest.mark.parametrize("spelling", NOTHING.values(), ids=NOTHING)
def test_what_changes_nothing_adds_nothing(spelling: Callable[[Expr], Expr]):
    x = operand(Builder())
    assert spelling(x) is x


def test_several_results():
    b = Builder()
    values, places = apply(ops.Topk, operand(b), 2, 1)
    assert (values.dtype, places.dtype, values.shape) == (DType.f32, DType.i64, (2, 2, 4))
    assert values.builder is b


def test_an_expression_shows_what_its_value_is():
    x = operand(Builder())
    assert (x.type, x.shape, x.dtype, x.rank, x.op) == (x.value.type, (2, 3, 4), DType.f32, 3, x.value.op)
    assert repr(x) == "Expr(%x: f32[2,3,4])"


def test_an_expression_has_no_truth_value():
    x = operand(Builder())
    sentence = r"Expr\(%\w+: bool\[2,3,4\]\) is known only at run time: choose with where\(\)"
    for ask in (lambda: bool(x > 0), lambda: 0 if x == 1 else 1, lambda: x == 1 and x == 2, lambda: x in (1, 2)):
        with pytest.raises(TypeError, match=sentence):
            ask()


def test_an_expression_is_not_compared_with_what_it_cannot_equal():
    x = operand(Builder())
    for ask in (lambda: x == None, lambda: x != "y", lambda: x == x.value):  # noqa: E711
        with pytest.raises(TypeError, match=r"Expr\(%x: f32\[2,3,4\]\) is compared with .* neither an expression nor"):
            ask()
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)


def test_operators_take_expressions_and_numbers_alone():
    x = operand(Builder())
    for ask in (lambda: x + "y", lambda: torch.float32 * x, lambda: x < None, lambda: x @ 2, lambda: [1] - x):
        with pytest.raises(TypeError, match=r"unsupported operand|not supported between"):
            ask()


def test_two_numbers_are_no_choice():
    x = operand(Builder())
    with pytest.raises(TypeError, match=r"1 and 0 are both numbers"):
        where(x > 0, 1, 0)


BEYOND: dict[str, Callable[[Expr], Expr]] = {
    "a size of what is left": lambda x: x.reshape(6, -1),
    "an expansion to what there is": lambda x: x.expand(-1, 3, 4),
    "a part beyond the end": lambda x: x.part(2, 1, 9),
    "a part from the end": lambda x: x.part(2, -3),
    "two sizes of what is left": lambda x: x.view(-1, -1),
    "no multiple": lambda x: x.view(7, -1),
    "a dimension beyond the last": lambda x: x.permute(0, 1, 3),
    "a dimension before the first": lambda x: x.permute(0, 1, -4),
}


@pytest.mark.parametrize("spelling", BEYOND.values(), ids=BEYOND)
def test_numbers_of_a_model_are_judged_by_the_type_rule(spelling: Callable[[Expr], Expr]):
    with pytest.raises(TypeRuleError):
        spelling(operand(Builder()))


def test_mixed_dtypes_are_refused_by_the_type_rule():
    b = Builder()
    with pytest.raises(TypeRuleError, match="different dtypes: f32, i32"):
        operand(b) + operand(b, "z", DType.i32)
