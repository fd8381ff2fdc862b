"""Images: [N, C, *spatial], or channels-last rows [1, 1, N * prod(spatial), C] with `rows` = (N, *spatial)."""

from __future__ import annotations

import math

from torch import Tensor

from ttc.ir import Op, TensorType, Value, require


class Spatial(Op, abstract=True):
    """Ops of images x: the result has the form of x, one row a position where `rows` is given."""

    x: Value
    rows: tuple[int, ...]


def from_rows(x: Tensor, rows: tuple[int, ...]) -> Tensor:
    """Bring [1, 1, N * prod(spatial), C] into [N, C, *spatial]; x itself where `rows` is empty."""
    return x.reshape(*rows, x.shape[-1]).movedim(-1, 1) if rows else x


def to_rows(y: Tensor, rows: tuple[int, ...]) -> Tensor:
    """Bring [N, C, *spatial] into [1, 1, N * prod(spatial), C] where `rows` is not empty."""
    return y.movedim(1, -1).reshape(1, 1, -1, y.shape[1]) if rows else y


def images(x: Value, rows: tuple[int, ...], spatial: int) -> tuple[int, int, tuple[int, ...]]:
    """Return batch, channels and spatial sizes of `x`: [N, C, *spatial], or channels-last rows.

    Rows means x is [1, 1, N * prod(spatial), C] and `rows` = (N, *spatial).
    """
    if not rows:
        require(x.type.rank == spatial + 2, f"needs {spatial + 2} dimensions, got {x.type}")
        return x.shape[0], x.shape[1], x.shape[2:]
    require(len(rows) == spatial + 1, f"rows {list(rows)} do not fit {spatial} spatial dimensions")
    require(x.shape[:-1] == (1, 1, math.prod(rows)), f"{x.type} does not hold rows {list(rows)}")
    return rows[0], x.shape[-1], rows[1:]


def images_type(x: Value, rows: tuple[int, ...], channels: int, spatial: tuple[int, ...], batch: int) -> TensorType:
    """Return the type of a result with these sizes, in the same form as `images` read `x`."""
    shape = (1, 1, batch * math.prod(spatial), channels) if rows else (batch, channels, *spatial)
    return TensorType(x.dtype, shape)
