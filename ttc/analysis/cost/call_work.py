"""Work of a call: the device programs that TTNN runs for it, each as the formulas see them."""

from __future__ import annotations

from functools import cache
from math import prod

from ttc.analysis.cost.work import Card, Tensor, Work
from ttc.calls.attention import ConcatenateHeads, ScaledDotProductAttention, SplitQueryKeyValueAndSplitHeads
from ttc.calls.attention_decode import ScaledDotProductAttentionDecode
from ttc.calls.binary import BinaryCall
from ttc.calls.cache import CacheWrite, PagedFillCache
from ttc.calls.call import Call, MathFidelity, spec_of
from ttc.calls.concat import Concat
from ttc.calls.conv import Conv2d
from ttc.calls.conv_transpose import ConvTranspose2d
from ttc.calls.heads_decode import NlpConcatHeadsDecode, NlpCreateQkvHeadsDecode
from ttc.calls.index import Embedding, Gather
from ttc.calls.joint_attention import JointScaledDotProductAttention
from ttc.calls.layout import ToLayout, ToMemoryConfig, Typecast
from ttc.calls.loop import FillCache, Put, Take
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.norm import LayerNorm, LogSoftmax, RmsNorm, Softmax
from ttc.calls.pad import Pad
from ttc.calls.paged_attention import (
    ChunkedScaledDotProductAttention,
    PagedAttentionCall,
    PagedScaledDotProductAttentionDecode,
)
from ttc.calls.pool import Pool2d
from ttc.calls.program_config import (
    MatmulMultiCoreReuseMultiCast1DProgramConfig,
    MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig,
    ProgramConfig,
)
from ttc.calls.rotary import RotaryEmbeddingHf, RotaryEmbeddingLlama
from ttc.calls.scan import Cumprod, Cumsum
from ttc.calls.shape import Permute, Reshape, Slice
from ttc.calls.sizes import tiles_along
from ttc.calls.target import Target
from ttc.calls.ternary import Addcmul, Lerp, SnakeBeta
from ttc.calls.unary import UnaryCall
from ttc.ir import TILE, Buffer, Layout, Node, Sharding, ShardSpec, Spec, round_up

Config = dict[str, float]

FAMILIES: tuple[tuple[type[Call] | tuple[type[Call], ...], str], ...] = (
    ((Matmul, Linear), "product"),
    ((Conv2d, ConvTranspose2d), "convolution"),
    ((ScaledDotProductAttention, JointScaledDotProductAttention), "attention"),
    ((ScaledDotProductAttentionDecode, PagedAttentionCall), "attention"),
    ((NlpCreateQkvHeadsDecode, NlpConcatHeadsDecode), "one_token"),
    ((RotaryEmbeddingHf, RotaryEmbeddingLlama), "rotary"),
    ((SplitQueryKeyValueAndSplitHeads, ConcatenateHeads), "heads"),
    ((LayerNorm, RmsNorm), "norm"),
    ((Softmax, LogSoftmax), "softmax"),
    ((Cumsum, Cumprod), "accumulation"),
    (Pool2d, "pool"),
    (Typecast, "typecast"),
    (UnaryCall, "unary"),
    ((BinaryCall, Addcmul, Lerp, SnakeBeta), "binary"),
    (Concat, "concat"),
    (Reshape, "reshape"),
    (Permute, "permute"),
    ((Slice, Pad, Take, Put, FillCache, CacheWrite), "slice"),
    ((Embedding, Gather), "embedding"),
)
"""Families of calls; what is not here moves elements, or reduces them."""

ATTENDING_CHUNKS = (ScaledDotProductAttention, JointScaledDotProductAttention, ChunkedScaledDotProductAttention)
"""Calls whose cores take chunks of queries."""


def fidelity(call: Call) -> MathFidelity:
    """Return the passes that the matrix engine makes for a call; the most if the call does not say."""
    return call.compute.math_fidelity if call.compute else MathFidelity.HiFi4


@cache
def card_of(target: Target) -> Card:
    """Return a target as the formulas see it."""
    return Card(target.arch, target.grid, target.dram_banks)


def works(node: Node, target: Target) -> list[tuple[Work, Card]]:
    """Return a call's device programs: the one that computes, then those that only prepare or convert."""
    call = node.op
    assert isinstance(call, Call)
    programs = call.dispatch(target).programs
    if not programs or not node.results:
        return []
    card = card_of(target)
    first = _main(call, node)
    own = Card(card.arch, _grid(call, card), card.dram_banks)
    rest = [_halo(call, first)] if isinstance(call, (Conv2d, ConvTranspose2d, Pool2d)) else []
    if (copies := programs - 1 - len(rest)) > 0:
        largest = max((*first.inputs[:1], *first.outputs), key=lambda tensor: tensor.bytes)
        rest += [Work("move", "copy", (largest,), (largest,))] * copies
    return [(first, own), *((work, card) for work in rest[: programs - 1])]


