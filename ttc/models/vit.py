"""ViT (Dosovitskiy et al. 2021), an image classifier: base, and a 40-layer encoder of ViT-g's kind."""

from __future__ import annotations

import torch
from transformers import ViTConfig, ViTForImageClassification

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {"num_labels": 1000},
    "tiny": {"num_labels": 10, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    | {"intermediate_size": 128, "image_size": 64},
    # 40 layers of width 2304: 2.56 billion parameters, 10.2 GB in fp32.
    "giant": {"num_labels": 1000, "hidden_size": 2304, "num_hidden_layers": 40, "num_attention_heads": 36}
    | {"intermediate_size": 9216},
}


def build(size: str) -> Built:
    """Build the module and its inputs at a size of `CONFIGS`."""
    config = ViTConfig(**CONFIGS[size])
    return ViTForImageClassification(config), {"pixel_values": torch.randn(1, 3, config.image_size, config.image_size)}


MODELS = (Model("vit", "ViT-B/16 image classifier", build, sizes=tuple(CONFIGS)),)
