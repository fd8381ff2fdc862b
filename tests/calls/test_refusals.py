"""What calls refuse, one step beyond what they take; and that each refusal of `ttc/calls` is tried."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import traceback
from pathlib import Path

import pytest

import ttc.calls
from tests.ops.written import changed, op_of
from ttc.errors import Refusal

CALLS = Path(ttc.calls.__file__).parent
for module in pkgutil.iter_modules(ttc.calls.__path__):
    importlib.import_module(f"ttc.calls.{module.name}")

X = "bf16[1,1,64,64] tile dram"
GATED = "ttnn.addcmul(input_a=bf16[4,32] tile dram, input_b=bf16[32] tile dram, input_c=bf16[4,32] tile dram)"
SNAKE = "ttnn.snake_beta(input_tensor=bf16[4,32] tile dram, alpha=bf16[32] tile dram, beta=bf16[32] tile dram)"
JOINED = ", ".join(
    f"{side}_tensor_{name}=bf16[1,2,{rows},32] tile dram"
    for side, rows in (("input", 64), ("joint", 13))
    for name in "qkv"
)
CHUNKS = "SDPAProgramConfig(compute_with_storage_grid_size=[8, 8], q_chunk_size=32, k_chunk_size=32)"
TOGETHER = (
    f'ttnn.transformer.joint_scaled_dot_product_attention({JOINED}, joint_strategy="rear", program_config={CHUNKS})'
)
HF = (
    "ttnn.experimental.rotary_embedding_hf(input_tensor=bf16[1,3,33,64] tile dram, "
    "cos_cache=bf16[1,1,33,64] tile dram, "
    "sin_cache=bf16[1,1,33,64] tile dram)"
)
CORE = "bf16[1,1,{},{}] tile l1 height_sharded 1x1 of 32x{}"
TURNED = (
    HF.replace("bf16[1,3,33,64] tile dram", CORE.format(3, 64, 64))
    .replace("bf16[1,1,33,64] tile dram", CORE.format(1, 64, 64))
    .replace(")", ", is_decode_mode=true)")
)
CREATE = (
    "ttnn.experimental.nlp_create_qkv_heads_decode(input_tensor=bf16[1,1,1,256] tile dram, num_heads=4, num_kv_heads=2)"
)
ONE_ROW = (
    f"ttnn.experimental.nlp_concat_heads_decode(input_tensor={CORE.format(4, 32, 32)}, num_heads=4, "
    "sub_core_grids=CoreRectangle(columns=4, rows=1))"
)
FIRST = "ttnn.reshape(input_tensor=bf16[1,1,32,64] tile dram, shape=[1, 1, 3, 64], padded_shape=[1, 1, 32, 64])"
LLAMA = HF.replace("_hf", "_llama").replace(")", ", trans_mat=bf16[1,1,32,32] tile dram)")
ATTEND = (
    "ttnn.transformer.scaled_dot_product_attention(input_tensor_q=bf16[2,4,64,32] tile dram, "
    "input_tensor_k=bf16[2,2,96,32] tile dram, input_tensor_v=bf16[2,2,96,32] tile dram, "
    "attn_mask=bf16[2,1,64,96] tile dram, is_causal=false)"
)
DECODE = (
    "ttnn.transformer.scaled_dot_product_attention_decode(input_tensor_q=bf16[1,2,4,32] tile dram, "
    "input_tensor_k=bf16[2,2,96,32] tile dram, input_tensor_v=bf16[2,2,96,32] tile dram, "
    f"program_config={CHUNKS}, attn_mask=bf16[2,1,4,96] tile dram, is_causal=false)"
)
MORE = "SDPAProgramConfig(compute_with_storage_grid_size=[8, 8], q_chunk_size=32, k_chunk_size={})"
SERVED = (
    "ttnn.transformer.paged_scaled_dot_product_attention_decode(input_tensor_q=bf16[1,3,4,32] tile dram, "
    "input_tensor_k=bf16[6,2,64,32] tile dram, input_tensor_v=bf16[6,2,64,32] tile dram, "
    "page_table_tensor=i32[3,2] row_major dram, cur_pos_tensor=i32[3] row_major dram, "
    f"program_config={CHUNKS})"
)
PROMPT = (
    "ttnn.transformer.chunked_scaled_dot_product_attention(input_tensor_q=bf16[1,4,96,32] tile dram, "
    "input_tensor_k=bf16[6,2,32,32] tile dram, input_tensor_v=bf16[6,2,32,32] tile dram, "
    "page_table_tensor=i32[1,8] row_major dram, chunk_start_idx_tensor=i32[1] row_major dram, scale=0.25, "
    f"program_config={CHUNKS})"
)
SPLIT = (
    "ttnn.transformer.split_query_key_value_and_split_heads(input_tensor=bf16[2,5,256] tile dram, num_heads=4, "
    "num_kv_heads=2)"
)
JOIN = "ttnn.transformer.concatenate_heads(input_tensor=bf16[2,4,5,32] tile dram)"
ADD = "ttnn.add(input_tensor_a=bf16[4,32] tile dram, input_tensor_b=bf16[32] tile dram)"
INTO = "ttnn.add(input_tensor_a=bf16[4,32] tile dram, input_tensor_b=1.0, output_tensor=bf16[4,32] tile l1)"
POW = "ttnn.pow(input_tensor_a=i32[4] tile dram, input_tensor_b=2)"
WHERE = "ttnn.where(predicate=f32[4] tile dram, true_value=f32[4] tile dram, false_value=f32[] tile dram)"
LINEAR = (
    "ttnn.linear(input_tensor_a=bf16[2,4,64] tile dram, input_tensor_b=bf16[64,96] tile dram, "
    'bias=bf16[1,96] tile dram, activation="relu")'
)
PLAIN = LINEAR.replace(', activation="relu"', "")
MATMUL = "ttnn.matmul(input_tensor_a=bf16[2,4,64] tile dram, input_tensor_b=bf16[2,64,96] tile dram)"
EMBED = "ttnn.embedding(input_tensor=u32[2,32] row_major dram, weight=bf16[9,64] row_major dram, layout=TILE)"
GATHER_ONE = "ttnn.gather(input=f32[9] row_major dram, dim=0, index=u32[2] row_major dram)"
GATHER = "ttnn.gather(input=f32[4,9] row_major dram, dim=1, index=u32[4,2] row_major dram)"
SCATTER = (
    "ttnn.scatter(input=f32[4,9] row_major dram, dim=1, index=u32[4,2] row_major dram, src=f32[4,2] row_major dram)"
)
NORM = "ttnn.layer_norm(input_tensor=bf16[4,64] tile dram, weight=bf16[1,64] tile dram)"
RESIDUAL = "ttnn.rms_norm(input_tensor=bf16[4,64] tile dram, residual_input_tensor=bf16[4,64] tile dram)"
SHARDED = (
    "ttnn.rms_norm(input_tensor=bf16[96,256] tile l1 block_sharded 8x3 of 32x32, program_config="
    "LayerNormShardedMultiCoreProgramConfig(compute_with_storage_grid_size=[8, 3], subblock_w=1, block_h=1, "
    "block_w=1, inplace=false))"
)
SLICE = "ttnn.slice(input_tensor=bf16[64,64] tile dram, starts=[32, 0], ends=[64, 64], steps=[1, 1])"
CONCAT = "ttnn.concat(tensors=[bf16[32,64] tile dram, bf16[64,64] tile dram], dim=0)"
PAD = "ttnn.pad(input_tensor=bf16[40,64] tile dram, padding=[[0, 32], [0, 0]], value=0.0)"
CONFIG = (
    "MatmulMultiCoreReuseMultiCastProgramConfig(compute_with_storage_grid_size=[1, 2], in0_block_w=2, "
    "out_subblock_h=1, out_subblock_w=3, per_core_M=1, per_core_N=3, transpose_mcast=false, fused_activation=none)"
)
POOL = (
    "ttnn.max_pool2d(input_tensor=bf16[1,1,64,32] tile dram, batch_size=1, input_h=8, input_w=8, channels=32, "
    "kernel_size=[3, 2], stride=[1, 1], padding=[1, 1, 1, 1], dilation=[1, 1], ceil_mode=false, "
    "memory_config=MemoryConfig(), dram_slice_config=Op2DSliceConfig(slice_type=L1Full), "
    "applied_shard_scheme=HEIGHT_SHARDED)"
)
AVERAGE = (
    "ttnn.avg_pool2d(input_tensor=bf16[1,1,98,32] tile dram, batch_size=2, input_h=7, input_w=7, channels=32, "
    "kernel_size=[7, 7], stride=[7, 7], padding=[0, 0, 0, 0], memory_config=MemoryConfig(), "
    "dram_slice_config=Op2DSliceConfig(slice_type=L1Full), applied_shard_scheme=WIDTH_SHARDED)"
)
GEOMETRY = (
    "in_channels=32, out_channels=64, batch_size=1, input_height=8, input_width=8, kernel_size=[3, 3], stride=[1, 1], "
    "padding=[1, 1, 1, 1], dilation=[1, 1], groups=1, conv_config=Conv2dConfig(shard_layout=HEIGHT_SHARDED)"
)
CONV = (
    f"ttnn.conv2d({GEOMETRY}, input_tensor=bf16[1,1,64,32] tile dram, "
    "weight_tensor=bf16[1,1,288,64] tile dram padded [1,1,288,64], memory_config=MemoryConfig())"
)
PREPARE = (
    f"ttnn.prepare_conv_weights({GEOMETRY}, weight_tensor=f32[64,32,3,3] row_major host, "
    'input_memory_config=MemoryConfig(), input_layout=TILE, weights_format="OIHW", has_bias=true, input_dtype=bf16)'
)
BIAS = (
    f"ttnn.prepare_conv_bias({GEOMETRY}, bias_tensor=f32[1,1,1,64] row_major host, "
    "input_memory_config=MemoryConfig(), input_layout=TILE, input_dtype=bf16)"
)
TRANSPOSED = (
    f"ttnn.prepare_conv_transpose2d_weights({GEOMETRY}, output_padding=[0, 0], "
    "weight_tensor=f32[32,64,3,3] row_major host, "
    'input_memory_config=MemoryConfig(), input_layout=TILE, weights_format="IOHW", has_bias=true, input_dtype=bf16)'
)
FILL = "ttnn.fill_cache(cache=bf16[4,1,32,32] tile dram, input=bf16[1,1,32,32] tile dram, batch_idx=3)"

REFUSED = [
    (SERVED, "cur_pos_tensor=i32[3] tile dram", "a table of integers is in TILE layout"),
    (SERVED, "page_table_tensor=i32[3,2] row_major l1", "k, v and tables of integers must be in DRAM"),
    (SERVED, "input_tensor_v=bf16[6,2,32,32] tile dram",
     "q [1, 3, 4, 32], k [6, 2, 64, 32] and v [6, 2, 32, 32] do not fit"),
    (SERVED, "input_tensor_q=bf16[1,3,5,32] tile dram",
     "q [1, 3, 5, 32], k [6, 2, 64, 32] and v [6, 2, 64, 32] do not fit"),
    (SERVED, "input_tensor_k=bf16[6,2,48,32] tile dram, input_tensor_v=bf16[6,2,48,32] tile dram",
     "heads of 32 and blocks of 48 must be multiples of the tile (32)"),
    (SERVED, "page_table_tensor=i32[2,2] row_major dram", "[2, 2] and [3] are no tables of 3 sequences"),
    (SERVED, "page_table_tensor=i32[4,2] row_major dram", "[4, 2] and [3] are no tables of 3 sequences"),
    (SERVED, "cur_pos_tensor=i32[2] row_major dram", "[3, 2] and [2] are no tables of 3 sequences"),
    (SERVED, "input_tensor_q=bf16[2,3,4,32] tile dram",
     "q [2, 3, 4, 32] is not one query of each sequence that sees the rows before"),
    (SERVED, "is_causal=false", "q [1, 3, 4, 32] is not one query of each sequence that sees the rows before"),
    (SERVED, "input_tensor_q=bf16[1,3,4,32] tile l1", "q must be in DRAM, or one sequence's heads on one core"),
    (SERVED, "input_tensor_q=bf16[1,3,66,32] tile dram", "66 heads are 3 rows of tiles, no power of two"),
    (SERVED, f"program_config={MORE.format(96)}", "chunks of 96 keys are no power of two of at least a tile (32)"),
    (SERVED.replace("[1,3,", "[1,64,").replace("[3", "[64"), "input_tensor_q=bf16[1,65,4,32] tile dram, "
     "page_table_tensor=i32[65,2] row_major dram, cur_pos_tensor=i32[65] row_major dram",
     "65 sequences are more than 64 cores"),
    (PROMPT, "input_tensor_q=bf16[2,4,96,32] tile dram",
     "q [2, 4, 96, 32] is not of one sequence"),
    (PROMPT, "page_table_tensor=i32[1,9] row_major dram", "a page table of 9 entries: no multiple of 8"),
    (PROMPT, "input_tensor_q=bf16[1,4,257,32] tile dram", "257 queries are more than 256 rows"),
    (PROMPT, "scale=0.3", "the scale 0.3 is no number of fp32"),
    (PROMPT, "program_config=" + CHUNKS.replace("q_chunk_size=32", "q_chunk_size=16"), "chunks of 16 keys"),
    # what a call takes, which fields to change, what it says of that
    (ATTEND, "input_tensor_q=bf16[4,64,32] tile dram", "attention takes rank 4, got [4, 64, 32]"),
    (ATTEND, "input_tensor_q=f32[2,4,64,32] tile dram", "q, k and v is f32; accepted are"),
    (ATTEND, "input_tensor_q=bf16[2,4,64,32] row_major dram", "q, k and v is in ROW_MAJOR layout; accepted is TILE"),
    (ATTEND, "input_tensor_v=bf16[2,2,96,64] tile dram", "q [2, 4, 64, 32], k [2, 2, 96, 32] and v [2, 2, 96, 64] do"),
    (ATTEND, "input_tensor_q=bf16[1,4,64,32] tile dram", "q [1, 4, 64, 32], k [2, 2, 96, 32] and v [2, 2, 96, 32] do"),
    (ATTEND, "input_tensor_q=bf16[2,3,64,32] tile dram", "q [2, 3, 64, 32], k [2, 2, 96, 32] and v [2, 2, 96, 32] do"),
    (ATTEND, "input_tensor_q=bf16[2,4,64,64] tile dram", "q [2, 4, 64, 64], k [2, 2, 96, 32] and v [2, 2, 96, 32] do"),
    (ATTEND, "input_tensor_q=bf16[2,4,64,33] tile dram, input_tensor_k=bf16[2,2,96,33] tile dram, "
     "input_tensor_v=bf16[2,2,96,33] tile dram", "head dim 33 is no multiple of the tile (32)"),
    (ATTEND, "is_causal=true", "causal attention takes no mask, and as many keys as queries"),
    (ATTEND.replace("attn_mask=bf16[2,1,64,96] tile dram, ", "").replace("[2,4,64,32]", "[2,4,96,32]").replace(
        "false", "true"), "input_tensor_q=bf16[2,4,64,32] tile dram", "causal attention takes no mask, and as many"),
    (ATTEND, "attn_mask=bf16[2,1,64,96] tile l1", "the mask must be in DRAM"),
    (ATTEND, "attn_mask=bf16[2,2,64,96] tile dram", "the mask [2, 2, 64, 96] does not fit scores [2, 4, 64, 96]"),
    (ATTEND, "attn_mask=bf16[3,1,64,96] tile dram", "the mask [3, 1, 64, 96] does not fit scores [2, 4, 64, 96]"),
    (ATTEND, "attn_mask=bf16[2,1,1,96] tile dram", "the mask [2, 1, 1, 96] does not fit scores [2, 4, 64, 96]"),
    (ATTEND, "attn_mask=bf16[1,64,96] tile dram", "the mask [1, 64, 96] does not fit scores [2, 4, 64, 96]"),
    (DECODE, "input_tensor_q=bf16[2,4,32] tile dram", "attention takes rank 4, got [2, 4, 32]"),
    (DECODE, "input_tensor_v=bf16[2,2,96,32] tile l1", "k and v must be in DRAM, and q too or on one core"),
    (DECODE, "input_tensor_q=bf16[1,2,4,32] tile l1", "k and v must be in DRAM, and q too or on one core"),
    (TURNED, "input_tensor=bf16[1,1,3,64] tile l1", "in decode mode heads [1, 1, H, D] of one token"),
    (TURNED, "cos_cache=bf16[1,1,1,64] tile l1", "in decode mode heads [1, 1, H, D] of one token"),
    (TURNED, "memory_config=MemoryConfig(buffer=L1)", "in decode mode heads [1, 1, H, D] of one token"),
    (TURNED, f"sin_cache={CORE.format(2, 64, 64)}", "cos_cache [1, 1, 1, 64] and sin_cache [1, 1, 2, 64] must be"),
    (CREATE, "input_tensor=bf16[1,1,2,256] tile dram", "[1, 1, 2, 256] is no row of 4 + 2 * 2 heads"),
    (CREATE, "input_tensor=bf16[1,1,256] tile dram", "[1, 1, 256] is no row of 4 + 2 * 2 heads"),
    (CREATE, "num_kv_heads=3", "[1, 1, 1, 256] is no row of 4 + 2 * 3 heads"),
    (CREATE, "input_tensor=bf16[1,1,1,320] tile dram", "head dim 40 is no multiple of the tile (32)"),
    (CREATE, "input_tensor=bf16[1,1,1,256] tile l1 block_sharded 1x1 of 32x256",
     "the row is in l1 block_sharded 1x1 of 32x256; accepted are"),
    (CREATE, "memory_config=MemoryConfig(buffer=L1)", "the heads of one token lie in height shards"),
    (ONE_ROW, "input_tensor=bf16[1,1,4,32] tile l1", "bf16[1,1,4,32] tile l1 is not 4 heads [1, 1, H, D]"),
    (ONE_ROW, "num_heads=3", f"{CORE.format(4, 32, 32)} is not 3 heads [1, 1, H, D]"),
    (ONE_ROW, "sub_core_grids=CoreRectangle(columns=4, rows=2)", "4 heads are not joined on 4 x 2 cores"),
    (DECODE, "input_tensor_v=bf16[2,2,64,32] tile dram", "q [1, 2, 4, 32], k [2, 2, 96, 32] and v [2, 2, 64, 32] do"),
    (DECODE, "input_tensor_q=bf16[2,2,4,32] tile dram", "q [2, 2, 4, 32], k [2, 2, 96, 32] and v [2, 2, 96, 32] do"),
    (DECODE, "input_tensor_q=bf16[1,3,4,32] tile dram", "q [1, 3, 4, 32], k [2, 2, 96, 32] and v [2, 2, 96, 32] do"),
    (DECODE, "input_tensor_q=bf16[1,2,4,64] tile dram", "q [1, 2, 4, 64], k [2, 2, 96, 32] and v [2, 2, 96, 32] do"),
    (DECODE, "input_tensor_q=bf16[1,2,3,32] tile dram", "q [1, 2, 3, 32], k [2, 2, 96, 32] and v [2, 2, 96, 32] do"),
    (DECODE, "input_tensor_q=bf16[1,2,4,33] tile dram, input_tensor_k=bf16[2,2,96,33] tile dram, "
     "input_tensor_v=bf16[2,2,96,33] tile dram", "head dim 33 is no multiple of the tile (32)"),
    (DECODE, "input_tensor_q=bf16[1,2,66,32] tile dram", "66 heads are 3 rows of tiles, no power of two"),
    (DECODE, "is_causal=true", "causal attention of one query needs positions"),
    (DECODE, f"program_config={MORE.format(16)}", "chunks of 16 keys are no power of two that divides 96"),
    (DECODE, f"program_config={MORE.format(96)}", "chunks of 96 keys are no power of two that divides 96"),
    (DECODE, f"program_config={MORE.format(64)}", "chunks of 64 keys are no power of two that divides 96"),
    (DECODE, f"program_config={MORE.format(32).replace('[8, 8]', '[1, 1]')}", "2 sequences are more than 1 cores"),
    (DECODE, "attn_mask=bf16[2,1,1,96] tile dram", "the mask [2, 1, 1, 96] does not fit scores [2, 1, 4, 96]"),
    (DECODE, "attn_mask=bf16[3,1,4,96] tile dram", "the mask [3, 1, 4, 96] does not fit scores [2, 1, 4, 96]"),
    (DECODE, "attn_mask=bf16[1,4,96] tile dram", "the mask [1, 4, 96] does not fit scores [2, 1, 4, 96]"),
    (SPLIT, "input_tensor=bf16[1,2,5,256] tile dram", "[1, 2, 5, 256] does not split into 4 + 2 * 2 heads"),
    (SPLIT, "input_tensor=bf16[2,5,257] tile dram", "[2, 5, 257] does not split into 4 + 2 * 2 heads"),
    (SPLIT, "num_kv_heads=3", "[2, 5, 256] does not split into 4 + 2 * 3 heads"),
    (SPLIT, "input_tensor=bf16[2,5,264] tile dram", "head dim 33 is no multiple of the tile (32)"),
    (JOIN, "input_tensor=bf16[2,4,5,33] tile dram", "heads to join are [B, H, S, D] with D a multiple of 32, got"),
    (JOIN, "input_tensor=bf16[4,5,32] tile dram", "heads to join are [B, H, S, D] with D a multiple of 32, got"),
    (INTO, "output_tensor=bf16[4,64] tile l1", "a result bf16[4,32] tile dram cannot go into a tensor bf16[4,64] tile"),
    (INTO, "output_tensor=f32[4,32] tile l1", "a result bf16[4,32] tile dram cannot go into a tensor f32[4,32] tile"),
    (INTO, "output_tensor=bf16[4,32] row_major l1", "a result bf16[4,32] tile dram cannot go into a tensor"),
    (INTO, "input_tensor_a=bf16[4,32] row_major dram, output_tensor=bf16[4,32] row_major l1",
     "a result bf16[4,32] row_major dram cannot go into a tensor"),
    ("ttnn.multiply(input_tensor_a=bf16[4] tile dram, input_tensor_b=2.0)",
     "input_tensor_a=2.0, input_tensor_b=bf16[4] tile dram",
     "ttnn.multiply takes no number in that place"),
    ("ttnn.add(input_tensor_a=1.0, input_tensor_b=bf16[4] tile dram)", "input_tensor_b=1.0", "ttnn.add needs a tensor"),
    (ADD, "input_tensor_b=u8[32] tile dram", "an operand is u8; accepted are"),
    (ADD, "input_tensor_b=i32[32] tile dram", "ttnn.add cannot mix bf16 and i32"),
    (ADD, "input_tensor_b=bf16[31] tile dram", "shapes [4, 32] and [31] do not broadcast"),
    (ADD, "input_tensor_b=bf16[32] row_major dram", "operands are in different layouts"),
    ("ttnn.add(input_tensor_a=i32[4] tile dram, input_tensor_b=2147483647)", "input_tensor_b=2147483648",
     "a tensor of i32 cannot hold the number 2147483648"),
    ("ttnn.add(input_tensor_a=i32[4] tile dram, input_tensor_b=-2147483648)", "input_tensor_b=-2147483649",
     "a tensor of i32 cannot hold the number -2147483649"),
    ("ttnn.add(input_tensor_a=i32[4] tile dram, input_tensor_b=2.0)", "input_tensor_b=2.5",
     "a tensor of i32 cannot hold the number 2.5"),
    ("ttnn.clamp(input_tensor=i32[4] tile dram, min=1)", "min=1.0", "integers are clamped by integers"),
    ("ttnn.reshape(input_tensor=f32[1,82944] row_major dram, shape=[16, 5184])",
     "input_tensor=f32[1,83456] row_major dram, shape=[16, 5216]",
     "reshaping [1, 83456] to [16, 5216] needs rows that do not fit into L1"),
    ("ttnn.reshape(input_tensor=f32[1,163110] row_major dram, shape=[10, 16311])",  # rows that are not aligned
     "input_tensor=f32[1,164310] row_major dram, shape=[10, 16431]",
     "reshaping [1, 164310] to [10, 16431] needs rows that do not fit into L1"),
    ("ttnn.reshape(input_tensor=f32[250,675] row_major dram, shape=[1, 168750])",
     "input_tensor=f32[250,684] row_major dram, shape=[1, 171000]",
     "reshaping [250, 684] to [1, 171000] needs rows that do not fit into L1"),
    ("ttnn.reshape(input_tensor=f32[3,114340] row_major dram, shape=[5, 68604])",  # no row is whole rows
     "input_tensor=f32[3,134340] row_major dram, shape=[5, 80604]",
     "reshaping [3, 134340] to [5, 80604] needs rows that do not fit into L1"),
    (POW, "input_tensor_b=i32[4] tile dram", "an integer tensor cannot be raised to a tensor"),
    (POW.replace("=2)", "=0)"), "input_tensor_b=-1", "an integer tensor cannot be raised to a negative number"),
    (POW, "input_tensor_a=i32[4] row_major dram", "an integer tensor must be in TILE layout to be raised to a number"),
    (WHERE, "predicate=f32[4] row_major dram, true_value=f32[4] row_major dram, false_value=f32[] row_major dram",
     "where with three tensors runs in TILE layout"),
    (WHERE, "false_value=bf16[] tile dram", "where takes operands of one dtype"),
    (LINEAR, "bias=bf16[1,95] tile dram", "the bias [1, 95] does not hold 96 elements"),
    (LINEAR, 'activation="swish"', "linear knows no activation 'swish'"),
    (
        LINEAR,
        "memory_config=MemoryConfig(buffer=L1, sharding=BLOCK_SHARDED, shard=ShardSpec(grid=[1, 1], shape=[64, 96]))",
        "a product of tensors in shards must state its program config",
    ),
    (
        PLAIN,
        f"input_tensor_b=bf16[64,96] tile l1 width_sharded 3x1 of 64x32, program_config={CONFIG}",
        "a product by blocks reads weights that are interleaved, or in columns over banks of DRAM",
    ),
    (LINEAR, f'program_config={CONFIG}, activation="relu"', "a program config holds the grid and the activation"),
    (
        PLAIN,
        f"input_tensor_b=bf16[96,64] tile dram, transpose_b=true, program_config={CONFIG}",
        "a product by a program config takes a matrix as second operand, and transposes nothing",
    ),
    (
        PLAIN,
        "program_config=" + CONFIG.replace("none", 'UnaryWithParam(op_type="GELU", param=1.0)'),
        "linear knows no activation 'GELU' with that number",
    ),
    (MATMUL, "input_tensor_b=bf16[64] tile dram", "matmul needs at least 2 dimensions, got [2, 4, 64] and [64]"),
    (MATMUL, "input_tensor_b=bf16[2,63,96] tile dram", "inner sizes differ: 64 and 63"),
    (MATMUL, "transpose_b=true", "inner sizes differ: 64 and 96"),
    (MATMUL, "transpose_a=true", "inner sizes differ: 4 and 64"),
    (MATMUL, "input_tensor_b=bf16[3,64,96] tile dram", "matmul cannot broadcast batches [2] and [3]"),
    (MATMUL, "input_tensor_b=bf16[1,2,64,96] tile dram", "matmul cannot broadcast batches [2] and [1, 2]"),
    (EMBED, "input_tensor=u32[1,2,32] row_major dram", "embedding takes an index of rank 1 or 2 and a table of rank 2"),
    (EMBED, "weight=bf16[1,9,64] row_major dram", "embedding takes an index of rank 1 or 2 and a table of rank 2"),
    (EMBED, "input_tensor=u32[2,31] row_major dram",
     "embedding makes whole tiles only, without another device program"),
    (EMBED, "weight=bf16[9,63] row_major dram", "embedding makes whole tiles only, without another device program"),
    (EMBED, "weight=f32[9,64] row_major dram", "the table is f32; accepted are bf16"),
    (EMBED, "input_tensor=i32[2,32] row_major dram", "the index is i32; accepted are u32"),
    (GATHER_ONE, "index=u32[1] row_major dram", "[9] and [1]: TTNN takes one number alone for a scalar"),
    (GATHER_ONE, "input=f32[1] row_major dram", "[1] and [2]: TTNN takes one number alone for a scalar"),
    (GATHER, "dim=0", "ttc gathers and scatters along the last dimension, not 0 of 2"),
    (GATHER, "index=u32[3,2] row_major dram", "the index [3, 2] does not cover the rows of [4, 9]"),
    (SCATTER, "src=f32[4,3] row_major dram", "src [4, 3] does not fit the index [4, 2]"),
    (SCATTER, "src=bf16[4,2] row_major dram", "src is bf16; accepted are f32"),
    ("ttnn.to_layout(tensor=bfp8[32,32] tile dram, layout=TILE)".replace("bfp8", "bf16").replace("=TILE", "=ROW_MAJOR"),
     "tensor=bfp8[32,32] tile dram", "bfp8 exists in TILE layout only"),
    ("ttnn.to_layout(tensor=u16[32,32] row_major dram, layout=TILE)", "tensor=u8[32,32] row_major dram",
     "u8 cannot be brought into TILE layout on the device"),
    ("ttnn.to_layout(tensor=u16[32,32] row_major dram, layout=TILE)", "layout=ROW_MAJOR",
     "the tensor is in ROW_MAJOR layout already"),
    ("ttnn.typecast(input_tensor=f32[32,32] tile dram, dtype=bfp8)", "input_tensor=f32[32,32] row_major dram",
     "block formats exist in TILE layout only"),
    ("ttnn.bitcast(input_tensor=f32[32] tile dram, dtype=i32)", "dtype=bf16",
     "bitcast takes 32-bit dtypes, got f32 and bf16"),
    ("ttnn.bitcast(input_tensor=f32[32] tile dram, dtype=i32)", "input_tensor=bf16[32] tile dram",
     "bitcast takes 32-bit dtypes, got bf16 and i32"),
    (NORM, "weight=bf16[1,63] tile dram", "weight and bias must hold 64 elements, got [1, 63]"),
    (NORM, "weight=bf16[64,1] tile dram", "weight and bias must hold 64 elements, got [64, 1]"),
    (NORM, "weight=bf16[2,64] tile dram", "weight and bias must hold 64 elements, got [2, 64]"),
    (NORM, "bias=bf16[32] tile dram", "weight and bias must hold 64 elements, got [32]"),
    (RESIDUAL, "residual_input_tensor=bf16[1,64] tile dram", "the residual [1, 64] must have the shape of the input"),
    (SHARDED, "input_tensor=bf16[96,256] tile dram", "the program config of a norm is for shards"),
    (SHARDED, "residual_input_tensor=bf16[96,256] tile dram",
     "operands and result of a norm of shards lie in one memory"),
    (SHARDED, "input_tensor=bf16[96,256] tile l1 block_sharded 4x3 of 32x64", "a norm of these shards must state"),
    (SHARDED, "input_tensor=bf16[96,250] tile l1 block_sharded 8x3 of 32x32",
     "the rows of a norm of shards are whole tiles, not 250 elements"),
    (SHARDED, "input_tensor=bf16[96,256] tile l1 height_sharded 3x1 of 32x256",
     "a norm takes shards by blocks or by columns only"),
    ("ttnn.softmax(input_tensor=bf16[4,64] tile dram, dim=1)", "dim=2", "dim 2 is not in a tensor of rank 2"),
    ("ttnn.softmax(input_tensor=bf16[4,64] tile dram, dim=0)", "dim=-1", "dim -1 is not in a tensor of rank 2"),
    ("ttnn.argmax(input_tensor=i32[4,64] row_major dram, dim=1)", "dim=0",
     "argmax of integers runs along the last dimension only"),
    ("ttnn.topk(input_tensor=bf16[4,64] tile dram, k=64, dim=1)", "k=65", "topk cannot take 65 of 64 elements"),
    ("ttnn.topk(input_tensor=bf16[4,64] tile dram, k=1, dim=1)", "k=0", "topk cannot take 0 of 64 elements"),
    ("ttnn.prod(input_tensor=bf16[4,64] tile dram, dim=1)", "dim=2", "dims [2] are not in a tensor of rank 2"),
    ("ttnn.prod(input_tensor=bf16[4,64] tile dram, dim=0)", "dim=-1", "dims [-1] are not in a tensor of rank 2"),
    ("ttnn.expand(input_tensor=bf16[1,64] row_major dram, output_shape=[3, 64])", "output_shape=[3, 65]",
     "[1, 64] does not expand to [3, 65]"),
    ("ttnn.expand(input_tensor=bf16[1,64] row_major dram, output_shape=[3, 64])", "output_shape=[64]",
     "[1, 64] does not expand to [64]"),
    ("ttnn.expand(input_tensor=bf16[1,64] row_major dram, output_shape=[3, 64])",
     "input_tensor=bf16[1,64] tile dram", "in TILE layout ttc repeats whole tiles only"),
    ("ttnn.repeat(input_tensor=bf16[2,1,64] tile dram, repeat_dims=[3, 1, 1])", "repeat_dims=[1, 3, 1]",
     "in TILE layout ttc repeats whole tiles only"),
    (FIRST, "shape=[1, 3, 1, 64]", "[1, 3, 1, 64] is not the first rows of [1, 1, 32, 64] in the same tiles"),
    (FIRST, "padded_shape=[1, 1, 64, 64]", "[1, 1, 3, 64] is not the first rows of [1, 1, 32, 64] in the same tiles"),
    (FIRST, "input_tensor=bf16[1,1,32,64] row_major dram", "[1, 1, 3, 64] is not the first rows of [1, 1, 32, 64]"),
    (FIRST, "memory_config=MemoryConfig(buffer=L1)", "[1, 1, 3, 64] is not the first rows of [1, 1, 32, 64]"),
    (FIRST, "input_tensor=bf16[1,1,64,64] tile dram, padded_shape=[1, 1, 64, 64]", "3 rows do not fill the tiles of"),
    (FIRST, "input_tensor=bf16[1,1,2,64] tile dram", "3 rows do not fill the tiles of 2"),
    ("ttnn.reshape(input_tensor=bf16[4,64] tile dram, shape=[64, 4])", "shape=[64, 5]", "cannot reshape [4, 64] to"),
    ("ttnn.reshape(input_tensor=bf16[4,64] tile dram, shape=[64, 4])", "shape=[-64, -4]", "cannot reshape [4, 64] to"),
    ("ttnn.permute(input_tensor=bf16[4,64] tile dram, dims=[1, 0])", "dims=[1, 1]", "dims [1, 1] do not permute"),
    (SLICE, "starts=[32, 64]", "the slice 64:64:1 is empty or out of range for 64 elements"),
    (SLICE, "starts=[-1, 0]", "the slice -1:64:1 is empty or out of range for 64 elements"),
    (SLICE, "ends=[65, 64]", "the slice 32:65:1 is empty or out of range for 64 elements"),
    (SLICE, "steps=[0, 1]", "the slice 32:64:0 is empty or out of range for 64 elements"),
    (SLICE, "starts=[31, 0]", "in TILE layout ttc slices whole tiles only"),
    (SLICE, "steps=[1, 2]", "in TILE layout ttc slices whole tiles only"),
    (CONCAT, "tensors=[bf16[32,64] tile dram, f32[64,64] tile dram]", "concat takes one dtype, got bf16 and f32"),
    (CONCAT, "tensors=[bf16[32,64] tile dram, bf16[64,32] tile dram]",
     "[64, 32] does not fit [32, 64] along dimension 0"),
    (CONCAT, "tensors=[bf16[32,64] tile dram, bf16[1,64,64] tile dram]", "[1, 64, 64] does not fit [32, 64] along"),
    (CONCAT, "tensors=[bf16[31,64] tile dram, bf16[64,64] tile dram]", "in TILE layout ttc concatenates whole tiles"),
    (PAD, "padding=[[0, 32]]", "1 pairs do not pad [40, 64]"),
    (PAD, "padding=[[1, 32], [0, 0]]", "in TILE layout pad adds at the end only"),
    (PAD, "value=1.0", "in TILE layout ttc pads with 0 only"),
    (PAD.replace("0.0)", "0.0, memory_config=MemoryConfig(buffer=L1))").replace("[0, 32]", "[0, 25]"),
     "padding=[[0, 24], [0, 0]]", "a pad within the last tiles stays in the operand's memory"),
    (POOL, "input_tensor=bf16[1,1,63,32] tile dram", "input_tensor must be [1, 1, 64, 32], got"),
    (POOL, "memory_config=none", "a pool must state its result's memory, its shard layout and its slices"),
    (POOL, "dram_slice_config=none", "a pool must state its result's memory, its shard layout and its slices"),
    (POOL, "applied_shard_scheme=none", "a pool must state its result's memory, its shard layout and its slices"),
    (
        POOL,
        "input_tensor=bf16[1,1,64,32] tile l1 height_sharded 2x1 of 32x32",
        "a pool of an operand in shards works in their layout, and states none",
    ),
    (POOL, "stride=[0, 2]", "a window of (3, 2) cannot have stride (0, 2), dilation (1, 1)"),
    (POOL, "dilation=[1, -1]", "a window of (3, 2) cannot have stride"),
    (POOL, "kernel_size=[3, 0]", "a window of (3, 0) cannot have stride"),
    (POOL, "padding=[1, 1, 2, 1]", "padding [1, 1, 2, 1] is more than half of the kernel [3, 2]"),
    (POOL, "padding=[1, 2, 1, 1]", "padding [1, 2, 1, 1] is more than half of the kernel [3, 2]"),
    (AVERAGE, "kernel_size=[7, 6]", "an average is of whole images of [7, 7] pixels, got windows of [7, 6] with"),
    (AVERAGE, "padding=[0, 0, 0, 1]", "an average is of whole images of [7, 7] pixels, got windows of [7, 7] with"),
    (
        AVERAGE,
        "dram_slice_config=Op2DSliceConfig(slice_type=DRAMSliceHeight)",
        "an average of whole images has no slices",
    ),
    (
        AVERAGE.replace("=bf16[1,1,98,32] tile dram", "=bfp8[1,1,98,32] tile l1 width_sharded 1x1 of 128x32").replace(
            ", applied_shard_scheme=WIDTH_SHARDED", ""
        ),
        "input_tensor=bf16[1,1,98,32] tile l1 width_sharded 1x1 of 128x32",
        "TTNN takes an operand of bf16 out of shards before an average: state a shard layout",
    ),
    ("ttnn.upsample(input_tensor=bf16[1,4,4,32] row_major dram, scale_factor=[2, 2])",
     "input_tensor=bf16[4,4,32] row_major dram", "upsample takes [N, H, W, C], got"),
    (GATED, "input_b=f32[4,32] tile dram", "addcmul takes operands of one dtype, got bf16 and f32"),
    (GATED, "input_c=bf16[1,32] tile dram", "addcmul takes tensors of one shape, and rows for the first"),
    (GATED, "input_b=bf16[4,1] tile dram", "addcmul takes tensors of one shape, and rows for the first"),
    (GATED, "input_b=bf16[1] tile dram", "addcmul takes tensors of one shape, and rows for the first"),
    (GATED, "input_a=bf16[4,1] tile dram", "addcmul takes tensors of one shape, and rows for the first"),
    (GATED, "input_a=bf16[2,4,32] tile dram", "addcmul takes tensors of one shape, and rows for the first"),
    (SNAKE, "beta=f32[32] tile dram", "snake_beta takes operands of one dtype, got bf16 and f32"),
    (SNAKE, "beta=bf16[1,32] tile dram", "snake_beta takes a tensor of two dimensions or more"),
    (SNAKE, "alpha=bf16[4,1] tile dram, beta=bf16[4,1] tile dram",
     "snake_beta takes a tensor of two dimensions or more"),
    (SNAKE, "input_tensor=bf16[32] tile dram", "snake_beta takes a tensor of two dimensions or more"),
    (TOGETHER, "input_tensor_k=bf16[1,2,64,32] tile l1", "q, k and v must be in DRAM"),
    (TOGETHER, "scale=0.3", "the scale 0.3 is no number of float32"),
    (TOGETHER, "input_tensor_q=bf16[1,3,64,32] tile dram, input_tensor_k=bf16[1,3,64,32] tile dram, "
               "input_tensor_v=bf16[1,3,64,32] tile dram", "the joint tensors [1, 2, 13, 32] do not fit"),
    (TOGETHER, ", ".join(f"{side}_tensor_{name}=bf16[1,2,64,40] tile dram" for side in ("input", "joint")
                         for name in "qkv"), "head dim 40 is no multiple of the tile (32)"),
    (TOGETHER, "joint_tensor_v=bf16[1,2,12,32] tile dram", "q, k and v must share a shape of rank 4, got"),
    (TOGETHER, "joint_strategy=\"front\"", "no joint strategy is called 'front'"),
    (HF, "input_tensor=bf16[1,3,33,96] tile dram, cos_cache=bf16[1,1,33,96] tile dram, "
         "sin_cache=bf16[1,1,33,96] tile dram", "rows of 96 elements have no halves of whole tiles"),
    (HF, "cos_cache=bf16[1,1,34,64] tile dram", "cos_cache [1, 1, 34, 64] and sin_cache [1, 1, 33, 64] must be"),
    (HF, "sin_cache=bf16[1,3,33,64] tile dram", "cos_cache [1, 1, 33, 64] and sin_cache [1, 3, 33, 64] must be"),
    (HF, "input_tensor=bf16[3,33,64] tile dram", "heads to rotate are [B, H, S, D] with D a multiple of 32, got"),
    (LLAMA, "input_tensor=bf16[1,3,33,40] tile dram", "heads to rotate are [B, H, S, D] with D a multiple of 32, got"),
    (LLAMA, "trans_mat=bf16[32,32] tile dram", "trans_mat must be one tile [1, 1, 32, 32], got [32, 32]"),
    ("ttnn.lerp(input=f32[4] tile dram, end=f32[4] tile dram, weight=f32[4] tile dram)", "weight=f32[1] tile dram",
     "lerp takes operands of one type, got"),
    ("ttnn.lerp(input=f32[4] tile dram, end=f32[4] tile dram, weight=f32[4] tile dram)", "end=bf16[4] tile dram",
     "lerp takes operands of one type, got"),
    (CONV, "conv_config=Conv2dConfig()", "a convolution must state height shards, or block shards and their grid"),
    (CONV, "conv_config=Conv2dConfig(shard_layout=BLOCK_SHARDED)", "a convolution must state height shards, or block"),
    (CONV, "input_tensor=bf16[1,1,63,32] tile dram", "input_tensor must be [1, 1, 64, 32], got"),
    (CONV, "weight_tensor=bf16[1,1,288,65] tile dram", "a weight is prepared as bf16[1,1,288,65] tile dram, but this"),
    (CONV, "memory_config=none", "a convolution must state its result's memory"),
    (PREPARE, "weight_tensor=f32[64,32,3,2] row_major host", "weight_tensor must be [64, 32, 3, 3] on the host, got"),
    (PREPARE, "weight_tensor=f32[64,32,3,3] row_major dram", "weight_tensor must be [64, 32, 3, 3] on the host, got"),
    (PREPARE, "slice_config=Op2DSliceConfig(slice_type=L1Full, num_slices=2)",
     "an op that runs whole has no slices, got 2"),
    (PREPARE, "slice_config=Op2DSliceConfig(slice_type=DRAMSliceHeight, num_slices=9)",
     "9 slices along the height of 8 x 8 pixels: 1 to 8 exist"),
    (PREPARE, "slice_config=Op2DSliceConfig(slice_type=DRAMSliceWidth, num_slices=2)",
     "2 slices along the width of 8 x 8 pixels: 1 to 1 exist"),
    (PREPARE, "slice_config=Op2DSliceConfig(slice_type=DRAMSliceHeight)", "0 slices along the height"),
    (BIAS, "conv_config=Conv2dConfig(weights_dtype=bfp8)",
     "a convolution's bias cannot be prepared as bfp8"),
    (TRANSPOSED.replace("padding=[1, 1, 1, 1]", "padding=[2, 2, 2, 2]"), "padding=[2, 3, 2, 2]",
     "a transposed convolution cannot cut off 3 where its kernel reaches 2"),
    (TRANSPOSED.replace("in_channels=32", "in_channels=58240").replace("[32,64,3,3]", "[58240,64,3,3]"),
     "in_channels=58272, weight_tensor=f32[58272,64,3,3] row_major host",
     "TTNN does not finish preparing a weight of 9 taps x 58272 channels"),
    (TRANSPOSED, "in_channels=65536, weight_tensor=f32[65536,64,3,3] row_major host",
     "TTNN does not finish preparing a weight of 9 taps x 65536 channels"),
    (FILL, "input=f32[1,1,32,32] tile dram", "fill_cache takes one dtype, got bf16 and f32"),
    (FILL, "input=bf16[1,1,32,64] tile dram", "[1, 1, 32, 64] is no entry of a cache [4, 1, 32, 32]"),
    (FILL, "batch_idx=4", "the cache [4, 1, 32, 32] has no entry 4"),
    (FILL, "batch_idx=-1", "the cache [4, 1, 32, 32] has no entry -1"),
]  # fmt: skip

ELSEWHERE = {
    "bank_product.py": "weights over the banks of DRAM: tests/calls/test_bank_product.py",
    "column_product.py": "columns shared out over cores: tests/calls/test_column_product.py",
    "cache.py": "rows that are written into caches, by views and shards: tests/calls/test_cache.py",
    "host.py": "what a host op takes and gives: tests/test_host.py",
    "program_config.py": "blocks that are no shares of a product: tests/calls/test_program_config.py",
    "narrow.py": "views of columns in shards: tests/calls/test_narrow.py",
    "loop.py": "loops and their bodies: tests/calls/test_loop.py",
}
"""Files whose refusals need more than one line of text."""


@pytest.mark.parametrize(("text", "changes", "message"), REFUSED)
def test_one_step_further_is_refused(text: str, changes: str, message: str):
    op_of(text).infer()
    with pytest.raises(Refusal) as error:
        changed(text, changes).infer()
    assert str(error.value).startswith(message)


def test_every_refusal_of_a_call_is_tried():
    """So that a call with a refusal that no row above meets fails here."""
    tried = set().union(*(_reached(text, changes) for text, changes, _ in REFUSED))
    assert not sorted(_refusals() - tried)


def _refusals() -> set[tuple[str, int]]:
    """File and line of each `raise Refusal` in `ttc/calls`."""
    found = set()
    for path in CALLS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id="Refusal"))) if path.name not in ELSEWHERE:
                    found.add((path.name, node.lineno))
    return found


def _reached(text: str, changes: str) -> set[tuple[str, int]]:
    with pytest.raises(Refusal) as error:
        changed(text, changes).infer()
    frame = traceback.extract_tb(error.value.__traceback__)[-1]
    return {(Path(frame.filename).name, frame.lineno or 0)}
