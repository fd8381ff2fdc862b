"""Wan 2.2 (Wan Team 2025): one denoising step of a text-to-video expert."""

from __future__ import annotations

import torch
from diffusers import WanTransformer3DModel

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {"num_attention_heads": 40, "attention_head_dim": 128, "in_channels": 16, "out_channels": 16}
    | {"text_dim": 4096, "freq_dim": 256, "ffn_dim": 13824, "num_layers": 40, "rope_max_seq_len": 1024}
    | {"cross_attn_norm": True},
    "tiny": {"num_attention_heads": 2, "attention_head_dim": 32, "in_channels": 4, "out_channels": 4}
    | {"text_dim": 64, "freq_dim": 32, "ffn_dim": 128, "num_layers": 2, "rope_max_seq_len": 32}
    | {"cross_attn_norm": True},
}
LATENT = {"real": (21, 60, 104), "tiny": (2, 8, 8)}
TEXT = {"real": 512, "tiny": 13}


def build(size: str) -> Built:
    """Build the module and its inputs at a size of `CONFIGS`."""
    model = WanTransformer3DModel(**CONFIGS[size])
    config = model.config
    return model, {
        "hidden_states": torch.randn(1, config.in_channels, *LATENT[size]),
        "timestep": torch.full((1,), 500.0),
        "encoder_hidden_states": torch.randn(1, TEXT[size], config.text_dim),
    }


MODELS = (Model("wan", "Wan 2.2 T2V-A14B video transformer, one expert", build),)
