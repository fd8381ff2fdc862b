"""The programs of generation over pools of blocks: a token of each of several sequences, and tokens of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ttc.compiled.chain import Chain
from ttc.errors import InputError
from ttc.generation.compiling import STEP, TOKENS, Sizes, compile_steps, first_caches, require_generative
from ttc.generation.paged import PagedStep
from ttc.generation.step import takes
from ttc.ir import DType, round_up
from ttc.ir.state import state_input

ENTRIES = 8
"""A sequence's row of the page table has a multiple of this many entries, as TTNN's attention of prompts takes them."""

TABLE = "page_table"
"""The input i32 [sequences, pages] that names the blocks of each sequence."""


@dataclass(frozen=True)
class PagedSizes:
    """Sequences of a step, pages of each one's row of the table, tokens of each program, blocks of a pool and rows."""

    batch: int
    pages: int
    tokens: tuple[int, ...]
    blocks: int
    block_size: int

    @classmethod
    def of(cls, programs: Chain) -> PagedSizes:
        """Return the sizes that programs were compiled for; InputError for programs without blocks."""
        if not is_paged(programs):
            raise InputError("the programs keep one generation's rows: compile with blocks=... to serve sequences")
        step = programs.stages[STEP]
        first = dict(step.buckets[0].program.inputs)
        blocks, _, size, _ = first[state_input("keys_0")].shape
        tokens = tuple(bucket.sizes[TOKENS] for bucket in step.buckets)
        batch, pages = first[TABLE].shape
        return cls(batch, pages, tokens, blocks, size)

    @property
    def capacity(self) -> int:
        """Return the most rows of a sequence."""
        return self.pages * self.block_size


def paged_sizes(sizes: Sizes, blocks: Any, block_size: Any) -> PagedSizes:
    """Return the sizes that a user gives; InputError for blocks that cannot be."""
    capacity, tokens = sizes.capacity, sizes.tokens
    for name, size in (("blocks", blocks), ("block_size", block_size)):
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise InputError(f"{name} takes positive whole numbers, not {size!r}")
    if block_size % 32:
        raise InputError(f"block_size takes multiples of 32, the rows of a tile, not {block_size}")
    pages = round_up(-(-capacity // block_size), ENTRIES)
    if blocks < pages:
        raise InputError(
            f"a sequence of {capacity} rows has a page table of {pages} blocks of {block_size} rows: blocks takes at "
            f"least so many, not {blocks}"
        )
    prompts = [size for size in tokens if size > 1]
    if uneven := [size for size in prompts if size % block_size]:
        raise InputError(f"tokens takes multiples of block_size ({block_size}), not {uneven[0]}")
    if not prompts:
        raise InputError(f"no number of tokens is at most the capacity of {capacity}: prompts need one")
    return PagedSizes(sizes.batch, pages, (1, *prompts), blocks, block_size)


def compile_paged(
    model: Any, sizes: PagedSizes, inputs: Tensor | None, options: Mapping[str, Any], cache_dtype: DType | None
) -> Chain:
    """Compile a causal language model whose keys and values lie in pools of blocks; InputError for other models."""
    require_generative(model)
    name = type(model).__name__
    if model.config.is_encoder_decoder or inputs is not None:
        raise InputError(f"{name} with an encoder keeps its caches whole: compile without blocks")
    if missing := [argument for argument in ("position_ids", "logits_to_keep") if not takes(model, argument)]:
        raise InputError(f"{name} takes no {missing[0]}, which sequences in blocks need: compile without blocks")
    with torch.no_grad(), torch.device(model.device):
        step = PagedStep(model, first_caches(model, 1), sizes.blocks, sizes.block_size, sizes.capacity)
        examples = [example(sizes, tokens) for tokens in sizes.tokens]
    kept = {"cache_dtype": cache_dtype, "by_token": ("input_ids",)}
    return Chain.of({STEP: compile_steps(step, examples, options, **kept)}, {})


def example(sizes: PagedSizes, tokens: int) -> Mapping[str, Tensor]:
    """Return the arguments of a call with so many tokens."""
    batch = sizes.batch if tokens == 1 else 1
    return {
        "input_ids": torch.zeros(batch, tokens, dtype=torch.long),
        TABLE: torch.zeros(batch, sizes.pages, dtype=torch.int32),
        "start": torch.zeros(batch, dtype=torch.int32),
        "blocks": torch.zeros(max(1, tokens // sizes.block_size), dtype=torch.int32),
    }


def is_paged(programs: Chain) -> bool:
    """Return whether a chain's programs keep keys and values in blocks."""
    return STEP in programs.stages and TABLE in dict(programs.stages[STEP].program.inputs)
