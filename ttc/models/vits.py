"""VITS (Kim et al. 2021) of transformers, as MMS-TTS (Pratap et al. 2023) has it, as the stages of a system.

Each stage computes what `VitsModel.forward` does for one text of one speaker, from the model's own modules.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import VitsConfig, VitsModel

from ttc.models.alignment import alignment
from ttc.models.model import Built, Weigh

CONFIGS = {
    "real": {},
    "tiny": {"hidden_size": 32, "num_hidden_layers": 1, "ffn_dim": 64, "flow_size": 32, "spectrogram_bins": 33}
    | {"duration_predictor_num_flows": 2, "prior_encoder_num_flows": 2, "prior_encoder_num_wavenet_layers": 2}
    | {"posterior_encoder_num_wavenet_layers": 1, "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]]}
    | {"upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4], "upsample_initial_channel": 64},
}
"""The published configuration is the default of transformers."""

EXAMPLE = {"real": (64, 160), "tiny": (12, 32)}
"""Tokens and frames of the examples."""


class Encode(nn.Module):
    """Tokens i64[1, T] to the frames of each (whole, [1, T]), their sum i64[1], and the latents' prior.

    The prior's means and logarithms of variances are [1, T, flow].
    """

    def __init__(self, model: VitsModel):
        super().__init__()
        self.encoder, self.predictor = model.text_encoder, model.duration_predictor
        self.noise_scale, self.slowness = model.noise_scale_duration, 1 / model.speaking_rate

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        every = torch.ones_like(tokens, dtype=torch.float32)
        encoded = self.encoder(tokens, padding_mask=every[..., None])
        hidden = encoded.last_hidden_state.mT
        logarithms = self.predictor(hidden, every[:, None], None, reverse=True, noise_scale=self.noise_scale)
        durations = torch.ceil(torch.exp(logarithms[:, 0]) * self.slowness)
        return {
            "durations": durations,
            "total": durations.long().sum(1),
            "means": encoded.prior_means,
            "log_variances": encoded.prior_log_variances,
        }


class Align(nn.Module):
    """The prior of tokens, repeated for the frames of each: [1, flow, F]. `frames` are 0 to F - 1, [1, F]."""

    def forward(self, frames: Tensor, durations: Tensor, means: Tensor, log_variances: Tensor) -> dict[str, Tensor]:
        path = alignment(durations, frames)
        return {"means": means.mT @ path, "log_variances": log_variances.mT @ path}


class Synthesize(nn.Module):
    """The prior of frames, [1, flow, F] each, to samples [1, hop * F]; the noise of the latents is drawn here."""

    def __init__(self, model: VitsModel):
        super().__init__()
        self.flow, self.decoder, self.noise_scale = model.flow, model.decoder, model.noise_scale

    def forward(self, means: Tensor, log_variances: Tensor) -> Tensor:
        latents = means + torch.randn_like(means) * torch.exp(log_variances) * self.noise_scale
        return self.decoder(self.flow(latents, torch.ones_like(means[:, :1]), reverse=True))[:, 0]


def speech(size: str, weigh: Weigh) -> dict[str, Built]:
    """Build the stages of speech; `weigh` gives the package's model its weights."""
    config = VitsConfig(**CONFIGS[size])
    model = VitsModel(config)
    weigh(model)
    tokens, frames = EXAMPLE[size]
    of_tokens, of_frames = (1, tokens, config.flow_size), (1, config.flow_size, frames)
    return {
        "encode": (Encode(model), {"tokens": torch.randint(0, config.vocab_size, (1, tokens))}),
        "align": (
            Align(),
            {
                "frames": torch.arange(float(frames))[None],
                "durations": torch.full((1, tokens), float(frames // tokens)),
                "means": torch.randn(of_tokens),
                "log_variances": torch.randn(of_tokens),
            },
        ),
        "synthesize": (Synthesize(model), {"means": torch.randn(of_frames), "log_variances": torch.randn(of_frames)}),
    }
