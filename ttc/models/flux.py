"""FLUX.1 (Black Forest Labs 2024): one denoising step of the transformer, dev with guidance, schnell without."""

from __future__ import annotations

import torch
from diffusers import FluxTransformer2DModel

from ttc.models.model import Built, Model

REAL = {"in_channels": 64, "num_layers": 19, "num_single_layers": 38, "attention_head_dim": 128}
REAL |= {"num_attention_heads": 24, "joint_attention_dim": 4096, "pooled_projection_dim": 768}
TINY = {"in_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 32}
TINY |= {"num_attention_heads": 2, "joint_attention_dim": 64, "pooled_projection_dim": 32}
CONFIGS = {
    "real": REAL | {"guidance_embeds": True, "axes_dims_rope": (16, 56, 56)},
    "schnell": REAL | {"guidance_embeds": False, "axes_dims_rope": (16, 56, 56)},
    "tiny": TINY | {"guidance_embeds": True, "axes_dims_rope": (8, 12, 12)},
}
GRID = {"real": (64, 64), "schnell": (64, 64), "tiny": (4, 6)}
TEXT = {"real": 512, "schnell": 256, "tiny": 13}


def build(size: str) -> Built:
    """Build the module and its inputs at a size of `CONFIGS`."""
    model = FluxTransformer2DModel(**CONFIGS[size])
    config = model.config
    rows, columns = GRID[size]
    inputs = {
        "hidden_states": torch.randn(1, rows * columns, config.in_channels),
        "encoder_hidden_states": torch.randn(1, TEXT[size], config.joint_attention_dim),
        "pooled_projections": torch.randn(1, config.pooled_projection_dim),
        "timestep": torch.full((1,), 0.5),
        "img_ids": positions(rows, columns),
        "txt_ids": torch.zeros(TEXT[size], 3),
    }
    if config.guidance_embeds:
        inputs["guidance"] = torch.full((1,), 3.5)
    return model, inputs


def positions(rows: int, columns: int) -> torch.Tensor:
    """Return [rows * columns, 3]: 0, row and column of each patch."""
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack([torch.zeros_like(row), row, column], -1).reshape(-1, 3).float()


MODELS = (Model("flux", "FLUX.1 dev and schnell transformer", build, sizes=tuple(CONFIGS)),)
