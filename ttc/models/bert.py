"""BERT (Devlin et al. 2019), a text encoder."""

from __future__ import annotations

import torch
from transformers import BertConfig, BertModel

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {},
    "tiny": {"vocab_size": 100, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    | {"intermediate_size": 128, "max_position_embeddings": 64},
}
LENGTH = {"real": 128, "tiny": 32}


def build(size: str) -> Built:
    """Build the module and its inputs at a size of `CONFIGS`."""
    config = BertConfig(**CONFIGS[size])
    shape = (1, LENGTH[size])
    return BertModel(config), {
        "input_ids": torch.randint(0, config.vocab_size, shape),
        "attention_mask": torch.ones(shape, dtype=torch.int64),
    }


MODELS = (Model("bert", "BERT-base text encoder", build),)
