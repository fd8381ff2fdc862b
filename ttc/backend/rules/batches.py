"""Batches of images as rows, computed some images at a time: for windows that L1 cannot hold over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ttc.backend.lowering import Lowering
from ttc.backend.rules.moves import concatenated
from ttc.calls.concat import Concat
from ttc.calls.shape import Slice
from ttc.ir import Value


def equal_parts(batch: int) -> Iterator[int]:
    """Yield the numbers of equal parts that a batch can be cut into, from 1 on."""
    return (count for count in range(1, batch + 1) if batch % count == 0)


def by_parts(x: Value, count: int, compute: Callable[[Value], Value], to: Lowering) -> Value:
    """Compute `count` equal parts of the images in x [1, 1, N * pixels, C] one by one, and join the results."""
    return to.tile(concatenated([compute(to.tile(part)) for part in parts(x, count, to)], 2, to))


def parts(x: Value, count: int, to: Lowering) -> list[Value]:
    """Cut rows into equal parts; where x was joined from such parts, these are taken as they are."""
    if count == 1:
        return [x]
    _, _, pixels, channels = x.shape
    rows = pixels // count
    if (
        isinstance(x.op, Concat)
        and [(part.shape[2], part.shape[3]) for part in x.op.tensors] == [(rows, channels)] * count
    ):
        return list(x.op.tensors)
    cuts = [((0, 0, start, 0), (1, 1, start + rows, channels)) for start in range(0, pixels, rows)]
    by_tiles = all(Slice(x, *cut).by_tiles for cut in cuts)
    source = x if by_tiles else to.row_major(x)
    return [to.call(Slice(source, *cut)) for cut in cuts]
