"""CLIP's text encoders (Radford et al. 2021; Ilharco et al. 2021), which the diffusion models condition on."""

from __future__ import annotations

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from ttc.models.model import Built, Model

TINY = {"vocab_size": 100, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
TINY |= {"num_attention_heads": 2, "max_position_embeddings": 32, "bos_token_id": 98, "eos_token_id": 99}
LARGE = {
    "real": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "eos_token_id": 49407},
    "tiny": TINY,
}
BIG_G = {
    "real": {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}
    | {"hidden_act": "gelu", "projection_dim": 1280, "eos_token_id": 49407},
    "tiny": TINY | {"hidden_act": "gelu", "projection_dim": 64},
}


def large(size: str) -> Built:
    """Build CLIP-L: hidden states, and the last token's."""
    config = CLIPTextConfig(**LARGE[size])
    return CLIPTextModel(config), {"input_ids": torch.randint(0, 98, (1, config.max_position_embeddings))}


def big_g(size: str) -> Built:
    """Build OpenCLIP bigG: hidden states, and the last token's, projected."""
    config = CLIPTextConfig(**BIG_G[size])
    return CLIPTextModelWithProjection(config), {"input_ids": torch.randint(0, 98, (1, config.max_position_embeddings))}


MODELS = (
    Model("clip_text", "CLIP-L text encoder", large),
    Model("clip_text_g", "OpenCLIP bigG text encoder with projection", big_g),
)
