"""Magnitudes of the integers that a program computes from sizes: Python's integers have no largest."""

from __future__ import annotations

from typing import Any

from torch._export.serde.schema import Node

from ttc.errors import InputError
from ttc.frontend.archive.expressions import SIZE_BITS
from ttc.guard.budget import EXPRESSION_BITS


class Magnitudes:
    """Bits of each size that a graph computes, by name; a size that comes from a tensor has 63."""

    def __init__(self) -> None:
        self.bits: dict[str, int] = {}

    def add(self, node: Node) -> None:
        """Take in the next node; InputError where its result could take long to compute."""
        if not node.target.startswith(("_operator.", "torch.sym_", "math.")):
            return
        operands = [self._of(operand.arg) for operand in node.inputs]
        found = _power(node, operands) if node.target == "_operator.pow" else sum(operands)
        if found > EXPRESSION_BITS:
            raise InputError(f"{node.name or node.target} computes too large a number")
        for output in node.outputs:
            self.bits[getattr(output.value, "as_name", "")] = found

    def _of(self, argument: Any) -> int:
        value = argument.value
        if type(value) is int:
            return value.bit_length()
        return self.bits.get(getattr(value, "value", None) or "", SIZE_BITS)


def _power(node: Node, operands: list[int]) -> int:
    """Bound the bits of a power, whose exponent must be a small constant."""
    exponent = node.inputs[1].arg.value if len(node.inputs) == 2 else None
    if type(exponent) is not int or abs(exponent) > SIZE_BITS:
        raise InputError(f"{node.name or node.target} is a power of no small constant exponent")
    return operands[0] * abs(exponent)
