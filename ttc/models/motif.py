"""Motif-Video (Motif Technologies 2025): one denoising step of the transformer."""

from __future__ import annotations

import torch
from diffusers import MotifVideoTransformer3DModel

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {},
    "tiny": {"in_channels": 9, "out_channels": 4, "num_attention_heads": 2, "attention_head_dim": 32}
    | {"num_layers": 1, "num_single_layers": 2, "num_decoder_layers": 1, "text_embed_dim": 64}
    | {"rope_axes_dim": (8, 12, 12)},
}
LATENT = {"real": (5, 48, 80), "tiny": (2, 8, 8)}
TEXT = {"real": 256, "tiny": 13}


def build(size: str) -> Built:
    """Build the module and its inputs at a size of `CONFIGS`."""
    model = MotifVideoTransformer3DModel(**CONFIGS[size])
    config = model.config
    return model, {
        "hidden_states": torch.randn(1, config.in_channels, *LATENT[size]),
        "timestep": torch.full((1,), 500.0),
        "encoder_hidden_states": torch.randn(1, TEXT[size], config.text_embed_dim),
    }


MODELS = (Model("motif", "Motif-Video transformer", build),)
