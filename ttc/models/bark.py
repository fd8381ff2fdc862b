"""Bark small (Suno 2023), text to speech in three transformers: semantic, coarse and fine acoustic tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.models.bark import modeling_bark as bark

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {"hidden_size": 768, "num_layers": 12, "num_heads": 12, "block_size": 1024, "bias": False},
    "tiny": {"hidden_size": 64, "num_layers": 2, "num_heads": 2, "block_size": 64, "bias": False},
}
LENGTH = {"real": 257, "tiny": 33}


class OneCodebook(nn.Module):
    """Bark's fine model for one codebook: tokens of all codebooks [B, T, 8] to the logits of the next codebook."""

    def __init__(self, fine: nn.Module, codebook: int):
        super().__init__()
        self.fine, self.codebook = fine, codebook

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.fine(self.codebook, input_ids).logits


def semantic(size: str) -> Built:
    """Build the model from text tokens to semantic tokens."""
    config = bark.BarkSemanticConfig(**CONFIGS[size], **_vocabulary(size, 129600, 10048), use_cache=False)
    return bark.BarkSemanticModel(config), {"input_ids": _tokens(config, size)}


def coarse(size: str) -> Built:
    """Build the model from semantic tokens to the tokens of the first two codebooks."""
    config = bark.BarkCoarseConfig(**CONFIGS[size], **_vocabulary(size, 12096, 12096), use_cache=False)
    return bark.BarkCoarseModel(config), {"input_ids": _tokens(config, size)}


def fine(size: str) -> Built:
    """Build the model from the tokens of three codebooks to those of the fourth."""
    config = bark.BarkFineConfig(**CONFIGS[size], **_vocabulary(size, 1056, 1056), n_codes_total=8, n_codes_given=1)
    return OneCodebook(bark.BarkFineModel(config), 3), {"input_ids": _tokens(config, size, 8)}


def _vocabulary(size: str, read: int, written: int) -> dict[str, int]:
    tiny = size == "tiny"
    return {"input_vocab_size": 99 if tiny else read, "output_vocab_size": 99 if tiny else written}


def _tokens(config: bark.BarkSubModelConfig, size: str, *codebooks: int) -> Tensor:
    return torch.randint(0, config.input_vocab_size, (1, LENGTH[size], *codebooks))


MODELS = (
    Model("bark_semantic", "Bark small, text to semantic tokens", semantic),
    Model("bark_coarse", "Bark small, semantic to coarse tokens", coarse),
    Model("bark_fine", "Bark small, coarse to fine tokens", fine),
)
