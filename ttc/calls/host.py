"""A call that no card runs: an op that the user lets the host do, with the bytes moved there and back."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ttc.calls.call import NO_PROGRAM, Call, Dispatch, spec_of
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, Layout, Spec, TensorType, Value


@dataclass(frozen=True)
class HostOp(Call, name="host.run"):
    """`op`, the text of an op on the operands %0, %1, .. of the types `takes`, done by torch on the host.

    The operands are downloaded, the results uploaded as `results`. The op is text so that programs can be read where
    there is no torch.
    """

    operand: tuple[Value, ...]
    _: KW_ONLY
    op: str
    takes: tuple[TensorType, ...]
    gives: tuple[TensorType, ...]
    results: tuple[Spec, ...]

    def infer(self) -> tuple[Spec, ...]:
        if [value.shape for value in self.operand] != [type.shape for type in self.takes]:
            raise Refusal(f"the host op takes {', '.join(map(str, self.takes))}")
        if [spec.shape for spec in self.results] != [type.shape for type in self.gives]:
            raise Refusal(f"the host op gives {', '.join(map(str, self.gives))}")
        if any((spec.layout, spec.memory) != (Layout.TILE, DRAM) for spec in self.results):
            raise Refusal("the results of a host op go to DRAM, in tiles")
        return self.results

    def dispatch(self, target: Target) -> Dispatch:
        return NO_PROGRAM

    @property
    def name(self) -> str:
        """Return the op's mnemonic."""
        return self.op.partition("(")[0]

    @property
    def moved_bytes(self) -> int:
        """Count the bytes downloaded and uploaded, as the card stores the tensors."""
        return sum(spec_of(value).stored_bytes for value in self.operand) + sum(s.stored_bytes for s in self.results)
