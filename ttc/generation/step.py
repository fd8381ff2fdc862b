"""A step of generation as a module: tokens in, logits of the last one out, keys and values in buffers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicLayer, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from ttc.generation.rows import Fixed, Rows


def takes(model: Any, name: str) -> bool:
    """Return whether a model's forward takes an argument of this name."""
    return name in inspect.signature(type(model).forward).parameters


class Step(nn.Module):
    """The next tokens of a causal language model, of which the first `tokens` (i64[1]) are valid, from row `start` on.

    What follows the valid tokens writes rows that later tokens write again, and no token attends to rows after its own:
    so no number depends on the padding.
    """

    model: Any
    aligned: bool = True
    """Many tokens begin at a row that is a multiple of TILE."""

    def __init__(self, model: Any, caches: Sequence[tuple[Tensor, Tensor]], capacity: int):
        super().__init__()
        self.model, self.layers, self.capacity = model, len(caches), capacity
        for number, pair in enumerate(caches):
            for kind, one in zip(("keys", "values"), pair, strict=True):
                batch, heads, _, size = one.shape
                self.register_buffer(f"{kind}_{number}", torch.zeros(batch, heads, capacity, size, dtype=one.dtype))

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, start: Tensor, tokens: Tensor
    ) -> Tensor:
        """Return logits [batch, vocabulary] of the last valid token of `input_ids` [batch, n].

        `attention_mask` [batch, rows] is 0 at the rows of padding before a prompt: the tokens' own rows are among these
        rows, and no others are read.
        """
        rows = attention_mask.shape[1]
        if input_ids.shape[1] == 1:
            # a single token is in its cache and sees itself: so no layer has to ask whether a query sees any key
            start = start.clamp(0, self.capacity - 1)
            own = torch.arange(self.capacity, device=start.device) == start
            attention_mask = torch.where(own, 1, attention_mask)
        inputs: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
        if takes(self.model, "position_ids"):
            inputs["position_ids"] = position_ids
        return self.last_logits(tokens, input_ids.shape[1], past_key_values=self.rows(start, rows), **inputs)

    def rows(self, start: Tensor, attended: int | None = None) -> Cache:
        """Return the buffers as the model's cache, of which tokens attend to the first rows, by default to all."""
        attended = attended or self.capacity
        pairs = ((getattr(self, f"keys_{n}"), getattr(self, f"values_{n}")) for n in range(self.layers))
        return Cache(layers=[Rows(keys, values, start, attended, self.aligned) for keys, values in pairs])

    def last_logits(self, tokens: Tensor, count: int, **inputs: Any) -> Tensor:
        """Run the model; return the logits of the last valid one of `count` tokens."""
        if count > 1 and takes(self.model, "logits_to_keep"):
            inputs["logits_to_keep"] = tokens - 1
        logits = self.model(use_cache=True, **inputs).logits
        return (logits if logits.shape[1] == 1 else logits.index_select(1, tokens - 1))[:, 0]


class DecoderStep(Step):
    """A step of a model with an encoder, whose keys and values of the encoder's output are inputs."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input_ids: Tensor, start: Tensor, tokens: Tensor, encoder_mask: Tensor, cross: Sequence[Tensor]
    ) -> Tensor:
        """Return logits [batch, vocabulary]; `cross` are keys and values by layer, `encoder_mask` [batch, frames]."""
        read = [Fixed(*cross[2 * n : 2 * n + 2]) for n in range(self.layers)]
        cache = EncoderDecoderCache(self.rows(start), Cache(layers=list[Any](read)))
        cache.is_updated = dict.fromkeys(range(self.layers), True)
        batch, _, frames, _ = cross[0].shape
        size = self.model.config.d_model
        shape_alone = torch.zeros(batch, frames, size, dtype=cross[0].dtype, device=cross[0].device)
        return self.last_logits(
            tokens,
            input_ids.shape[1],
            encoder_outputs=BaseModelOutput(last_hidden_state=shape_alone),
            decoder_input_ids=input_ids,
            past_key_values=cache,
            **masked(self.model, encoder_mask),
        )


class Encoder(nn.Module):
    """The encoder of a model, with the keys and values that each layer of the decoder makes of its output."""

    model: Any

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, encoder_mask: Tensor) -> tuple[Tensor, ...]:
        """Return the encoder's output [batch, frames, size], then keys and values of each layer of the decoder."""
        mask = masked(self.model, encoder_mask)
        hidden = self.model.get_encoder()(inputs, **mask).last_hidden_state
        own, cross = (Cache(layer_class_to_replicate=DynamicLayer) for _ in range(2))
        any_token = torch.zeros(inputs.shape[0], 1, dtype=torch.long, device=inputs.device)
        self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
            decoder_input_ids=any_token,
            past_key_values=EncoderDecoderCache(own, cross),
            use_cache=True,
            **mask,
        )
        layers: list[Any] = cross.layers
        return hidden, *(one for layer in layers for one in (layer.keys, layer.values))


def masked(model: Any, mask: Tensor) -> dict[str, Any]:
    """Return the mask of the encoder's inputs by its name, if the inputs are tokens, which a mask is of."""
    return {"attention_mask": mask} if model.main_input_name == "input_ids" else {}
