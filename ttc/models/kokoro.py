"""Kokoro 82M (hexgrad 2025), text to speech: its phoneme encoder PL-BERT, and the decoder from frames to samples.

What lies between them, encoders with recurrences and the alignment, depends on lengths and is not among them.
"""

from __future__ import annotations

import importlib
import math
import sys
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor, nn
from transformers import AlbertConfig

from ttc.models.model import Built, Model

TOKENS, VOCABULARY, POSITIONS, HIDDEN, MELS, N_FFT, HOP = 48, 178, 512, 512, 80, 20, 5
PL_BERT = {
    "real": {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 2048, "num_hidden_layers": 12},
    "tiny": {"hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 128, "num_hidden_layers": 2}
    | {"embedding_size": 32},
}
STYLE = {"real": 128, "tiny": 16}
VOCODER = {
    "real": {"upsample_rates": [10, 6], "upsample_kernel_sizes": [20, 12], "resblock_kernel_sizes": [3, 7, 11]},
    "tiny": {"upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4], "resblock_kernel_sizes": [3]},
}
FRAMES = {"real": 64, "tiny": 6}


def _submodules(*names: str) -> list[ModuleType]:
    """Modules of the package kokoro, without its own file, which imports a phonemiser and a downloader."""
    spec = find_spec("kokoro")
    if spec is None:
        raise ModuleNotFoundError("no module named 'kokoro'", name="kokoro")
    package = ModuleType("kokoro")
    package.__path__ = list(spec.submodule_search_locations or ())
    had = sys.modules.get("kokoro")
    sys.modules["kokoro"] = had or package
    try:
        return [importlib.import_module(f"kokoro.{name}") for name in names]
    finally:
        if had is None:
            del sys.modules["kokoro"]


istftnet, modules = _submodules("istftnet", "modules")


class NoSource(nn.Module):
    """In place of the source of sines, whose spectrum is given."""

    def forward(self, pitch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return pitch, pitch, pitch


class FramesToSamples(nn.Module):
    """Kokoro's decoder: frames [B, 512, T], pitch and loudness [B, 2 T] and a style [B, S] to samples.

    The spectrum of its source of sines, magnitude and phase [B, bins, steps], is an input: the source follows a
    phase over all samples, and draws noise.
    """

    def __init__(self, decoder: nn.Module):
        super().__init__()
        self.decoder = decoder
        self.decoder.generator.m_source = NoSource()

    def forward(
        self, frames: Tensor, pitch: Tensor, loudness: Tensor, style: Tensor, magnitude: Tensor, phase: Tensor
    ) -> Tensor:
        self.decoder.generator.stft.transform = lambda waveform: (magnitude, phase)
        return self.decoder(frames, pitch, loudness, style)


def pl_bert(size: str) -> Built:
    """Phonemes to states."""
    config = AlbertConfig(vocab_size=VOCABULARY, max_position_embeddings=POSITIONS, **PL_BERT[size])
    mask = torch.ones(1, TOKENS, dtype=torch.int64)
    mask[:, -5:] = 0
    return modules.CustomAlbert(config), {
        "input_ids": torch.randint(0, VOCABULARY, (1, TOKENS)),
        "attention_mask": mask,
    }


def decoder(size: str) -> Built:
    """The decoder in its real-valued form, whose short-time transforms are convolutions."""
    vocoder = VOCODER[size]
    frames = FRAMES[size]
    spectrum = (1, N_FFT // 2 + 1, 2 * frames * math.prod(vocoder["upsample_rates"]) + 1)
    with torch.device("cpu"):  # its transforms are made with numpy
        model = istftnet.Decoder(
            HIDDEN,
            STYLE[size],
            MELS,
            resblock_dilation_sizes=[[1, 3, 5]] * len(vocoder["resblock_kernel_sizes"]),
            upsample_initial_channel=HIDDEN,
            gen_istft_n_fft=N_FFT,
            gen_istft_hop_size=HOP,
            disable_complex=True,
            **vocoder,
        )
    return FramesToSamples(model), {
        "frames": torch.randn(1, HIDDEN, frames),
        "pitch": torch.rand(1, 2 * frames) * 200 + 50,
        "loudness": torch.randn(1, 2 * frames),
        "style": torch.randn(1, STYLE[size]),
        "magnitude": torch.rand(spectrum),
        "phase": (torch.rand(spectrum) * 2 - 1) * math.pi,
    }


MODELS = (
    Model("kokoro_bert", "Kokoro 82M phoneme encoder PL-BERT", pl_bert),
    Model("kokoro_decoder", "Kokoro 82M decoder, frames to samples", decoder, pcc=0.99),
)
