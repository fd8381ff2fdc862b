"""Small generative models of transformers, with weights spread so that tokens vary."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

VOCABULARY = 100

DECODER: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
DECODER |= {"num_key_value_heads": 2, "vocab_size": VOCABULARY, "initializer_range": 0.2}

HALVES: dict[str, Any] = {
    f"{half}_{what}": size
    for half in ("encoder", "decoder")
    for what, size in {"layers": 2, "attention_heads": 4, "ffn_dim": 128}.items()
}
WINDOW = 16
MEL_BINS, FRAMES = 16, 100


def causal(name: str) -> Any:
    """Build a model without an encoder."""
    torch.manual_seed(0)
    if name == "llama":
        return LlamaForCausalLM(LlamaConfig(**DECODER)).eval()
    if name == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**DECODER)).eval()
    if name == "gemma3":
        layers = ["sliding_attention", "full_attention"]
        config = Gemma3TextConfig(
            **DECODER, head_dim=32, sliding_window=WINDOW, layer_types=layers, tie_word_embeddings=False
        )
        return Gemma3ForCausalLM(config).eval()
    if name == "opt":
        sizes: dict[str, Any] = {
            "hidden_size": 64,
            "ffn_dim": 128,
            "word_embed_proj_dim": 64,
            "max_position_embeddings": 128,
        }
        sizes |= {"num_hidden_layers": 2, "num_attention_heads": 4, "init_std": 0.2}
        return OPTForCausalLM(OPTConfig(vocab_size=VOCABULARY, **sizes)).eval()
    sizes: dict[str, Any] = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128, "initializer_range": 0.2}
    return GPT2LMHeadModel(GPT2Config(**sizes, vocab_size=VOCABULARY, eos_token_id=0, bos_token_id=0)).eval()


def with_encoder(name: str) -> Any:
    """Build a model with an encoder."""
    torch.manual_seed(0)
    if name == "t5":
        sizes: dict[str, Any] = {
            "d_model": 64,
            "d_kv": 16,
            "d_ff": 128,
            "num_layers": 2,
            "num_heads": 4,
            "initializer_factor": 5.0,
            "tie_word_embeddings": False,
        }
        sizes["decoder_start_token_id"] = 0
        return _spread(T5ForConditionalGeneration(T5Config(vocab_size=VOCABULARY, **sizes)))
    if name == "bart":
        config = BartConfig(
            vocab_size=VOCABULARY,
            max_position_embeddings=64,
            d_model=64,
            **HALVES,
            init_std=0.2,
            forced_eos_token_id=None,
        )
        return _spread(BartForConditionalGeneration(config))
    tokens: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3}
    config = WhisperConfig(vocab_size=VOCABULARY, num_mel_bins=MEL_BINS, d_model=64, **HALVES, **tokens)
    config.max_source_positions, config.max_target_positions = FRAMES // 2, 64
    model = _spread(WhisperForConditionalGeneration(config))
    model.generation_config.suppress_tokens = model.generation_config.begin_suppress_tokens = None
    return model


def _spread(model: Any) -> Any:
    """Draw matrices so wide that tokens vary."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.2)
    return model.eval()
