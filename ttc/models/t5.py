"""T5 v1.1 (Raffel et al. 2020) and umT5 (Chung et al. 2023) text encoders, which diffusion models condition on."""

from __future__ import annotations

import torch
from transformers import PreTrainedConfig, T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

from ttc.models.model import Built, Model

XXL = {"d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "feed_forward_proj": "gated-gelu"}
TINY = {"d_model": 64, "d_kv": 32, "d_ff": 128, "num_layers": 2, "num_heads": 2, "feed_forward_proj": "gated-gelu"}
CONFIGS = {"real": XXL, "tiny": TINY | {"vocab_size": 99}}
LENGTH = {"real": 128, "tiny": 32}


def t5(size: str) -> Built:
    """Build T5's encoder and its inputs at a size of `CONFIGS`."""
    config = T5Config(**{"vocab_size": 32128} | CONFIGS[size])
    return T5EncoderModel(config), _inputs(config, size)


def umt5(size: str) -> Built:
    """Build umT5's encoder, whose every layer has its own relative positions."""
    config = UMT5Config(**{"vocab_size": 256384} | CONFIGS[size])
    return UMT5EncoderModel(config), _inputs(config, size)


def _inputs(config: PreTrainedConfig, size: str) -> dict[str, torch.Tensor]:
    shape = (1, LENGTH[size])
    mask = torch.ones(shape, dtype=torch.int64)
    mask[:, LENGTH[size] * 3 // 4 :] = 0
    return {"input_ids": torch.randint(0, config.vocab_size, shape), "attention_mask": mask}


MODELS = (
    Model("t5", "T5 v1.1 XXL text encoder", t5),
    Model("umt5", "umT5 XXL text encoder", umt5),
)
