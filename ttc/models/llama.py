"""Llama 3 (Grattafiori et al. 2024), a causal language model: the logits of a prompt, without a cache."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32}
    | {"num_key_value_heads": 8, "vocab_size": 128256, "rope_theta": 5e5, "rms_norm_eps": 1e-5},
    "tiny": {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    | {"num_key_value_heads": 2, "vocab_size": 100},
    "odd": {"hidden_size": 60, "intermediate_size": 99, "num_hidden_layers": 2, "num_attention_heads": 3}
    | {"num_key_value_heads": 1, "vocab_size": 61},
}
LENGTH = {"real": 128, "tiny": 32, "odd": 13}


def build(size: str) -> Built:
    """Build the module and its inputs at a size of `CONFIGS`."""
    config = LlamaConfig(**CONFIGS[size], use_cache=False)
    return LlamaForCausalLM(config), {"input_ids": torch.randint(0, config.vocab_size, (1, LENGTH[size]))}


MODELS = (Model("llama", "Llama-3-8B language model, prefill", build, sizes=tuple(CONFIGS)),)
