"""Kokoro 82M whole, as the stages of a system: phonemes to durations, durations to frames, frames to samples.

Each stage computes what the package's `KModel.forward_with_tokens` does for one text, from the package's own modules.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import AlbertConfig

from ttc.models.alignment import alignment
from ttc.models.kokoro import (
    DROPOUT,
    ENCODERS,
    HIDDEN,
    KERNEL,
    LONGEST_DURATION,
    PL_BERT,
    POSITIONS,
    STYLE,
    VOCABULARY,
    modules,
    whole_decoder,
)
from ttc.models.model import Built, Weigh

PACE, VARIETY = -3.2, 4.0
"""The bias of random durations, and the spread of their weights: from 2 frames of 25 ms a phoneme to 5."""

EXAMPLE = {"real": (32, 96), "tiny": (8, 24)}
"""Phonemes and frames of the examples."""


class Parts(nn.Module):
    """The package's modules under the names of its checkpoints."""

    def __init__(self, size: str):
        super().__init__()
        config = ENCODERS[size]
        width = config["width"]
        self.bert = modules.CustomAlbert(
            AlbertConfig(vocab_size=VOCABULARY, max_position_embeddings=POSITIONS, **PL_BERT[size])
        )
        self.bert_encoder = nn.Linear(PL_BERT[size]["hidden_size"], width)
        self.predictor = modules.ProsodyPredictor(STYLE[size], width, config["layers"], LONGEST_DURATION, DROPOUT)
        self.text_encoder = modules.TextEncoder(HIDDEN, KERNEL, config["layers"], VOCABULARY)
        self.decoder = whole_decoder(size)
        self._pace(self.predictor.duration_proj.linear_layer)

    @torch.no_grad()
    def _pace(self, layer: nn.Linear) -> None:
        """Give random durations a trained model's pace, where random weights say half of the longest of everything."""
        spread = torch.randn(layer.in_features) * VARIETY / layer.in_features**0.5
        layer.weight[0::2], layer.weight[1::2] = spread, -spread  # so that few are faster than the bias says
        layer.bias.fill_(PACE)

    def defaults(self) -> list[str]:
        """List the weights that published checkpoints lack: those of norms that scale nothing."""
        return [
            f"{name}.{weight}"
            for name, module in self.named_modules()
            if isinstance(module, nn.InstanceNorm1d)
            for weight in module.state_dict()
        ]


class Encode(nn.Module):
    """Phonemes i64[1, T] in a voice [1, 2 S] to the frames of each (whole, [1, T]), their sum, and two encodings.

    The encodings are [1, T, width + S], of which prosody is made, and [1, 512, T], of which sound is made.
    """

    def __init__(self, parts: Parts):
        super().__init__()
        self.bert, self.bert_encoder = parts.bert, parts.bert_encoder
        self.predictor, self.text_encoder = parts.predictor, parts.text_encoder

    def forward(self, phonemes: Tensor, voice: Tensor) -> dict[str, Tensor]:
        lengths = torch.full((1,), phonemes.shape[1])
        beyond = torch.zeros_like(phonemes, dtype=torch.bool)
        style = voice[:, voice.shape[1] // 2 :]
        hidden = self.bert(phonemes, attention_mask=torch.ones_like(phonemes))
        prosody = self.predictor.text_encoder(self.bert_encoder(hidden).mT, style, lengths, beyond)
        steps, _ = self.predictor.lstm(prosody)
        durations = torch.sigmoid(self.predictor.duration_proj(steps)).sum(-1).round().clamp(min=1)
        text = self.text_encoder(phonemes, lengths, beyond)
        return {"durations": durations, "total": durations.long().sum(1), "prosody": prosody, "text": text}


class Align(nn.Module):
    """Encodings of phonemes, repeated for the frames of each: [1, width + S, F] and [1, 512, F].

    `frames` are the positions 0 to F - 1, [1, F].
    """

    def forward(self, frames: Tensor, durations: Tensor, prosody: Tensor, text: Tensor) -> dict[str, Tensor]:
        path = alignment(durations, frames)
        return {"prosody": prosody.mT @ path, "text": text @ path}


class Synthesize(nn.Module):
    """Encodings of frames, [1, width + S, F] and [1, 512, F], in a voice [1, 2 S] to samples [1, 600 F]."""

    def __init__(self, parts: Parts):
        super().__init__()
        self.predictor, self.decoder = parts.predictor, parts.decoder

    def forward(self, prosody: Tensor, text: Tensor, voice: Tensor) -> Tensor:
        half = voice.shape[1] // 2
        pitch, loudness = self.predictor.F0Ntrain(prosody, voice[:, half:])
        return self.decoder(text, pitch, loudness, voice[:, :half])[:, 0]


def speech(size: str, weigh: Weigh) -> dict[str, Built]:
    """Build the stages of speech; `weigh` gives the package's modules their weights."""
    parts = Parts(size)
    weigh(parts, defaults=parts.defaults())
    tokens, frames = EXAMPLE[size]
    voice = torch.randn(1, 2 * STYLE[size])
    width = ENCODERS[size]["width"] + STYLE[size]
    durations = torch.full((1, tokens), float(frames // tokens))
    return {
        "encode": (Encode(parts), {"phonemes": torch.randint(0, VOCABULARY, (1, tokens)), "voice": voice}),
        "align": (
            Align(),
            {
                "frames": torch.arange(float(frames))[None],
                "durations": durations,
                "prosody": torch.randn(1, tokens, width),
                "text": torch.randn(1, HIDDEN, tokens),
            },
        ),
        "synthesize": (
            Synthesize(parts),
            {"prosody": torch.randn(1, width, frames), "text": torch.randn(1, HIDDEN, frames), "voice": voice},
        ),
    }
