"""What each op makes of padding: a transfer rule beside each op's meaning, in files named after its family."""

from ttc.ops.padding import conv, elementwise, ends, index, matmul, norm, recurrent, reduce, shape, signal, skew
from ttc.ops.padding.region import Factor, Region
from ttc.ops.padding.rules import TRANSFERS, Flow, Transfer, transfers

FAMILIES = (conv, elementwise, ends, index, matmul, norm, recurrent, reduce, shape, signal, skew)

__all__ = ["FAMILIES", "TRANSFERS", "Factor", "Flow", "Region", "Transfer", "transfers"]
