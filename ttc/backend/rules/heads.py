"""Rows split into attention heads by one call, and joined again, where models reshape and permute.

On tiles, [B, S, H * D] -> [B, S, H, D] -> [B, H, S, D] costs two device programs for each of q, k and v, over tensors
padded from H rows to 32. TTNN's own calls cut between tiles.
"""

from __future__ import annotations

from ttc import ops
from ttc.backend.heads import Heads, counts_of, cut_of, heads_of
from ttc.backend.lowering import Lowering
from ttc.backend.rules.moves import concatenated, reshaped
from ttc.calls.attention import SplitQueryKeyValueAndSplitHeads
from ttc.calls.call import spec_of
from ttc.calls.heads_decode import NlpCreateQkvHeadsDecode, is_on_one_core
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.shape import Permute
from ttc.ir import DRAM, TILE, DType, Value


def cut_heads(op: ops.Permute | ops.Reshape, to: Lowering) -> Value | None:
    """Return the heads that `op` cuts from rows of queries, keys and values by the split of all three; None if not so.

    The builder shares the split between the three parts.
    """
    heads = cut_of(op, op.infer().shape)
    if heads is None or heads.shape[3] % TILE or not op.x.dtype.is_float:
        return None
    counts = counts_of(heads)
    if counts is None:
        return None
    queries, keys = counts
    source = heads.source
    place = (0, queries * heads.shape[3], (queries + keys) * heads.shape[3]).index(heads.start)
    if source in to.one_token and to.dtype is DType.bf16:
        row = reshaped(to.tile(to(source)), (1, 1, 1, source.shape[-1]), to)
        parts = to.call(NlpCreateQkvHeadsDecode(row, num_heads=queries, num_kv_heads=keys))
        return off_core(parts[place], to)
    rows = reshaped(to.tile(to(source)), (*heads.shape[:1], heads.shape[2], source.shape[-1]), to)
    return to.call(_split(rows, queries, keys))[place]


def cut_from_one_row(x: Value, to: Lowering) -> Value | None:
    """Return heads [B, H, 1, D] of tokens that lie in one row [1, B, ..] as [1, H, B, D], by the split of all three.

    None for other heads.
    """
    heads = heads_of(x)
    if heads is None or heads.source.shape[:-1] != (1, x.shape[0]) or x.shape[3] % TILE:
        return None
    counts = counts_of(heads)
    if counts is None:
        return None
    queries, keys = counts
    place = (0, queries * x.shape[3], (queries + keys) * x.shape[3]).index(heads.start)
    return to.call(_split(to.tile(to(heads.source)), queries, keys))[place]


def off_core(heads: Value, to: Lowering) -> Value:
    """Return the heads [1, 1, H, D] of one token, on one core, as [1, H, 1, D] in DRAM.

    What takes heads on one core looks through these two calls by `on_core`, and leaves them without a reader.
    """
    return to.call(Permute(to.call(ToMemoryConfig(heads, DRAM)), (0, 2, 1, 3)))


def on_core(heads: Value) -> Value | None:
    """Return heads [1, H, 1, D] of one token as [1, 1, H, D] on one core, where they come from there."""
    match heads.op:
        case Permute(input_tensor=Value(ToMemoryConfig(tensor=x)), dims=(0, 2, 1, 3)) if is_on_one_core(spec_of(x)):
            return x
    return None


def _split(rows: Value, queries: int, keys: int) -> SplitQueryKeyValueAndSplitHeads:
    """Split rows [B, S, (H + 2 * Hkv) * D] into heads."""
    grouped = None if keys == queries else keys
    return SplitQueryKeyValueAndSplitHeads(rows, num_heads=queries, num_kv_heads=grouped, transpose_key=False)


def split_heads(op: ops.Attention, to: Lowering) -> tuple[Value, Value, Value]:
    """Return attention's q, k and v in TILE layout, by one split where the model has rows that hold all three."""
    found = [heads_of(value) for value in (op.q, op.k, op.v)]
    q, k, v = found
    if q and k and v and k.shape == v.shape and q.shape[2:] == k.shape[2:]:
        batch, heads, rows, _ = q.shape
        source = _together(q, k, v, to)
        if source is not None:
            source = reshaped(source, (batch, rows, q.width + 2 * k.width), to)
            return to.call(_split(source, heads, k.shape[1]))
    return to.tile(to(op.q)), to.tile(to(op.k)), to.tile(to(op.v))


def _together(q: Heads, k: Heads, v: Heads, to: Lowering) -> Value | None:
    """Return one TILE value with rows of q, k and v: their common source, or their concatenation; None otherwise."""
    starts = (q.start, k.start, v.start)
    if q.source is k.source is v.source and starts == (0, q.width, q.width + k.width):
        return to.tile(to(q.source)) if q.source.shape[-1] == q.width + 2 * k.width else None
    if any(heads.start or heads.source.shape[-1] != heads.width for heads in (q, k, v)):
        return None
    rows = [heads.source for heads in (q, k, v)]
    if len({row.shape[:-1] for row in rows}) > 1:
        return None
    return concatenated([to.tile(to(row)) for row in rows], rows[0].type.rank - 1, to)
