"""OpenVoice V2 (Qin et al. 2023): conversion of one speaker's voice into another's, and parts of its synthesis."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from ttc.models.model import Built, Model

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the package compiles a function with torch.jit.script
    from openvoice_cli import commons, models

VOCABULARY, TAU = 219, 0.3
CONFIGS = {
    "real": {"spec_channels": 513, "inter_channels": 192, "hidden_channels": 192, "filter_channels": 768, "n_layers": 6}
    | {"upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4], "upsample_initial_channel": 512}
    | {"gin_channels": 256},
    "tiny": {"spec_channels": 33, "inter_channels": 32, "hidden_channels": 32, "filter_channels": 64, "n_layers": 2}
    | {"upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4], "upsample_initial_channel": 64, "gin_channels": 16},
}
FRAMES = {"real": 256, "tiny": 20}
TOKENS = {"real": 64, "tiny": 24}


def gated(a: Tensor, b: Tensor, channels: Tensor) -> Tensor:
    """Compute tanh of the first half of a + b times the sigmoid of the second, without the package's TorchScript."""
    left, right = (a + b).chunk(2, 1)
    return torch.tanh(left) * torch.sigmoid(right)


commons.fused_add_tanh_sigmoid_multiply = gated


class Converter(nn.Module):
    """A spectrogram [B, F, T] of one speaker to samples of another; the posterior's noise comes in as an input."""

    def __init__(self, synthesizer: nn.Module):
        super().__init__()
        self.posterior, self.flow, self.decoder = synthesizer.enc_q, synthesizer.flow, synthesizer.dec

    def forward(self, spectrogram: Tensor, lengths: Tensor, source: Tensor, target: Tensor, noise: Tensor) -> Tensor:
        mask = commons.sequence_mask(lengths, spectrogram.shape[2])[:, None].to(spectrogram.dtype)
        nobody = torch.zeros_like(source)  # V2 tells neither the posterior nor the decoder who speaks
        hidden = self.posterior.enc(self.posterior.pre(spectrogram) * mask, mask, g=nobody)
        mean, log_deviation = (self.posterior.proj(hidden) * mask).chunk(2, 1)
        latent = (mean + noise * TAU * log_deviation.exp()) * mask
        latent = self.flow(self.flow(latent, mask, g=source), mask, g=target, reverse=True)
        return self.decoder(latent * mask, g=nobody)


def converter(size: str) -> Built:
    """Build the voice conversion without the reference encoder, whose embeddings are inputs."""
    model, config = _synthesizer(size, speakers=0), CONFIGS[size]
    frames, embedding = FRAMES[size], (1, config["gin_channels"], 1)
    return Converter(model), {
        "spectrogram": torch.rand(1, config["spec_channels"], frames),
        "lengths": torch.tensor([frames * 3 // 4], device="cpu"),
        "source": torch.randn(embedding),
        "target": torch.randn(embedding),
        "noise": torch.randn(1, config["inter_channels"], frames),
    }


def reference_encoder(size: str) -> Built:
    """Build the encoder of a recording's spectrogram [B, T, F] to a speaker's embedding [B, gin]: a GRU's state."""
    shape = (1, FRAMES[size], CONFIGS[size]["spec_channels"])
    return _synthesizer(size, speakers=0).ref_enc, {"inputs": torch.rand(shape)}


def text_encoder(size: str) -> Built:
    """Build the encoder from phonemes to the mean and deviation of latents."""
    tokens = TOKENS[size]
    return _synthesizer(size, speakers=4).enc_p, {
        "x": torch.randint(0, VOCABULARY, (1, tokens)),
        "x_lengths": torch.tensor([tokens - 3], device="cpu"),
    }


def durations(size: str) -> Built:
    """Build the model from encoded phonemes to the logarithms of their durations."""
    tokens, config = TOKENS[size], CONFIGS[size]
    return _synthesizer(size, speakers=4).dp, {
        "x": torch.randn(1, config["hidden_channels"], tokens),
        "x_mask": torch.ones(1, 1, tokens),
        "g": torch.randn(1, config["gin_channels"], 1),
    }


def _synthesizer(size: str, speakers: int) -> nn.Module:
    return models.SynthesizerTrn(
        VOCABULARY,
        n_heads=2,
        kernel_size=3,
        p_dropout=0.1,
        resblock="1",
        resblock_kernel_sizes=[3, 7, 11],
        resblock_dilation_sizes=[[1, 3, 5]] * 3,
        n_speakers=speakers,
        zero_g=True,
        **CONFIGS[size],
    )


MODELS = (
    Model("openvoice_converter", "OpenVoice V2 voice conversion", converter, pcc=0.99),
    Model("openvoice_reference_encoder", "OpenVoice V2 speaker encoder", reference_encoder),
    Model("openvoice_text_encoder", "OpenVoice V2 phoneme encoder", text_encoder),
    Model("openvoice_durations", "OpenVoice V2 duration predictor", durations),
)
