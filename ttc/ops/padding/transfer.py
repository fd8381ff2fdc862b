"""The registry of transfer functions, and the interface that these call: `Flow`.

A transfer function `(op, flow) -> (value, AbstractValue)`, or a tuple of each, is registered in the file of its family
with `@transfers(ops.Thing)`. The function states the result's padding, and asks the flow to mask operands whose padding
would reach a valid element. An op without a transfer function is refused: padding is never assumed to be harmless.

The operands of the op are those of the program being built. Attributes that follow a length are symbolic sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ttc.errors import Refusal
from ttc.ir import Op, TensorType, Value
from ttc.ir.lengths import Length
from ttc.ops.padding.abstract import AbstractValue


class Flow(Protocol):
    """The analysis, as a transfer function sees it; the current op's operands are those of the program being built."""

    origin: str
    """The name of the current op's first result."""

    @property
    def results(self) -> Sequence[TensorType]:
        """Return the types of the current op's results, with symbolic sizes."""
        ...

    def __call__(self, op: Op) -> Any:
        """Add an op to the program."""
        ...

    def abstract(self, value: Value) -> AbstractValue:
        """Give the abstract value of a value."""
        ...

    def masked(self, value: Value, dims: Sequence[int], fill: float, why: str) -> Value:
        """Mask a value with `fill` in the padding of these dimensions; return the value where the fill is there."""
        ...

    def finite(self, value: Value, why: str) -> Value:
        """Make the padding of a value free of inf and NaN."""
        ...

    def length(self, length: Length, beside: AbstractValue) -> Value:
        """Give the true length, i64, one number or one for each sample, in a shape that broadcasts to `beside`."""
        ...

    def state(self, value: Value, abstract: AbstractValue) -> None:
        """State the abstract value of a value that was made on the way."""
        ...

    def constant(self, value: Value) -> bool:
        """Return whether a value depends on no input."""
        ...

    def picked(self) -> Tensor | None:
        """Return the places that the current op looks up, if known and of the same rows at all lengths."""
        ...

    def why_unknown(self, name: str) -> str:
        """Give the reason why a known operand may have other numbers at other lengths; "" if there is none."""
        ...

    def known(self, data: Sequence[int], type: TensorType) -> Value:
        """Add numbers known when compiling as a value."""
        ...

    def require(self, length: Length, least: int) -> None:
        """State that a length below `least` has no result, as the model itself would refuse such a length."""
        ...

    def require_size(self, length: Length) -> None:
        """State that a length is a size or a position, which the model reads otherwise below 0."""
        ...

    def same(self, a: Length, b: Length) -> bool:
        """Return whether two lengths are always equal."""
        ...


TransferFunction = Callable[[Any, Flow], Any]


@dataclass(frozen=True)
class Transfer:
    """A transfer function, and what may follow the lengths, all else being the same at all lengths.

    `varying` are attributes; `known` are operands that, where constant, the function looks at itself. Of an op that
    `broadcasts`, operands may have any shapes that broadcast to the result's.
    """

    function: TransferFunction
    varying: frozenset[str]
    known: frozenset[str]
    broadcasts: bool


_TRANSFERS: dict[type[Op], Transfer] = {}


def transfers(
    *kinds: type[Op], varying: Sequence[str] = (), known: Sequence[str] = (), broadcasts: bool = False
) -> Callable[[TransferFunction], TransferFunction]:
    """Register a function as the transfer function of these ops, and of all that derive from these."""

    def register(function: TransferFunction) -> TransferFunction:
        for kind in kinds:
            assert kind not in _TRANSFERS, f"two transfer rules for {kind.__name__}"
            _TRANSFERS[kind] = Transfer(function, frozenset(varying), frozenset(known), broadcasts)
        return function

    return register


def transfer_of(kind: type[Op]) -> Transfer:
    """Return the transfer function of an op's class, or of the class that this derives from; Refusal without one."""
    for base in kind.__mro__:
        if base in _TRANSFERS:
            return _TRANSFERS[base]
    raise Refusal("nothing is known of what it makes of padding")
