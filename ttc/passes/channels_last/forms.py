"""The two forms of a spatial value, [N, C, *spatial] and channels-last rows, and ways between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from ttc import ops
from ttc.ir import Builder, Op, Value
from ttc.ops.expr import Expr

Shape = tuple[int, ...]


def to_last(rank: int) -> Shape:
    """[N, C, *spatial] -> [N, *spatial, C] as a permutation."""
    return (0, *range(2, rank), 1)


def to_first(rank: int) -> Shape:
    """[N, *spatial, C] -> [N, C, *spatial] as a permutation."""
    return (0, rank - 1, *range(1, rank - 1))


@dataclass
class Forms:
    """What each value of the old program became: its own form, rows, or both; conversions are made once."""

    builder: Builder
    plain: dict[Value, Value] = field(default_factory=dict)
    rows: dict[Value, Value] = field(default_factory=dict)
    wanted: frozenset[Value] = frozenset()
    """Values of the old program that reach a spatial op through elementwise ops alone."""

    def plain_of(self, x: Value) -> Value:
        """`x` in its own shape."""
        if x not in self.plain:
            images = self.images_of(x)
            self.plain[x] = self.builder(ops.Permute(images, to_first(x.type.rank)), x.name)
        return self.plain[x]

    def rows_of(self, x: Value) -> Value:
        """`x`, an [N, C, *spatial], as [1, 1, N * prod(spatial), C]."""
        if x not in self.rows:
            images = self.builder(ops.Permute(self.plain_of(x), to_last(x.type.rank)), f"{x.name}.last")
            self.rows[x] = self.builder(ops.Reshape(images, self.rows_shape(x.shape)), f"{x.name}.rows")
        return self.rows[x]

    def images_of(self, x: Value) -> Value:
        """`x` as [N, *spatial, C]; a view of its rows."""
        batch, channels, *sizes = x.shape
        return self.builder(ops.Reshape(self.rows_of(x), (batch, *sizes, channels)))

    def set_images(self, x: Value, images: Value) -> None:
        """State `x` by its [N, *spatial, C]."""
        self.rows[x] = self.builder(ops.Reshape(images, self.rows_shape(x.shape)))

    def rows_shape(self, shape: Shape) -> Shape:
        """The shape of the rows of an [N, C, *spatial]."""
        return (1, 1, shape[0] * self.positions(shape), shape[1])

    def positions(self, shape: Shape) -> int:
        """prod(spatial)."""
        return prod(shape[2:])

    def constant(self, x: Value) -> bool:
        """Whether `x` depends on no input."""
        return self.plain.get(x) in self.builder.constants

    def all_constant(self, op: Op) -> bool:
        return all(map(self.constant, op.operands()))


def rows_of_constant(x: Value, shape: Shape, builder: Builder) -> Value:
    """A constant that broadcasts to [N, C, *spatial], so that it broadcasts to its rows: a derived weight."""
    own = (1,) * (len(shape) - x.type.rank) + x.shape
    if all(size == 1 for dim, size in enumerate(own) if dim != 1):
        return Expr(x, builder).reshape(1, 1, 1, own[1]).value
    full = (shape[0], own[1], *shape[2:])
    last = Expr(x, builder).reshape(*own).expand(*full).permute(*to_last(len(shape)))
    return last.reshape(1, 1, prod(full) // own[1], own[1]).value
