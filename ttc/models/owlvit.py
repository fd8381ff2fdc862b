"""OWL-ViT (Minderer et al. 2022), a detector of objects named in text."""

from __future__ import annotations

import torch
from transformers import OwlViTConfig, OwlViTForObjectDetection

from ttc.models.model import Built, Model

LAYERS = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
CONFIGS = {
    "real": {},
    "tiny": {
        "text_config": LAYERS
        | {"vocab_size": 99, "max_position_embeddings": 16, "bos_token_id": 97, "eos_token_id": 98},
        "vision_config": LAYERS | {"image_size": 64, "patch_size": 16},
        "projection_dim": 64,
    },
}


def build(size: str) -> Built:
    """Build the module and its inputs (one image, two queries) at a size of `CONFIGS`."""
    config = OwlViTConfig(**CONFIGS[size])
    text, image = config.text_config, config.vision_config.image_size
    queries = torch.randint(1, text.vocab_size - 3, (2, text.max_position_embeddings))
    return OwlViTForObjectDetection(config), {
        "input_ids": queries,
        "pixel_values": torch.randn(1, 3, image, image),
        "attention_mask": torch.ones_like(queries),
    }


MODELS = (Model("owlvit", "OWL-ViT B/32 open-vocabulary detector", build, pcc=0.99),)
