"""Reads the types of values."""

from __future__ import annotations

import re

from ttc.ir.text.tokens import Tokens, by_value, integer, member
from ttc.ir.types import Buffer, DType, Layout, MemoryConfig, Sharding, ShardSpec, Spec, TensorType, Type

MOST_SIZES = 64
"""Most dimensions of a tensor, as in numpy."""


def parse_type(tokens: Tokens) -> Type:
    """Parse a type at the head of the tokens."""
    dtype = member(tokens, DType, tokens.take("word"))
    shape = _parse_shape(tokens)
    if tokens.token not in {layout.value for layout in Layout}:
        return TensorType(dtype, shape)
    layout = Layout(tokens.advance())
    memory = _parse_memory(tokens)
    return Spec(dtype, shape, layout, memory, _parse_shape(tokens) if tokens.accept("padded") else ())


def _parse_shape(tokens: Tokens) -> tuple[int, ...]:
    tokens.expect("[")
    shape: list[int] = []
    while not tokens.accept("]"):
        shape.append(integer(tokens))
        if shape[-1] < 0:
            raise tokens.error(f"a size is {shape[-1]}")
        tokens.accept(",")
    if len(shape) > MOST_SIZES:
        raise tokens.error(f"a shape has {len(shape)} sizes")
    return tuple(shape)


def _parse_memory(tokens: Tokens) -> MemoryConfig:
    buffer = by_value(tokens, Buffer, tokens.take("word"))
    if tokens.token not in {sharding.value for sharding in Sharding}:
        return MemoryConfig(buffer)
    sharding = Sharding(tokens.advance())
    if tokens.kind != "number":
        return MemoryConfig(buffer, sharding)
    grid = _pair(tokens)
    rest = integer(tokens) if tokens.accept("and") else 0
    if not 0 <= rest < grid[0]:
        raise tokens.error(f"{rest} cores are no part of a row of {grid[0]}")
    tokens.expect("of")
    shape = _pair(tokens)
    return MemoryConfig(buffer, sharding, ShardSpec(grid, shape, tokens.accept("column_major"), rest))


def _pair(tokens: Tokens) -> tuple[int, int]:
    """Parse `8x7`, which the scanner reads as a number and a word."""
    first, word = integer(tokens), tokens.take("word")
    if not re.fullmatch(r"x\d+", word):
        raise tokens.error(f"expected two sizes such as 8x7, found {word!r}")
    return first, int(word[1:])
