"""CLIP's text encoder (Radford et al. 2021), which the diffusion models condition on."""

from __future__ import annotations

import torch
from transformers import CLIPTextConfig, CLIPTextModel

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "eos_token_id": 49407},
    "tiny": {"vocab_size": 100, "hidden_size": 64, "intermediate_size": 128}
    | {"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32}
    | {"bos_token_id": 98, "eos_token_id": 99},
}


def build(size: str) -> Built:
    """The module and its inputs at a size of `CONFIGS`."""
    config = CLIPTextConfig(**CONFIGS[size])
    return CLIPTextModel(config), {"input_ids": torch.randint(0, 99, (1, config.max_position_embeddings))}


MODEL = Model("clip_text", "CLIP-L text encoder", build)
