"""Constant folding: ops on literals become literals."""

from __future__ import annotations

from torch import Tensor

from ttc.ir import Builder, Const, DType, Op, Rules, Value
from ttc.ops.constant import Full, Literal, constant, is_known, names_literal
from ttc.ops.interpret import evaluate_op
from ttc.ops.torch_types import tensor_of

__all__ = ["FOLDED", "fold", "known"]

FOLD_LIMIT = 1 << 20
"""Most bytes of a folded result; larger results stay computed at run time, so that programs stay small."""


def known(value: Value, builder: Builder) -> Tensor | None:
    """Return the tensor that `value` is known to be, or None; weights are unknown: programs do not depend on them."""
    match value.op:
        case Full() | Literal():
            return value.op.eval()
        case Const(ref=ref, type=type) if names_literal(ref):
            return tensor_of(builder.weights.read(ref), type.dtype).reshape(type.shape)
    return None


def fold(op: Op, builder: Builder) -> Value | tuple[Value, ...] | None:
    """Evaluate `op`, as a rewrite rule, if its operands are known and its results small; else return None."""
    operands = op.operands()
    if not operands or op.effect or not hasattr(op, "eval") or not all(map(_can_evaluate, operands)):
        return None
    types = op.result_types()
    if any(t.bytes > FOLD_LIMIT for t in (*types, *(value.type for value in operands))):
        return None
    tensors = {value: known(value, builder) for value in operands}
    results = evaluate_op(op, tensors.__getitem__)  # type: ignore[arg-type]
    return tuple(constant(builder, result.contiguous()) for result in results)


def _can_evaluate(value: Value) -> bool:
    return is_known(value) and value.dtype not in (DType.bfp8, DType.bfp4)


FOLDED = Rules(fold)
"""The normal form in which nothing is left that literals alone decide."""
