"""Bark small whole, as the stages of a system: text to semantic tokens, these to coarse and fine ones, and to samples.

Each stage computes what the package's `generate` asks its model for, from the package's own modules.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import EncodecConfig
from transformers.models.bark import modeling_bark as bark
from transformers.models.bark.configuration_bark import BarkConfig

from ttc.generation.choosing import ChoosingStep
from ttc.models.encodec import with_whole_numbers
from ttc.models.model import Built, Weigh
from ttc.models.systems.bark_tokens import NUMBERS, Numbers

NETWORKS: dict[str, dict[str, Any]] = {
    "real": {"hidden_size": 768, "num_layers": 12, "num_heads": 12, "block_size": 1024, "bias": False},
    "tiny": {"hidden_size": 64, "num_layers": 2, "num_heads": 2, "block_size": 96, "bias": False},
}
READ = {"real": (129600, 12096, 1056), "tiny": (176, 168, 40)}
"""Tokens that the semantic, coarse and fine models read."""

CODECS: dict[str, dict[str, Any]] = {
    "real": {},
    "tiny": {
        "num_filters": 4,
        "hidden_size": 16,
        "upsampling_ratios": [4, 3, 2],
        "compress": 2,
        "codebook_size": 32,
        "target_bandwidths": [80.0],
    },
}


class Causal(ChoosingStep):
    """A step of one of Bark's causal models; what a token attends to is said by the mask alone."""

    def __init__(self, model: bark.BarkCausalModel, spans: tuple[tuple[int, int], ...]):
        config = model.config
        empty = torch.zeros(1, config.num_heads, 0, config.hidden_size // config.num_heads)
        head, model.lm_head = model.lm_head.weight, nn.Identity()
        for block in model.layers:
            block.attn.is_causal = False  # the package's own mask is of caches that grow
        super().__init__(model, [(empty, empty)] * config.num_layers, config.block_size, head, spans)


class Semantic(Causal):
    """The next semantic token after tokens i64[1, n]: a text beside semantic tokens of a voice, or single tokens."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input_ids: Tensor, history: Tensor, start: Tensor, tokens: Tensor
    ) -> dict[str, Tensor]:
        embed = self.model.input_embeds_layer
        embeds = embed(self.tokens_at(input_ids, start))
        if input_ids.shape[1] > 1:
            embeds = embeds + embed(history)
        return self.choose(self.last_hidden(embeds, start, tokens), start + tokens)


class Coarse(Causal):
    """The next token of `codebook` (i64[1]: 0 or 1) after semantic and coarse tokens i64[1, n]."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input_ids: Tensor, codebook: Tensor, start: Tensor, tokens: Tensor
    ) -> dict[str, Tensor]:
        embeds = self.model.input_embeds_layer(self.tokens_at(input_ids, start))
        return self.choose(self.last_hidden(embeds, start, tokens), start + tokens, codebook)


class Fine(nn.Module):
    """Codes i64[1, T, codebooks] of a window to the most likely ones of the codebooks beyond the coarse ones.

    Those of frames before `fill` (i64[1]) stay. Each codebook is computed from those before; the result is
    [1, codebooks - coarse ones, T].
    """

    def __init__(self, model: bark.BarkFineModel, numbers: Numbers):
        super().__init__()
        self.model, self.numbers = model, numbers

    def forward(self, codes: Tensor, fill: Tensor) -> Tensor:
        numbers, columns = self.numbers, list(codes.unbind(2))
        new = torch.arange(codes.shape[1]) >= fill
        embeds = [embed(column) for embed, column in zip(self.model.input_embeds_layers, columns, strict=True)]
        for codebook in range(numbers.coarse_codebooks, numbers.codebooks):
            known = torch.stack(embeds[: codebook + 1], -1).sum(-1)
            logits = self.model(codebook, inputs_embeds=known).logits[:, :, : numbers.codebook]
            columns[codebook] = torch.where(new, logits.argmax(-1), columns[codebook])
            embeds[codebook] = self.model.input_embeds_layers[codebook](columns[codebook])
        return torch.stack(columns[numbers.coarse_codebooks :], 1)


class Decode(nn.Module):
    """Codes i64[1, codebooks, T] to samples f32[1, hop * T]."""

    def __init__(self, codec: Any):
        super().__init__()
        self.quantizer, self.decoder = codec.quantizer, with_whole_numbers(codec.decoder)

    def forward(self, codes: Tensor) -> Tensor:
        return self.decoder(self.quantizer.decode(codes.transpose(0, 1)))[:, 0]


def whole(size: str) -> bark.BarkModel:
    """Build the package's model."""
    kinds = (bark.BarkSemanticConfig, bark.BarkCoarseConfig, bark.BarkFineConfig)
    numbers = NUMBERS[size]
    written = (numbers.semantic_written, numbers.coarse_written, READ[size][2])
    configs = [
        kind(**NETWORKS[size], input_vocab_size=read, output_vocab_size=write)
        for kind, read, write in zip(kinds, READ[size], written, strict=True)
    ]
    names = ("semantic_config", "coarse_acoustics_config", "fine_acoustics_config")
    parts = {name: config.to_dict() for name, config in zip(names, configs, strict=True)}
    return bark.BarkModel(BarkConfig(**parts, codec_config=EncodecConfig(**CODECS[size]).to_dict()))


def defaults(model: bark.BarkModel) -> list[str]:
    """List the weights that a checkpoint may lack: tables of causality, and heads that are embeddings of the model."""
    tables = [name for name in model.state_dict() if name.endswith(".attn.bias")]
    return tables + [name for name in model.state_dict() if name.startswith("fine_acoustics.lm_heads.")]


def speech(size: str, weigh: Weigh) -> dict[str, Built]:
    """Build the stages of speech; `weigh` gives the package's model its weights."""
    model, numbers = whole(size), NUMBERS[size]
    weigh(model, defaults=defaults(model))
    one = torch.zeros(1, dtype=torch.long)
    step = {"start": one, "tokens": one + 1}
    window = torch.zeros(1, numbers.fine_input, numbers.codebooks, dtype=torch.long)
    codes = torch.zeros(1, numbers.codebooks, numbers.frames[0], dtype=torch.long)
    semantic = Semantic(model.semantic, numbers.semantic_choices.spans)
    coarse = Coarse(model.coarse_acoustics, numbers.coarse_choices.spans)
    return {
        "semantic": (semantic, {"input_ids": one[None], "history": one[None], **step}),
        "coarse": (coarse, {"input_ids": one[None], "codebook": one, **step}),
        "fine": (Fine(model.fine_acoustics, numbers), {"codes": window, "fill": one}),
        "decode": (Decode(model.codec_model), {"codes": codes}),
    }
