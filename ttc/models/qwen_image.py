"""Qwen-Image (Wu et al. 2025): one denoising step of the transformer."""

from __future__ import annotations

import torch
from diffusers import QwenImageTransformer2DModel

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {"in_channels": 64, "out_channels": 16, "num_layers": 60, "attention_head_dim": 128}
    | {"num_attention_heads": 24, "joint_attention_dim": 3584, "axes_dims_rope": (16, 56, 56)},
    "tiny": {"in_channels": 16, "out_channels": 4, "num_layers": 2, "attention_head_dim": 32}
    | {"num_attention_heads": 2, "joint_attention_dim": 64, "axes_dims_rope": (8, 12, 12)},
}
GRID = {"real": (64, 64), "tiny": (4, 6)}
TEXT = {"real": 256, "tiny": 13}


def build(size: str) -> Built:
    """Build the module and its inputs at a size of `CONFIGS`; `img_shapes` (frames, rows, columns) is a constant."""
    model = QwenImageTransformer2DModel(**CONFIGS[size])
    config = model.config
    rows, columns = GRID[size]
    return model, {
        "hidden_states": torch.randn(1, rows * columns, config.in_channels),
        "encoder_hidden_states": torch.randn(1, TEXT[size], config.joint_attention_dim),
        "encoder_hidden_states_mask": torch.ones(1, TEXT[size], dtype=torch.bool),
        "timestep": torch.full((1,), 0.5),
        "img_shapes": [[(1, rows, columns)]],
    }


MODELS = (Model("qwen_image", "Qwen-Image transformer", build),)
