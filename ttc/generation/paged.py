"""A step of generation whose keys and values lie in pools of blocks, which sequences of any length share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, StaticLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

import ttc.frontend.export.paged_ops  # noqa: F401  (defines torch.ops.ttc)
from ttc.errors import InputError


@dataclass(frozen=True)
class Places:
    """The places of a call's tokens: page table, the first token's position in each sequence, blocks to fill."""

    table: Tensor
    positions: Tensor
    blocks: Tensor | None


class PooledRows(StaticLayer):
    """The pools [N, heads, block, size] of a layer, into which the tokens of a call are written."""

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor, places: Places):
        super().__init__(keys.shape[2])
        self.keys, self.values, self.places = keys, values, places
        self.cumulative_length = places.positions[:1]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write rows [1, heads, tokens, size]; return the pools, which `attend` reads."""
        return self._written(self.keys, key_states), self._written(self.values, value_states)

    def _written(self, pool: Tensor, rows: Tensor) -> Tensor:
        places = self.places
        if places.blocks is not None:
            return pool.copy_(torch.ops.ttc.fill_blocks(pool, rows, places.blocks))
        each = rows.permute(2, 1, 0, 3)
        return pool.copy_(torch.ops.ttc.write_rows(pool, each, places.table, places.positions))


class PagedStep(nn.Module):
    """The next token of each of several sequences, or next tokens of one, of which the first `tokens` are valid.

    A sequence has up to `rows` rows. Many tokens begin at a block of their own; those of the padding lie in no block,
    or behind the valid ones.
    """

    model: Any

    def __init__(self, model: Any, caches: Sequence[tuple[Tensor, Tensor]], blocks: int, block_size: int, rows: int):
        super().__init__()
        self.model, self.layers, self.rows = model, len(caches), rows
        for number, pair in enumerate(caches):
            for kind, one in zip(("keys", "values"), pair, strict=True):
                _, heads, _, size = one.shape
                shape = (blocks, heads, block_size, size)
                self.register_buffer(f"{kind}_{number}", torch.zeros(shape, dtype=one.dtype))

    def forward(self, input_ids: Tensor, page_table: Tensor, start: Tensor, blocks: Tensor, tokens: Tensor) -> Tensor:
        """Return logits: [sequences, vocabulary] of one token of each, [1, vocabulary] of the last valid of many.

        `input_ids` are i64 [sequences, n], `start` i32 [sequences] the positions of the first, below 0 for a sequence
        that stands still, `blocks` i32 [n / block] those that n tokens fill, below 0 for none.
        """
        count = input_ids.shape[1]
        single = count == 1
        places = Places(page_table, start, None if single else blocks)
        # one token of each sequence: all tokens in one row, as tiles hold 32 rows
        ids = input_ids.t() if single else input_ids
        positions = start[None] if single else start[:, None] + torch.arange(count, device=start.device)
        pools = ((getattr(self, f"keys_{n}"), getattr(self, f"values_{n}")) for n in range(self.layers))
        inputs: dict[str, Any] = {} if single else {"logits_to_keep": tokens - 1}
        with paged_attention(places):
            logits = self.model(
                input_ids=ids,
                position_ids=positions.long().clamp(0, self.rows - 1),
                attention_mask=torch.ones(
                    1, 1, 1, 1, dtype=torch.bool, device=ids.device
                ),  # no mask is made, none read
                past_key_values=Cache(layers=[PooledRows(*pair, places) for pair in pools]),
                use_cache=True,
                **inputs,
            ).logits
        return logits[0] if single else logits[:, 0]


@contextmanager
def paged_attention(places: Places) -> Iterator[None]:
    """Let the attention of transformers read pools of blocks, while a step is traced."""

    def attend(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, scaling: float | None = None,
        sliding_window: int | None = None, softcap: float | None = None, s_aux: Tensor | None = None, **_: Any,
    ) -> tuple[Tensor, None]:  # fmt: skip
        if softcap is not None or s_aux is not None:
            raise InputError(f"{type(module).__name__} caps scores or has sinks, which attention to blocks does not")
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        single = places.blocks is None
        q = query.permute(2, 1, 0, 3) if single else query
        found = torch.ops.ttc.paged_attention(q, key, value, places.table, places.positions, scale, sliding_window)
        return found.permute(2, 0, 1, 3) if single else found.transpose(1, 2), None

    with patch.object(type(ALL_ATTENTION_FUNCTIONS), "get_interface", lambda *_: attend):
        yield
