"""Rows that are written into states, and attention to them."""

from __future__ import annotations

from tests.samples.form import P, Pattern, Sample
from ttc import ops


def written(name: str, size: int, width: int, heads: int = 2) -> Pattern:
    """A row of a state that is written at a position."""
    cache, row = f"f32[1,{heads},{size},{width}]", f"f32[1,{heads},1,{width}]"
    text = f"""graph {{
  %cache: {cache} = input(name="@state.cache")
  %row: {row} = input(name="row")
  %position: i64[1] = input(name="position")
  %line: i64[1,1,{size},1] = literal(data={list(range(size))})
  %place: i64[1,1,1,1] = reshape(x=%position, shape=[1, 1, 1, 1])
  %here: bool[1,1,{size},1] = eq(a=%place, b=%line)
  %new: {cache} = where(condition=%here, a=%row, b=%cache)
  return "output"=%new, "@state.cache"=%new
}}"""
    return Pattern(ops.Where, {"name": name}, {"position": (0, size)}, text=text)


ONE_TOKEN = """graph {
  %k0: f32[1,2,64,64] = input(name="@state.k")
  %v0: f32[1,2,64,64] = input(name="@state.v")
  %start: i64[1] = input(name="start")
  %cos: f32[1,1,1,64] = input(name="cos")
  %sin: f32[1,1,1,64] = input(name="sin")
  %qkv: f32[1,1,512] = input(name="qkv")
  %q0: f32[1,1,256] = slice(x=%qkv, starts=[0, 0, 0], ends=[1, 1, 256])
  %q: f32[1,4,1,64] = reshape(x=%q0, shape=[1, 4, 1, 64])
  %k1: f32[1,1,128] = slice(x=%qkv, starts=[0, 0, 256], ends=[1, 1, 384])
  %k: f32[1,2,1,64] = reshape(x=%k1, shape=[1, 2, 1, 64])
  %v1: f32[1,1,128] = slice(x=%qkv, starts=[0, 0, 384], ends=[1, 1, 512])
  %v: f32[1,2,1,64] = reshape(x=%v1, shape=[1, 2, 1, 64])
  %qr: f32[1,4,1,64] = rotary(x=%q, cos=%cos, sin=%sin)
  %kr: f32[1,2,1,64] = rotary(x=%k, cos=%cos, sin=%sin)
  %line: i64[1,1,64,1] = literal(data=[LINE])
  %at: i64[1,1,1,1] = reshape(x=%start, shape=[1, 1, 1, 1])
  %here: bool[1,1,64,1] = eq(a=%at, b=%line)
  %keys: f32[1,2,64,64] = where(condition=%here, a=%kr, b=%k0)
  %values: f32[1,2,64,64] = where(condition=%here, a=%v, b=%v0)
  %a: f32[1,4,1,64] = attention(q=%qr, k=%keys, v=%values, scale=0.125)
  %rows: f32[1,1,256] = reshape(x=%a, shape=[1, 1, 256])
  return "output"=%rows, "@state.k"=%keys, "@state.v"=%values
}
""".replace("LINE", ", ".join(map(str, range(64))))
"""A token's keys and values are written into caches, to which its queries attend."""

FILLED = """graph {
  %pool: f32[6,2,32,64] = input(name="@state.pool")
  %rows: f32[1,2,96,64] = input(name="rows")
  %start: i64[1] = input(name="start")
  %line: i64[3] = literal(data=[-1, 1, 0])
  %blocks: i64[3] = add(a=%line, b=%start)
  %new: f32[6,2,32,64] = fill_blocks(pool=%pool, new=%rows, blocks=%blocks)
  return "output"=%new, "@state.pool"=%new
}
"""
"""Blocks of a pool that are filled; one is left out."""

SERVED = """graph {
  %k0: f32[8,2,32,64] = input(name="@state.k")
  %v0: f32[8,2,32,64] = input(name="@state.v")
  %q: f32[3,4,1,64] = input(name="q")
  %k: f32[3,2,1,64] = input(name="k")
  %v: f32[3,2,1,64] = input(name="v")
  %table: i64[3,2] = literal(data=[5, 2, 0, 7, 1, 6])
  %positions: i64[3] = input(name="positions")
  %keys: f32[8,2,32,64] = write_rows(pool=%k0, new=%k, table=%table, positions=%positions)
  %values: f32[8,2,32,64] = write_rows(pool=%v0, new=%v, table=%table, positions=%positions)
  %a: f32[3,4,1,64] = paged_attention(q=%q, keys=%keys, values=%values, table=%table, positions=%positions, scale=0.125)
  return "output"=%a, "@state.k"=%keys, "@state.v"=%values
}
"""
"""A token of each of three sequences is written into blocks of a pool, and attends to its own sequence's."""

PROMPT = """graph {
  %k0: f32[8,2,64,64] = input(name="@state.k")
  %v0: f32[8,2,64,64] = input(name="@state.v")
  %q: f32[1,4,64,64] = input(name="q")
  %k: f32[1,2,64,64] = input(name="k")
  %v: f32[1,2,64,64] = input(name="v")
  %block: i64[1] = literal(data=[3])
  %table: i64[1,8] = literal(data=[5, 3, 0, 0, 0, 0, 0, 0])
  %start: i64[1] = literal(data=[64])
  %keys: f32[8,2,64,64] = fill_blocks(pool=%k0, new=%k, blocks=%block)
  %values: f32[8,2,64,64] = fill_blocks(pool=%v0, new=%v, blocks=%block)
  %a: f32[1,4,64,64] = paged_attention(q=%q, keys=%keys, values=%values, table=%table, positions=%start, scale=0.125)
  return "output"=%a, "@state.k"=%keys, "@state.v"=%values
}
"""
"""The second block of a prompt: its tokens are written, and attend to both blocks."""

IN_BF16 = ("fp32",)
"""TTNN attends to blocks in bf16 alone."""

STATES: list[Sample] = [
    written("a row written into a state", 40, 48),
    written("a row written into a state of whole tiles", 64, 64),
    written("a row written into a state of more heads than cores", 33, 32, heads=128),
    P("attention of one token to caches", ops.Attention, ONE_TOKEN),
    P("blocks of a pool are filled", ops.FillBlocks, FILLED, start=(1, 4)),
    P("a token of each of three sequences in a pool", ops.WriteRows, SERVED, IN_BF16, positions=(0, 64)),
    P(
        "attention to a pool, by a token of each of three sequences",
        ops.PagedAttention,
        SERVED,
        IN_BF16,
        positions=(0, 64),
    ),
    P("attention to a pool, by many tokens of one sequence", ops.PagedAttention, PROMPT, IN_BF16),
]