def tensor_of(spec: Spec) -> Tensor:
    """Return a value's spec as the formulas see it."""
    shape, memory = spec.padded_shape, spec.memory
    shape = (1,) * (2 - len(shape)) + shape
    logical = (1,) * (len(shape) - spec.rank) + spec.shape
    return Tensor(shape, logical, spec.dtype, spec.layout, memory.buffer, memory.sharding)


def _main(call: Call, node: Node) -> Work:
    inputs = tuple(tensor_of(spec_of(value)) for value in call.operands())
    outputs = tuple(tensor_of(spec_of(value)) for value in node.results)
    inputs = inputs or outputs
    if isinstance(call, PagedAttentionCall):
        inputs = (inputs[0], *(_of_sequences(call, pool) for pool in inputs[1:3]))
    family, name = _family(call, inputs, outputs)
    shard = _shard(node)
    config = _config(call, inputs, outputs) | (_sizes(shard) if shard else {})
    if isinstance(call, Conv2d):
        config |= _steps(call, node)
    cores = shard.cores if shard else 0
    if isinstance(call, (ScaledDotProductAttentionDecode, PagedScaledDotProductAttentionDecode)):
        cores = call.cores
    fp32 = bool(call.compute and call.compute.fp32_dest_acc_en)
    if isinstance(call, (Matmul, Linear)):
        inputs = (_turned(inputs[0], call.transpose_a), _turned(inputs[1], call.transpose_b), *inputs[2:])
    if isinstance(call, JointScaledDotProductAttention):
        inputs = tuple(_joined(*inputs[part::3]) for part in range(3))
    if isinstance(call, (CacheWrite, FillCache, Put)):
        inputs = inputs[1:]  # the rows, which are all that is written
    if isinstance(call, (FillCache, Put, PagedFillCache)):
        outputs = inputs[:1]
    if isinstance(call, (Conv2d, ConvTranspose2d)):
        inputs = (inputs[0], _weights(call, inputs[1]), *inputs[2:])
    return Work(family, name, inputs, outputs, cores, fidelity(call), fp32, config)


