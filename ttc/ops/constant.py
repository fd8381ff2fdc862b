"""Values known when compiling. Tensors of more than `LITERAL_LIMIT` elements are weights (`ir.Const`)."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from ttc.ir import Builder, Const, Input, Op, TensorType, Value, Weights, require
from ttc.ir.state import state_name
from ttc.ops.rules import check_number
from ttc.ops.torch_types import FROM_TORCH, array_of, to_torch

__all__ = ["Full", "Literal", "constant", "initial", "number_of"]

LITERAL_LIMIT = 64
_PREFIX = "literal."


@dataclass(frozen=True)
class Full(Op):
    """One number everywhere."""

    type: TensorType
    value: float

    @property
    def key(self) -> Hashable:
        return ("full", self.type, repr(self.value))

    def infer(self) -> TensorType:
        check_number(self.value, self.type.dtype)
        return self.type

    def eval(self) -> Tensor:
        return torch.full(self.type.shape, self.value, dtype=to_torch(self.type.dtype))


@dataclass(frozen=True)
class Literal(Op):
    """A few numbers, in row-major order."""

    type: TensorType
    data: tuple[float, ...]

    @property
    def key(self) -> Hashable:
        return ("literal", self.type, repr(self.data))

    def infer(self) -> TensorType:
        require(len(self.data) == self.type.numel, f"{len(self.data)} numbers for {self.type}")
        for number in self.data:
            check_number(number, self.type.dtype)
        return self.type

    def eval(self) -> Tensor:
        return torch.tensor(self.data, dtype=to_torch(self.type.dtype)).reshape(self.type.shape)


def names_literal(ref: str) -> bool:
    """Return whether a reference names a tensor known when compiling, not a weight of the model's own."""
    return ref.startswith(_PREFIX)


def is_known(value: Value) -> bool:
    """Return whether a value is a literal of the program, in whichever form."""
    match value.op:
        case Full() | Literal():
            return True
        case Const(ref=ref):
            return names_literal(ref)
    return False


def constant(builder: Builder, tensor: Tensor, name: str | None = None) -> Value:
    """Add a known tensor in its shortest form: full, literal, or a weight named after its content."""
    type = TensorType(FROM_TORCH[tensor.dtype], tuple(tensor.shape))
    if tensor.numel() and not tensor.is_complex() and _uniform(tensor):
        return builder(Full(type, tensor.flatten()[0].item()), name)
    if tensor.numel() <= LITERAL_LIMIT and not tensor.is_complex():
        return builder(Literal(type, tuple(tensor.flatten().tolist())), name)
    array = array_of(tensor)
    ref = f"{_PREFIX}{hashlib.sha256(array.tobytes()).hexdigest()[:12]}.{'x'.join(map(str, type.shape))}.{type.dtype}"
    if ref not in builder.weights:
        builder.weights = builder.weights.with_array(ref, type, array)
    return builder(Const(type, ref), name)


def initial(state: Input, weights: Weights) -> Const | Full:
    """Return the op that gives what a state starts from: the weight of the state's own name, else zeros."""
    own = state_name(state.name)
    assert own is not None
    assert isinstance(state.type, TensorType)
    return Const(state.type, own) if own in weights else Full(state.type, 0)


def _uniform(tensor: Tensor) -> bool:
    """Return whether all elements are the same number, with the same sign of zero."""
    first = tensor.flatten()[0]
    same = bool((tensor == first).all())
    return same and (not tensor.is_floating_point() or bool((torch.signbit(tensor) == torch.signbit(first)).all()))


def number_of(value: Value) -> float | None:
    """Return the one number that a value is known to hold everywhere, or None."""
    match value.op:
        case Full(value=number):
            return number
        case Literal(data=(number,)):
            return number
    return None
