"""The registry of transfer rules, and what a rule may ask: `Flow`.

A rule is a function `(op, flow) -> (value, Region)`, or a tuple of each, registered with `@transfers(ops.Thing)` in the
file of its family. It says what the op's padding becomes, and asks the flow to mask operands whose padding would
reach a valid element. An op without a rule is refused: its padding is never assumed to be harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ttc.ir import Op, TensorType, Value
from ttc.ir.lengths import Length
from ttc.ops.padding.region import Factor, Region, Sizes


class Flow(Protocol):
    """The pass at work, as a rule sees it; the current op's operands are those of the program being built."""

    variants: Sequence[Any]
    """The current op in each member of the family, with that member's operands."""
    origin: str
    """The name of the current op's first result."""

    @property
    def members(self) -> int:
        """How many programs the family has."""
        ...

    def __call__(self, op: Op) -> Any:
        """Add an op to the program."""
        ...

    def region(self, value: Value) -> Region:
        """What is known of a value."""
        ...

    def masked(self, value: Value, dims: Sequence[int], fill: float, why: str) -> Value:
        """The value with `fill` in the padding of these dimensions; itself if it is there."""
        ...

    def finite(self, value: Value, why: str) -> Value:
        """The value, its padding free of inf and NaN."""
        ...

    def length(self, length: Length, region: Region) -> Value:
        """The true length, i64, in a shape that broadcasts to the region's: one number, or one for each sample."""
        ...

    def state(self, value: Value, region: Region) -> None:
        """Say what is known of a value that the rule has made on the way."""
        ...

    def constant(self, value: Value) -> bool:
        """Whether a value depends on no input."""
        ...

    def tensors(self, name: str) -> list[Tensor] | None:
        """An operand of the current op in each member, if it is a known constant."""
        ...

    def why_unknown(self, name: str) -> str:
        """Why a known operand, as it is in the program, may not be what it would be at other lengths; "" if it is."""
        ...

    def known(self, data: Sequence[int], type: TensorType) -> Value:
        """Numbers known now, as a value."""
        ...

    def fit(self, sizes: Sizes) -> Factor:
        """A new dimension of these sizes: a length where they differ; Refusal if no length explains them."""
        ...

    def require(self, length: Length, least: int) -> None:
        """Say that a length below `least` has no result: the model itself would refuse it, or do something else."""
        ...

    def same(self, a: Length, b: Length) -> bool:
        """Whether two lengths are always equal."""
        ...


Rule = Callable[[Any, Flow], Any]


@dataclass(frozen=True)
class Transfer:
    """A rule, and what it lets follow the lengths, all else being the same in all members.

    `varying` are attributes; `known` are operands that, where constant, the rule compares itself. Of an op that
    `broadcasts`, operands may have any shapes that broadcast to the result's.
    """

    rule: Rule
    varying: frozenset[str]
    known: frozenset[str]
    broadcasts: bool


TRANSFERS: dict[type[Op], Transfer] = {}


def transfers(
    *kinds: type[Op], varying: Sequence[str] = (), known: Sequence[str] = (), broadcasts: bool = False
) -> Callable[[Rule], Rule]:
    """Register a function as the transfer rule of these ops."""

    def register(rule: Rule) -> Rule:
        for kind in kinds:
            assert kind not in TRANSFERS, f"two transfer rules for {kind.__name__}"
            TRANSFERS[kind] = Transfer(rule, frozenset(varying), frozenset(known), broadcasts)
        return rule

    return register
