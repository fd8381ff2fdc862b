"""Kokoro 82M (hexgrad 2025), text to speech, in parts: encoders of phonemes, prosody, frames to samples.

The encoders take the true length of each sample as the package does: `lengths`, and a mask that is True beyond them.
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
ENCODERS = {"real": {"width": 512, "layers": 3}, "tiny": {"width": 32, "layers": 2}}
KERNEL, LONGEST_DURATION, DROPOUT = 5, 50, 0.2
STYLE = {"real": 128, "tiny": 16}
VOCODER = {
    "real": {"upsample_rates": [10, 6], "upsample_kernel_sizes": [20, 12], "resblock_kernel_sizes": [3, 7, 11]},
    "tiny": {"upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4], "resblock_kernel_sizes": [3]},
}
FRAMES = {"real": 64, "tiny": 6}


def submodules(*names: str) -> list[ModuleType]:
    """Return modules of the package kokoro without its own file, which imports a phonemiser and a downloader."""
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


istftnet, modules = submodules("istftnet", "modules")


class FramesToPitch(nn.Module):
    """Kokoro's prosody predictor from aligned frames on: [B, width + S, F] and a style [B, S] to pitch and loudness.

    Pitch and loudness are [B, 2 F]. The package has this as a method beside `forward`, and torch.export reads
    `forward` alone.
    """

    def __init__(self, predictor: nn.Module):
        super().__init__()
        self.predictor = predictor

    def forward(self, frames: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        return self.predictor.F0Ntrain(frames, style)


class NoSource(nn.Module):
    """Stand-in for the source of sines, whose spectrum is given."""

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
    """Build the encoder from phonemes to hidden states."""
    config = AlbertConfig(vocab_size=VOCABULARY, max_position_embeddings=POSITIONS, **PL_BERT[size])
    mask = torch.ones(1, TOKENS, dtype=torch.int64)
    mask[:, -5:] = 0
    return modules.CustomAlbert(config), {
        "input_ids": torch.randint(0, VOCABULARY, (1, TOKENS)),
        "attention_mask": mask,
    }


def text_encoder(size: str) -> Built:
    """Build the encoder from phonemes [B, T] to hidden states [B, width, T]."""
    config = ENCODERS[size]
    model = modules.TextEncoder(config["width"], KERNEL, config["layers"], VOCABULARY)
    lengths, beyond = _lengths()
    return model, {"x": torch.randint(0, VOCABULARY, beyond.shape), "input_lengths": lengths, "m": beyond}


def duration_encoder(size: str) -> Built:
    """Build the encoder from states [B, width, T] in a style [B, S] to states [B, T, width + S] for the durations."""
    config = ENCODERS[size]
    model = modules.DurationEncoder(STYLE[size], config["width"], config["layers"], DROPOUT)
    lengths, beyond = _lengths()
    states, style = torch.randn(2, config["width"], TOKENS), torch.randn(2, STYLE[size])
    return model, {"x": states, "style": style, "text_lengths": lengths, "m": beyond}


def prosody(size: str) -> Built:
    """Build the model from states [B, width, T] and an alignment [B, T, F] to durations [B, T, 50] and frames.

    Frames are [B, width + S, F].
    """
    lengths, beyond = _lengths()
    token_of_frame = torch.randint(0, TOKENS - 5, (2, FRAMES[size])).sort().values
    return _predictor(size), {
        "texts": torch.randn(2, ENCODERS[size]["width"], TOKENS),
        "style": torch.randn(2, STYLE[size]),
        "text_lengths": lengths,
        "alignment": nn.functional.one_hot(token_of_frame, TOKENS).mT.float(),
        "m": beyond,
    }


def pitch(size: str) -> Built:
    """Build the model from frames in a style to pitch and loudness."""
    width = ENCODERS[size]["width"] + STYLE[size]
    inputs = {"frames": torch.randn(1, width, FRAMES[size]), "style": torch.randn(1, STYLE[size])}
    return FramesToPitch(_predictor(size)), inputs


def _predictor(size: str) -> nn.Module:
    config = ENCODERS[size]
    return modules.ProsodyPredictor(STYLE[size], config["width"], config["layers"], LONGEST_DURATION, DROPOUT)


def _lengths() -> tuple[Tensor, Tensor]:
    """Return the lengths of two samples, and whether a position [2, T] is beyond them."""
    beyond = torch.zeros(2, TOKENS, dtype=torch.bool)
    beyond[1, -5:] = True
    return torch.tensor([TOKENS, TOKENS - 5], device="cpu"), beyond


def whole_decoder(size: str) -> nn.Module:
    """Build the package's decoder as its users hear the decoder: with torch's own short-time transforms.

    The decoder takes frames [B, 512, T], pitch and loudness [B, 2 T] and a style [B, S].
    """
    vocoder = VOCODER[size]
    with torch.device("cpu"):  # the window of its transforms is no weight, and none of fake numbers
        return istftnet.Decoder(
            HIDDEN,
            STYLE[size],
            MELS,
            resblock_dilation_sizes=[[1, 3, 5]] * len(vocoder["resblock_kernel_sizes"]),
            upsample_initial_channel=HIDDEN,
            gen_istft_n_fft=N_FFT,
            gen_istft_hop_size=HOP,
            **vocoder,
        )


def decoder(size: str) -> Built:
    """Build the model from frames and the spectrum of the source to samples."""
    frames = FRAMES[size]
    spectrum = (1, N_FFT // 2 + 1, 2 * frames * math.prod(VOCODER[size]["upsample_rates"]) + 1)
    return FramesToSamples(whole_decoder(size)), {
        "frames": torch.randn(1, HIDDEN, frames),
        "pitch": torch.rand(1, 2 * frames) * 200 + 50,
        "loudness": torch.randn(1, 2 * frames),
        "style": torch.randn(1, STYLE[size]),
        "magnitude": torch.rand(spectrum),
        "phase": (torch.rand(spectrum) * 2 - 1) * math.pi,
    }


MODELS = (
    Model("kokoro_bert", "Kokoro 82M phoneme encoder PL-BERT", pl_bert),
    Model("kokoro_text_encoder", "Kokoro 82M text encoder, phonemes to states", text_encoder),
    Model("kokoro_duration_encoder", "Kokoro 82M duration encoder", duration_encoder),
    Model("kokoro_prosody", "Kokoro 82M prosody predictor, states to durations and frames", prosody),
    Model("kokoro_pitch", "Kokoro 82M prosody predictor, frames to pitch and loudness", pitch),
    Model("kokoro_decoder", "Kokoro 82M decoder, frames to samples", decoder, pcc=0.99),
)
