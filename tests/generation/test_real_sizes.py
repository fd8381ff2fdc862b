"""`generate` at the sizes of published models, with seeded weights.

pytest -m sweep tests/generation/test_real_sizes.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

import ttc.generation

NEW = 64
PROMPT = 20

QWEN: dict[str, Any] = {  # Qwen2.5-0.5B
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
    "rope_theta": 1e6,
}
T5_SMALL: dict[str, Any] = {
    "d_model": 512,
    "d_ff": 2048,
    "num_layers": 6,
    "num_heads": 8,
    "decoder_start_token_id": 0,
    "tie_word_embeddings": False,
}
WHISPER_TINY: dict[str, Any] = {
    "d_model": 384,
    "encoder_layers": 4,
    "decoder_layers": 4,
    "encoder_attention_heads": 6,
    "decoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "decoder_ffn_dim": 1536,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
}

MODELS: dict[str, Callable[[], Any]] = {
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config()),
    "qwen2.5-0.5b": lambda: Qwen2ForCausalLM(Qwen2Config(**QWEN)),
    "t5-small": lambda: T5ForConditionalGeneration(T5Config(**T5_SMALL)),
    "whisper-tiny": lambda: WhisperForConditionalGeneration(WhisperConfig(**WHISPER_TINY)),
}


SPREAD = {"gpt2": 2.0, "qwen2.5-0.5b": 1.5, "t5-small": 1.5, "whisper-tiny": 3.0}
"""How much matrices grow what they multiply: enough for tokens to vary, not so much that rounding decides them."""


def built(name: str) -> Any:
    """Build a model of seeded matrices."""
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=SPREAD[name] * parameter.shape[1] ** -0.5)
    model.generation_config.suppress_tokens = model.generation_config.begin_suppress_tokens = None
    return model


def prompt(model: Any, batch: int) -> dict[str, torch.Tensor]:
    """Return tokens with padding on the left, or a spectrogram."""
    generator = torch.Generator().manual_seed(1)
    if model.main_input_name == "input_features":
        return {"input_features": torch.randn(batch, 80, 3000, generator=generator)}
    ids = torch.randint(5, 30_000, (batch, PROMPT), generator=generator)
    mask = torch.ones_like(ids)
    if not model.config.is_encoder_decoder:
        for row in range(1, batch):
            mask[row, : 5 * row] = 0
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.sweep
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_greedy_tokens_are_equal(name: str, batch: int):
    model = built(name)
    given = prompt(model, batch)
    largest = {"inputs": given["input_features"]} if "input_features" in given else {}
    if model.config.is_encoder_decoder and not largest:
        largest = {"inputs": given["input_ids"]}
    other = ttc.generation.compile(
        model, capacity=128, batch=batch, tokens=(32,), dtype="fp32", device="emulator", **largest
    )
    how: dict[str, Any] = {"max_new_tokens": NEW, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    wanted = model.generate(**given, **how)
    assert wanted.unique().numel() > NEW // 4, "tokens that hardly vary show nothing"
    torch.testing.assert_close(other.generate(**given, **how), wanted)
    doubles = {key: x.double() if x.is_floating_point() else x for key, x in given.items()}
    assert torch.equal(model.double().generate(**doubles, **how), wanted), "tokens that rounding decides show nothing"
