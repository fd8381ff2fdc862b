"""Numbers for the inputs of programs of one call: random, and such that the call is defined and decided for them."""

from __future__ import annotations

import numpy as np

from ttc.calls.cache import PagedUpdateCache
from ttc.calls.call import Call
from ttc.calls.index import Embedding, Gather, Scatter, ScatterAdd
from ttc.calls.layout import Bitcast
from ttc.calls.paged_attention import ChunkedScaledDotProductAttention, PagedScaledDotProductAttentionDecode
from ttc.ir import Graph, Value
from ttc.ir.graph import field_names
from ttc.runtime.run.convert import ON_DEVICE

PLAIN = (-2.0, 2.0)
"""The range of floats."""

DOMAINS = {
    "ttnn.acos": (-0.9, 0.9),
    "ttnn.acosh": (1.1, 4.0),
    "ttnn.asin": (-0.9, 0.9),
    "ttnn.atanh": (-0.9, 0.9),
    "ttnn.cumprod": (0.5, 1.5),
    "ttnn.div": (0.5, 2.0),
    "ttnn.fmod": (0.5, 2.0),
    "ttnn.log": (0.1, 4.0),
    "ttnn.log1p": (-0.5, 4.0),
    "ttnn.pow": (0.5, 2.0),
    "ttnn.prod": (0.5, 1.5),
    "ttnn.reciprocal": (0.5, 2.0),
    "ttnn.remainder": (0.5, 2.0),
    "ttnn.rsqrt": (0.1, 4.0),
    "ttnn.sqrt": (0.1, 4.0),
    "ttnn.tan": (-1.0, 1.0),
}
"""The ranges of floats of calls that have no, or no steady, result elsewhere."""

WHOLE = frozenset(
    {
        *("ttnn.eq", "ttnn.ne", "ttnn.lt", "ttnn.le", "ttnn.gt", "ttnn.ge", "ttnn.nez", "ttnn.sign", "ttnn.where"),
        *("ttnn.logical_and", "ttnn.logical_or", "ttnn.logical_xor", "ttnn.logical_not"),
    }
)
"""Calls that compare: their floats are small whole numbers, so that some are equal and some are 0."""

POSITIVE = frozenset(
    {
        *("ttnn.div", "ttnn.fmod", "ttnn.gcd", "ttnn.pow", "ttnn.remainder"),
        *("ttnn.bitwise_left_shift", "ttnn.bitwise_right_shift"),
    }
)
"""Calls whose integers are from 1 on."""


TABLES = {"page_table": 0, "page_table_tensor": 1}
"""Page tables by field, and which operand is the pool whose blocks they name."""


def drawn(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    """Draw the inputs of a program by name, each for the first call that reads it."""
    generator = np.random.default_rng(seed)
    return {value.name: _numbers(value, *_reader(graph, value), generator) for value in graph.inputs}


def _reader(graph: Graph, value: Value) -> tuple[Call, str]:
    """Return the first call that reads a value, and the name of the field that the value is in."""
    for node in graph.nodes:
        for name in field_names(type(node.op)) if isinstance(node.op, Call) else ():
            item = getattr(node.op, name)
            if item is value or (isinstance(item, tuple) and any(part is value for part in item)):
                return node.op, name  # type: ignore[return-value]
    raise AssertionError(f"no call reads %{value.name}")


def _numbers(value: Value, call: Call, field: str, generator: np.random.Generator) -> np.ndarray:
    shape = value.shape
    if value.dtype.is_float:
        low, high = DOMAINS.get(call.mnemonic, PLAIN)
        floats = generator.uniform(low, high, shape)
        return (np.round(floats) if call.mnemonic in WHOLE else floats).astype(np.float32)
    kind = ON_DEVICE[value.dtype]
    if isinstance(call, Bitcast):
        return generator.uniform(*PLAIN, shape).astype(np.float32).view(kind)
    if field in TABLES:
        blocks = _indices((value.type.numel,), call.operands()[TABLES[field]].shape[0], generator)
        return blocks.reshape(shape).astype(kind)
    if isinstance(call, ChunkedScaledDotProductAttention):
        chunk = call.program_config.k_chunk_size
        return np.full(shape, (call.keys - call.input_tensor_q.shape[2]) // chunk * chunk, kind)
    if field in ("index", "update_idxs_tensor", "cur_pos_tensor") or isinstance(call, Embedding):
        return _indices(shape, _entries(call), generator).astype(kind)
    low = 1 if call.mnemonic in POSITIVE else 0 if kind.kind == "u" else -5
    return generator.integers(low, 6, shape).astype(kind)


def _entries(call: Call) -> int:
    """Count the entries that an index may name."""
    match call:
        case Embedding(weight=table):
            return table.shape[-2]
        case PagedUpdateCache(cache_tensor=cache, page_table=table):
            return cache.shape[2] * (1 if table is None else table.shape[1])
        case PagedScaledDotProductAttentionDecode():
            return call.keys
        case Gather(input=x, dim=dim) | Scatter(input=x, dim=dim) | ScatterAdd(input=x, dim=dim):
            return x.shape[dim]
    raise AssertionError(f"{call.mnemonic} has no index")


def _indices(shape: tuple[int, ...], entries: int, generator: np.random.Generator) -> np.ndarray:
    """Draw indices, different ones along the last dimension as far as there are, so that no scatter is left open."""
    return generator.random(shape).argsort(-1) % entries
