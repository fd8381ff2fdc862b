"""Stable Diffusion 3.5 (Esser et al. 2024): one denoising step of the transformer."""

from __future__ import annotations

import torch
from diffusers import SD3Transformer2DModel

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {"sample_size": 128, "num_layers": 38, "num_attention_heads": 38, "attention_head_dim": 64}
    | {"joint_attention_dim": 4096, "caption_projection_dim": 2432, "pooled_projection_dim": 2048}
    | {"pos_embed_max_size": 192, "qk_norm": "rms_norm"},
    "tiny": {"sample_size": 16, "num_layers": 2, "num_attention_heads": 2, "attention_head_dim": 32}
    | {"joint_attention_dim": 64, "caption_projection_dim": 64, "pooled_projection_dim": 32, "in_channels": 4}
    | {"out_channels": 4, "pos_embed_max_size": 16, "qk_norm": "rms_norm"},
}
TEXT = {"real": 333, "tiny": 13}


def build(size: str) -> Built:
    """Build the module and its inputs at a size of `CONFIGS`."""
    model = SD3Transformer2DModel(**CONFIGS[size])
    config = model.config
    return model, {
        "hidden_states": torch.randn(1, config.in_channels, config.sample_size, config.sample_size),
        "encoder_hidden_states": torch.randn(1, TEXT[size], config.joint_attention_dim),
        "pooled_projections": torch.randn(1, config.pooled_projection_dim),
        "timestep": torch.full((1,), 500.0),
    }


MODELS = (Model("sd3", "Stable Diffusion 3.5 Large transformer", build),)
