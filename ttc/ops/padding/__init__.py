"""Transfer functions of the padding analysis: one for each op, in files named after the op's family."""

from ttc.ops.padding import conv, elementwise, ends, index, matmul, norm, recurrent, reduce, shape, signal, skew
from ttc.ops.padding.abstract import AbstractValue, Factor
from ttc.ops.padding.transfer import Flow, Transfer, transfer_of, transfers

FAMILIES = (conv, elementwise, ends, index, matmul, norm, recurrent, reduce, shape, signal, skew)

__all__ = ["FAMILIES", "AbstractValue", "Factor", "Flow", "Transfer", "transfer_of", "transfers"]
