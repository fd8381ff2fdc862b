"""Small models of transformers and a small net, with the modules that examples put on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    OwlViTForObjectDetection,
    ResNetConfig,
    ResNetForImageClassification,
    SpeechT5Config,
    SpeechT5ForTextToSpeech,
    ViTConfig,
    ViTForImageClassification,
    WhisperForConditionalGeneration,
)
from transformers.models.owlvit.configuration_owlvit import OwlViTConfig

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


@dataclass(frozen=True)
class Example:
    """A model, a call of it, and the classes of modules that run on the device."""

    build: Callable[[], tuple[Any, dict[str, Any]]]
    replace: tuple[type | str, ...]


def vit() -> tuple[Any, dict[str, Any]]:
    config = ViTConfig(**SIZES, image_size=32, patch_size=16, num_labels=5)
    return ViTForImageClassification(config), {"pixel_values": torch.randn(2, 3, 32, 32)}


def llama() -> tuple[Any, dict[str, Any]]:
    config = LlamaConfig(**SIZES, num_key_value_heads=1, vocab_size=50, initializer_range=0.2)
    return LlamaForCausalLM(config), {"input_ids": torch.randint(0, 50, (2, 7)), "use_cache": False}


def owlvit() -> tuple[Any, dict[str, Any]]:
    text = {**SIZES, "vocab_size": 99, "max_position_embeddings": 8, "bos_token_id": 97, "eos_token_id": 98}
    config = OwlViTConfig(
        text_config=text, vision_config={**SIZES, "image_size": 32, "patch_size": 16}, projection_dim=32
    )
    ids = torch.randint(1, 96, (2, 8))
    image = torch.randn(1, 3, 32, 32)
    return OwlViTForObjectDetection(config), {
        "input_ids": ids,
        "pixel_values": image,
        "attention_mask": torch.ones_like(ids),
    }


def speecht5() -> tuple[Any, dict[str, Any]]:
    halves = {
        f"{half}_{what}": size
        for half in ("encoder", "decoder")
        for what, size in {"layers": 1, "ffn_dim": 64, "attention_heads": 2}.items()
    }
    config = SpeechT5Config(vocab_size=40, hidden_size=32, num_mel_bins=16, **halves, speech_decoder_prenet_units=32)
    return SpeechT5ForTextToSpeech(config).speecht5.encoder, {"input_values": torch.randint(0, 40, (1, 9))}


def whisper() -> tuple[Any, dict[str, Any]]:
    from transformers import WhisperConfig

    halves = {
        f"{half}_{what}": size
        for half in ("encoder", "decoder")
        for what, size in {"layers": 1, "ffn_dim": 64, "attention_heads": 2}.items()
    }
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3}
    config = WhisperConfig(vocab_size=50, num_mel_bins=8, d_model=32, **halves, **tokens)
    config.max_source_positions, config.max_target_positions = 10, 16
    return WhisperForConditionalGeneration(config), {
        "input_features": torch.randn(1, 8, 20),
        "decoder_input_ids": torch.randint(4, 50, (1, 5)),
        "use_cache": False,
    }


def resnet() -> tuple[Any, dict[str, Any]]:
    config = ResNetConfig(
        embedding_size=16, hidden_sizes=[32, 64], depths=[1, 1], layer_type="bottleneck", num_labels=5
    )
    return ResNetForImageClassification(config), {"pixel_values": torch.randn(1, 3, 32, 32)}


EXAMPLES = {
    "vit": Example(vit, (nn.Linear, nn.LayerNorm, "ViTAttention")),
    "llama": Example(llama, ("LlamaMLP", "LlamaRMSNorm", "LlamaAttention", nn.Linear)),
    "owlvit": Example(owlvit, ("OwlViTAttention", "OwlViTMLP")),
    "speecht5": Example(speecht5, ("SpeechT5Attention", "SpeechT5FeedForward")),
    "whisper": Example(whisper, ("WhisperAttention", nn.Conv1d)),
    "resnet": Example(resnet, ("ResNetBottleNeckLayer", nn.Linear)),
}


def built(name: str) -> tuple[Any, dict[str, Any]]:
    """Build a seeded model, for inference, and arguments by name."""
    torch.manual_seed(0)
    model, call = EXAMPLES[name].build()
    return model.eval(), call


class Block(nn.Module):
    """A norm and two products with a residual, [n, 32]."""

    def __init__(self):
        super().__init__()
        self.norm, self.first, self.second = nn.LayerNorm(32), nn.Linear(32, 64), nn.Linear(64, 32)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(self.norm(x))))


class Net(nn.Module):
    """A block and a head, [n, 32] to [n, 4]."""

    def __init__(self):
        super().__init__()
        self.block, self.head = Block(), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(x))


def net() -> tuple[Net, Tensor]:
    torch.manual_seed(0)
    return Net().eval(), torch.randn(8, 32)
