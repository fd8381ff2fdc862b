"""OpenVoice's base speakers (Qin et al. 2023): tokens to speech, as the stages of a system, alone or before conversion.

Each stage computes what `SynthesizerTrn.infer` does for one text, from the package's own modules.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ttc.models.model import Built, Weigh
from ttc.models.openvoice import CONFIGS, Conversion, converting, hop, lively, synthesizer
from ttc.models.vits import Align

STOCHASTIC = 0.2
"""The part of the stochastic predictor in the logarithm of a duration; the rest is the deterministic one's."""

DURATION_NOISE, NOISE = 0.6, 0.667
"""The noise of durations and of latents that OpenVoice gives its base speakers."""

PACE = 1.2
"""The bias of random durations: the logarithm of about 3 frames for each token."""

EXAMPLE = {"real": (64, 192), "tiny": (12, 64)}
"""Tokens and frames of the examples."""


class Encode(nn.Module):
    """Tokens i64[1, T] and a speaker i64[1] to the frames of each token (whole, [1, T]), their sum, and the prior.

    The sum is i64[1]; the prior's means and logarithms of variances are [1, T, latents].
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.text, self.speakers = model.enc_p, model.emb_g
        self.stochastic, self.deterministic = model.sdp, model.dp

    def forward(self, tokens: Tensor, speaker: Tensor) -> dict[str, Tensor]:
        every = torch.ones_like(tokens, dtype=torch.float32)[:, None]
        embedded = self.text.emb(tokens).mT * math.sqrt(self.text.hidden_channels)
        encoded = self.text.encoder(embedded, every)
        means, log_variances = self.text.proj(encoded).chunk(2, 1)
        voice = self.speakers(speaker)[..., None]
        drawn = self.stochastic(encoded, every, g=voice, reverse=True, noise_scale=DURATION_NOISE)
        logarithms = drawn * STOCHASTIC + self.deterministic(encoded, every, g=voice) * (1 - STOCHASTIC)
        durations = torch.ceil(torch.exp(logarithms[:, 0]))
        return {
            "durations": durations,
            "total": durations.long().sum(1),
            "means": means.mT,
            "log_variances": log_variances.mT,
        }


class Synthesize(nn.Module):
    """The prior of frames, [1, latents, F] each, and a speaker i64[1] to samples [1, hop * F].

    The noise of the latents is drawn here.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.flow, self.decoder, self.speakers = model.flow, model.dec, model.emb_g

    def forward(self, means: Tensor, log_variances: Tensor, speaker: Tensor) -> Tensor:
        voice = self.speakers(speaker)[..., None]
        latents = means + torch.randn_like(means) * torch.exp(log_variances) * NOISE
        return self.decoder(self.flow(latents, torch.ones_like(means[:, :1]), g=voice, reverse=True), g=voice)[:, 0]


class Convert(nn.Module):
    """Samples [1, N] and the embeddings [1, gin] of their speaker and of another to samples [1, hop * (N // hop)]."""

    def __init__(self, conversion: Conversion):
        super().__init__()
        self.conversion = conversion

    def forward(self, samples: Tensor, source: Tensor, target: Tensor) -> Tensor:
        return self.conversion.between(samples, source, target)


def speech(size: str, symbols: int, speakers: int, weigh: Weigh) -> dict[str, Built]:
    """Build the stages of speech, of tokens below `symbols`; `weigh` gives the package's module its weights."""
    model = lively(synthesizer(size, speakers, symbols))
    nn.init.constant_(model.dp.proj.bias, PACE)
    weigh(model)
    tokens, frames = EXAMPLE[size]
    latents = CONFIGS[size]["inter_channels"]
    of_tokens, of_frames, speaker = (1, tokens, latents), (1, latents, frames), torch.zeros(1, dtype=torch.long)
    return {
        "encode": (Encode(model), {"tokens": torch.randint(0, symbols, (1, tokens)), "speaker": speaker}),
        "align": (
            Align(),
            {
                "frames": torch.arange(float(frames))[None],
                "durations": torch.full((1, tokens), float(frames // tokens)),
                "means": torch.randn(of_tokens),
                "log_variances": torch.randn(of_tokens),
            },
        ),
        "synthesize": (
            Synthesize(model),
            {"means": torch.randn(of_frames), "log_variances": torch.randn(of_frames), "speaker": speaker},
        ),
    }


def conversion_of_speech(size: str, weigh: Weigh) -> dict[str, Built]:
    """Build the stages that give speech another speaker's voice: of the speech, of the other, and the conversion."""
    tone, convert = converting(size, weigh)
    samples = torch.randn(1, EXAMPLE[size][1] * hop(size))
    embedding = torch.randn(1, CONFIGS[size]["gin_channels"])
    return {
        "tone": (tone, {"samples": samples}),
        "own_tone": (tone, {"samples": samples}),
        "convert": (Convert(convert), {"samples": samples, "source": embedding, "target": embedding}),
    }