def _family(call: Call, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> tuple[str, str]:
    """Return the family of a call's main program and the op as the formulas name it."""
    name = call.mnemonic.rpartition(".")[2].upper()
    if isinstance(call, ToLayout):
        tiled = outputs[0].layout is Layout.TILE
        whole = inputs[0].logical == inputs[0].shape == outputs[0].shape
        return ("tilize", "Tilize" if whole else "TilizeWithVal") if tiled else ("untilize", _untilize(whole))
    if isinstance(call, ToMemoryConfig):
        return ("reshard", _direction(inputs[0], outputs[0])) if _sharded(inputs[0], outputs[0]) else ("move", "Copy")
    if isinstance(call, RmsNorm):
        name = "RMSNORM"
    if isinstance(call, Permute) and call.swaps:
        return "transpose", f"Transpose {call.swaps}"
    if isinstance(call, RotaryEmbeddingHf) and call.is_decode_mode:
        return "one_token", name
    for kind, family in FAMILIES:
        if isinstance(call, kind):
            return family, name
    return ("move", name) if call.moves else ("reduction", name)


def _untilize(whole: bool) -> str:
    return "Untilize" if whole else "UntilizeWithUnpadding"


def _sharded(*tensors: Tensor) -> bool:
    return any(tensor.sharding is not Sharding.INTERLEAVED for tensor in tensors)


def _direction(given: Tensor, made: Tensor) -> str:
    """Return the profiler's name of a move between interleaved and sharded memory."""
    if given.sharding is Sharding.INTERLEAVED:
        return "InterleavedToSharded"
    return "ShardedToInterleaved" if made.sharding is Sharding.INTERLEAVED else "Reshard"


def _config(call: Call, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Config:
    """Return the numbers of a call that formulas ask for."""
    found: Config = _share(getattr(call, "program_config", None))
    if isinstance(call, (BinaryCall, Addcmul, Lerp, SnakeBeta)):
        out = outputs[0].logical
        for tensor in inputs[:2]:
            sizes = (*(1,) * (len(out) - len(tensor.logical)), *tensor.logical)
            found["COL_B"] = float(found.get("COL_B", 0) or sizes[-1] < out[-1])
            found["ROW_B"] = float(found.get("ROW_B", 0) or (sizes[-1] == out[-1] and sizes[-2] < out[-2]))
    elif isinstance(call, ATTENDING_CHUNKS):
        chunks = call.program_config
        queries, keys = inputs[0].shape[-2], inputs[1].shape[-2]
        found = {"is_causal": float(isinstance(call, ScaledDotProductAttention) and call.is_causal)}
        found["q_chunk_size"] = getattr(chunks, "q_chunk_size", 0) or min(TILE, queries)
        found["k_chunk_size"] = getattr(chunks, "k_chunk_size", 0) or min(TILE, keys)
    elif isinstance(call, (ScaledDotProductAttentionDecode, PagedScaledDotProductAttentionDecode)):
        found = {"groups": prod(inputs[1].shape[:2]), "key_cores": call.cores_per_head}
        found["k_chunk_size"] = call.program_config.k_chunk_size
    elif isinstance(call, (Conv2d, ConvTranspose2d)):
        found = {"taps": call.taps, "window": call.taps}
    elif isinstance(call, Pool2d):
        found = {"window": prod(call.kernel_size)}
        if call.layout is Sharding.WIDTH_SHARDED:
            found |= {"in_width": 1, "shard_height": inputs[0].rows}
    return found


def _share(stated: object) -> Config:
    """Return the division that the program config of a product states; nothing for others."""
    if not isinstance(stated, ProgramConfig):
        return {}
    if isinstance(stated, MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig):
        return {"by_banks": 1, "in0_block_w": stated.in0_block_w}
    columns, rows = stated.compute_with_storage_grid_size
    found: Config = {"grid_x": columns, "grid_y": rows, "in0_block_w": stated.in0_block_w}
    found |= {"block_rows": stated.block_rows, "block_columns": stated.block_columns}
    if isinstance(stated, MatmulMultiCoreReuseMultiCast1DProgramConfig):
        return found | {"one_dimension": 1, "send_a": stated.mcast_in0}
    return found | {"two_dimensions": 1, "N_block_size": stated.per_core_N}


def _shard(node: Node) -> ShardSpec | None:
    """Return the shards of the first sharded result or operand; None where all is interleaved."""
    call = node.op
    assert isinstance(call, Call)
    memories = (spec_of(value).memory for value in (*node.results, *call.operands()))
    return next((memory.shard for memory in memories if memory.shard is not None), None)


def _sizes(shard: ShardSpec) -> Config:
    height, width = shard.shape
    return {"shard_height": height, "shard_width": width}


def _steps(call: Conv2d, node: Node) -> Config:
    """Return the tiles of a convolution's steps, a row of the kernel each; and the columns of cores of block shards."""
    config, tiles = call.conv_config, tiles_along(call.in_channels)
    found: Config = {"act_block_h_ntiles": config.act_block_h_override // TILE}
    if config.shard_layout is Sharding.BLOCK_SHARDED and config.core_grid is not None:
        columns, shard = config.core_grid.columns, spec_of(node.results[0]).memory.shard
        found |= {"num_cores_c_in": columns, "num_cores_c_out": shard.grid[0] if shard else columns}
        tiles = -(-tiles // columns)
    return found | {"act_block_w_ntiles": call.kernel_size[1] * tiles}


def _grid(call: Call, card: Card) -> tuple[int, int]:
    grid = getattr(call, "core_grid", None)
    return (grid.x, grid.y) if grid is not None else card.grid


def _turned(tensor: Tensor, transposed: bool) -> Tensor:
    if not transposed:
        return tensor
    shape, logical = ((*s[:-2], s[-1], s[-2]) for s in (tensor.shape, tensor.logical))
    return Tensor(shape, logical, tensor.dtype, tensor.layout, tensor.buffer, tensor.sharding)


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """Return two sequences as one, each padded to whole tiles."""
    shape = (*first.shape[:-2], first.shape[-2] + second.shape[-2], first.shape[-1])
    return Tensor(shape, shape, first.dtype, first.layout, first.buffer, first.sharding)


def _of_sequences(call: PagedAttentionCall, pool: Tensor) -> Tensor:
    """Return what a page table takes of a pool, if all blocks of all sequences are read: [B, H, P * S, D]."""
    shape = (call.page_table_tensor.shape[0], pool.shape[1], call.keys, pool.shape[3])
    return Tensor(shape, shape, pool.dtype, pool.layout, pool.buffer, pool.sharding)


def _weights(call: Conv2d | ConvTranspose2d, weights: Tensor) -> Tensor:
    """Return the weights as the product sees them: taps times channels, by result channels."""
    inner = call.taps * round_up(call.in_channels, TILE)
    shape = (1, 1, inner, round_up(call.out_channels, TILE))
    return Tensor(shape, shape, weights.dtype, Layout.TILE, Buffer.DRAM, Sharding.INTERLEAVED)


def _halo(call: Call, first: Work) -> Work:
    """Return the program that gives each core its neighbours' rows."""
    return Work("halo", "halo", first.inputs[:1], first.inputs[:1], first.cores, config=first.config)
