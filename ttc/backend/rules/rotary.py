"""Lowering of rotary position embeddings: TTNN's own calls in bf16, arithmetic elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.one_token import is_table, turns_whole_tiles
from ttc.backend.rules.heads import off_core, on_core
from ttc.backend.rules.matmul import product
from ttc.backend.rules.moves import concatenated, reshaped
from ttc.calls.binary import Add, Multiply
from ttc.calls.heads_decode import on_one_core
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.rotary import RotaryEmbeddingHf, RotaryEmbeddingLlama
from ttc.calls.shape import Slice
from ttc.calls.unary import Neg
from ttc.ir import TILE, DType, Value


@lowers(ops.Rotary)
def rotary(op: ops.Rotary, to: Lowering) -> Value:
    """Lower to one call for heads [B, H, S, D] in bf16 with one table for all of them, to products and a sum else."""
    x, cos, sin = (to.tile(to(value)) for value in (op.x, op.cos, op.sin))
    size = op.x.shape[-1]
    if is_table(op) and size % TILE == 0 and {x.dtype, cos.dtype, sin.dtype} == {DType.bf16}:
        shape = (1, 1, *op.x.shape[2:])
        cos, sin = (reshaped(table, shape, to) for table in (cos, sin))
        # halves of whole tiles change places; within a tile, a product with a matrix of 0, 1 and -1 moves elements
        if turns_whole_tiles(op):
            if (heads := on_core(x)) is not None:
                cos, sin = (to.call(ToMemoryConfig(table, on_one_core(1, size))) for table in (cos, sin))
                return off_core(to.call(RotaryEmbeddingHf(heads, cos, sin, is_decode_mode=True)), to)
            return to.call(RotaryEmbeddingHf(x, cos, sin))
        if op.pairs or size == TILE:
            matrix = to.constant(turning(TILE, op.pairs)[None, None])
            return to.call(RotaryEmbeddingLlama(x, cos, sin, to.upload(matrix, x.dtype)))
    turned = _turned(x, op.pairs, to)
    return to.call(Add(to.call(Multiply(x, cos)), to.call(Multiply(turned, sin))))


def _turned(x: Value, pairs: bool, to: Lowering) -> Value:
    """Return [-b, a] for the halves a and b of x's rows, or for each pair of neighbours, exact in x's dtype."""
    size, last = x.shape[-1], x.type.rank - 1
    if pairs:
        return product(x, to.upload(to.constant(turning(size, pairs)), x.dtype), to)
    start, end = (0,) * last, x.shape[:-1]
    a, b = (_columns(x, (*start, i * size // 2), (*end, (i + 1) * size // 2), to) for i in (0, 1))
    return to.tile(concatenated([to.call(Neg(b)), a], last, to))


def _columns(x: Value, starts: tuple[int, ...], ends: tuple[int, ...], to: Lowering) -> Value:
    """Cut columns, in TILE layout where these are whole tiles."""
    call = Slice(x, starts, ends)
    return to.call(call if call.by_tiles else Slice(to.row_major(x), starts, ends))


def turning(size: int, pairs: bool) -> Tensor:
    """Return the matrix [size, size] by which rows are turned: row @ matrix = [-b, a]."""
    return ops.turned(torch.eye(size), pairs)
