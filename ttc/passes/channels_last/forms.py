"""The two forms of a spatial value, [N, C, *spatial] and channels-last rows, and the conversions between these."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from ttc import ops
from ttc.ir import Builder, Op, Value
from ttc.ops.expr import Expr

Shape = tuple[int, ...]


def to_last(rank: int) -> Shape:
    """Return the permutation of [N, C, *spatial] to [N, *spatial, C]."""
    return (0, *range(2, rank), 1)


def to_first(rank: int) -> Shape:
    """Return the permutation of [N, *spatial, C] to [N, C, *spatial]."""
    return (0, rank - 1, *range(1, rank - 1))


@dataclass
class Forms:
    """The new forms of each value of the old program: the old shape, rows, or both; conversions are made once."""

    builder: Builder
    plain: dict[Value, Value] = field(default_factory=dict)
    rows: dict[Value, Value] = field(default_factory=dict)
    wanted: frozenset[Value] = frozenset()
    """Values of the old program that reach a spatial op through elementwise ops alone."""

    def plain_of(self, x: Value) -> Value:
        """Return `x` in the shape of the old program."""
        if x not in self.plain:
            images = self.images_of(x)
            self.plain[x] = self.builder(ops.Permute(images, to_first(x.type.rank)), x.name)
        return self.plain[x]

    def rows_of(self, x: Value) -> Value:
        """Return `x` [N, C, *spatial] as rows [1, 1, N * prod(spatial), C]."""
        if x not in self.rows:
            images = self.builder(ops.Permute(self.plain_of(x), to_last(x.type.rank)), f"{x.name}.last")
            self.rows[x] = self.builder(ops.Reshape(images, self.rows_shape(x.shape)), f"{x.name}.rows")
        return self.rows[x]

    def images_of(self, x: Value) -> Value:
        """Return `x` as [N, *spatial, C], a view of the rows of `x`."""
        batch, channels, *sizes = x.shape
        return self.builder(ops.Reshape(self.rows_of(x), (batch, *sizes, channels)))

    def set_images(self, x: Value, images: Value) -> None:
        """Set the rows of `x` from `images` [N, *spatial, C]."""
        shape = self.rows_shape(x.shape)
        self.rows[x] = images if images.shape == shape else self.builder(ops.Reshape(images, shape))

    def rows_shape(self, shape: Shape) -> Shape:
        """Return the shape of the rows of a value [N, C, *spatial]."""
        return (1, 1, shape[0] * self.positions(shape), shape[1])

    def positions(self, shape: Shape) -> int:
        """Count the positions of one sample, prod(spatial)."""
        return prod(shape[2:])

    def constant(self, x: Value) -> bool:
        """Return whether `x` depends on no input."""
        return self.plain.get(x) in self.builder.constants

    def all_constant(self, op: Op) -> bool:
        """Return whether no operand of `op` depends on an input."""
        return all(map(self.constant, op.operands()))


def rows_of_constant(x: Value, shape: Shape, builder: Builder) -> Value:
    """Convert a constant that broadcasts to [N, C, *spatial] to one that broadcasts to rows: a derived weight."""
    own = (1,) * (len(shape) - x.type.rank) + x.shape
    if all(size == 1 for dim, size in enumerate(own) if dim != 1):
        return Expr(x, builder).reshape(1, 1, 1, own[1]).value
    full = (shape[0], own[1], *shape[2:])
    last = Expr(x, builder).reshape(*own).expand(*full).permute(*to_last(len(shape)))
    return last.reshape(1, 1, prod(full) // own[1], own[1]).value
