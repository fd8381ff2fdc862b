"""OpenVoice V2 (Qin et al. 2023): conversion of one speaker's voice into another's, and parts of its synthesis."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional

from ttc.models.model import Built, Model, Weigh

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the package compiles a function with torch.jit.script
    from openvoice_cli import commons, models

VOCABULARY, TAU, SPREAD = 219, 0.3, 0.05
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

    def __init__(self, model: nn.Module):
        super().__init__()
        self.posterior, self.flow, self.decoder = model.enc_q, model.flow, model.dec

    def forward(self, spectrogram: Tensor, lengths: Tensor, source: Tensor, target: Tensor, noise: Tensor) -> Tensor:
        mask = commons.sequence_mask(lengths, spectrogram.shape[2])[:, None].to(spectrogram.dtype)
        return self.convert(spectrogram, mask, source, target, noise)

    def convert(self, spectrogram: Tensor, mask: Tensor, source: Tensor, target: Tensor, noise: Tensor) -> Tensor:
        """Convert the frames that a mask [B, 1, T] of 1 and 0 has."""
        nobody = torch.zeros_like(source)  # V2 tells neither the posterior nor the decoder who speaks
        hidden = self.posterior.enc(self.posterior.pre(spectrogram) * mask, mask, g=nobody)
        mean, log_deviation = (self.posterior.proj(hidden) * mask).chunk(2, 1)
        latent = (mean + noise * TAU * log_deviation.exp()) * mask
        latent = self.flow(self.flow(latent, mask, g=source), mask, g=target, reverse=True)
        return self.decoder(latent * mask, g=nobody)


class Spectrogram(nn.Module):
    """Samples [B, N] to magnitudes [B, bins, N // hop] of windows of 2 (bins - 1) samples, as the package computes it.

    The samples are mirrored at both ends, by half of what two windows overlap in, so that frames do not lean.
    """

    def __init__(self, bins: int, hop: int):
        super().__init__()
        self.hop = hop
        self.register_buffer("window", torch.hann_window(2 * (bins - 1)), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        size = len(self.window)
        overlap = (size - self.hop) // 2
        mirrored = functional.pad(samples[:, None], (overlap, overlap), mode="reflect")[:, 0]
        bins = torch.stft(mirrored, size, self.hop, window=self.window, center=False, return_complex=True)
        return torch.sqrt(bins.real**2 + bins.imag**2 + 1e-6)


class Tone(nn.Module):
    """Recordings [B, N] to the embeddings [B, gin] of their speakers."""

    def __init__(self, spectrogram: Spectrogram, model: nn.Module):
        super().__init__()
        self.spectrogram, self.encoder = spectrogram, model.ref_enc

    def forward(self, samples: Tensor) -> Tensor:
        return self.encoder(self.spectrogram(samples).transpose(1, 2))


class Conversion(nn.Module):
    """A recording [1, N] and the embeddings [2, gin] of its speaker and of another to samples [1, hop * (N // hop)].

    The noise of the posterior is drawn in the module.
    """

    def __init__(self, spectrogram: Spectrogram, model: nn.Module):
        super().__init__()
        self.spectrogram, self.converter = spectrogram, Converter(model)

    def forward(self, samples: Tensor, embeddings: Tensor) -> Tensor:
        return self.between(samples, embeddings[:1], embeddings[1:])

    def between(self, samples: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Convert samples [1, N] from one speaker's embedding [1, gin] to another's."""
        spectrogram = self.spectrogram(samples)
        mask = torch.ones_like(spectrogram[:, :1])
        noise = torch.randn_like(mask.expand(-1, self.converter.flow.channels, -1))
        return self.converter.convert(spectrogram, mask, source[..., None], target[..., None], noise)[:, 0]


def conversion(size: str, weigh: Weigh) -> dict[str, Built]:
    """Build the stages of voice conversion, from recordings on; `weigh` gives the package's module its weights."""
    tone, convert = converting(size, weigh)
    samples = FRAMES[size] * hop(size)
    return {
        "tone": (tone, {"samples": torch.randn(2, samples)}),
        "convert": (
            convert,
            {"samples": torch.randn(1, samples), "embeddings": torch.randn(2, CONFIGS[size]["gin_channels"])},
        ),
    }


def converting(size: str, weigh: Weigh) -> tuple[Tone, Conversion]:
    """Build the modules of voice conversion, of one module of the package."""
    model = lively(synthesizer(size, speakers=0))
    weigh(model)
    spectrogram = Spectrogram(CONFIGS[size]["spec_channels"], hop(size))
    return Tone(spectrogram, model), Conversion(spectrogram, model)


@torch.no_grad()
def lively(model: nn.Module) -> nn.Module:
    """Draw the weights that begin as 0, with which random flows would do nothing; return the module."""
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=SPREAD)
    return model


def hop(size: str) -> int:
    """Count the samples of a frame."""
    return math.prod(CONFIGS[size]["upsample_rates"])


def converter(size: str) -> Built:
    """Build the voice conversion without the reference encoder, whose embeddings are inputs."""
    model, config = synthesizer(size, speakers=0), CONFIGS[size]
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
    return synthesizer(size, speakers=0).ref_enc, {"inputs": torch.rand(shape)}


def text_encoder(size: str) -> Built:
    """Build the encoder from phonemes to the mean and deviation of latents."""
    tokens = TOKENS[size]
    return synthesizer(size, speakers=4).enc_p, {
        "x": torch.randint(0, VOCABULARY, (1, tokens)),
        "x_lengths": torch.tensor([tokens - 3], device="cpu"),
    }


def durations(size: str) -> Built:
    """Build the model from encoded phonemes to the logarithms of their durations."""
    tokens, config = TOKENS[size], CONFIGS[size]
    return synthesizer(size, speakers=4).dp, {
        "x": torch.randn(1, config["hidden_channels"], tokens),
        "x_mask": torch.ones(1, 1, tokens),
        "g": torch.randn(1, config["gin_channels"], 1),
    }


def synthesizer(size: str, speakers: int, symbols: int = VOCABULARY) -> nn.Module:
    """Build the package's module: with speakers that of speech, without that of conversion."""
    return models.SynthesizerTrn(
        symbols,
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
