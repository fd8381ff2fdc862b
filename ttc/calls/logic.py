"""Elementwise calls that compare two operands, or combine them as truth values or bit by bit."""

from __future__ import annotations

from ttc.calls.binary import BinaryCall, CastingCall
from ttc.calls.call import INTEGERS, Workspace
from ttc.calls.target import Target
from ttc.calls.unary import tiles


class Comparison(CastingCall, abstract=True):
    """1 where two operands compare as the name says, else 0: in a's dtype unless one is given."""


class Eq(Comparison, name="ttnn.eq"):
    """1 where a == b, else 0."""


class Ne(Comparison, name="ttnn.ne"):
    """1 where a != b, else 0."""


class Lt(Comparison, name="ttnn.lt"):
    """1 where a < b, else 0."""


class Le(Comparison, name="ttnn.le"):
    """1 where a <= b, else 0."""


class Gt(Comparison, name="ttnn.gt"):
    """1 where a > b, else 0."""


class Ge(Comparison, name="ttnn.ge"):
    """1 where a >= b, else 0."""


class LogicalCall(CastingCall, abstract=True):
    """A logical function of two operands, each first reduced to 1 (not zero) or 0."""

    def workspace(self, target: Target) -> Workspace:
        """Return the circular buffers of other binary calls, and two pages for each reduced operand."""
        return Workspace(circular_buffers=tiles(12, self.widest_page()))


class LogicalAnd(LogicalCall, name="ttnn.logical_and"):
    """1 where both operands are not zero, else 0."""


class LogicalOr(LogicalCall, name="ttnn.logical_or"):
    """1 where an operand is not zero, else 0."""


class LogicalXor(LogicalCall, name="ttnn.logical_xor"):
    """1 where exactly one operand is not zero, else 0."""


class BitwiseCall(BinaryCall, abstract=True):
    """A function of the bits of two operands."""

    dtypes = INTEGERS


class BitwiseAnd(BitwiseCall, name="ttnn.bitwise_and"):
    """a & b."""


class BitwiseOr(BitwiseCall, name="ttnn.bitwise_or"):
    """a | b."""


class BitwiseXor(BitwiseCall, name="ttnn.bitwise_xor"):
    """Bitwise exclusive or: a ^ b."""


class BitwiseLeftShift(BitwiseCall, name="ttnn.bitwise_left_shift"):
    """a << b."""


class BitwiseRightShift(BitwiseCall, name="ttnn.bitwise_right_shift"):
    """a >> b, the sign kept."""
