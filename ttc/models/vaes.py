"""Autoencoders of diffusion models: images and videos to latents and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderKLMochi, AutoencoderKLQwenImage, AutoencoderKLWan
from torch import Tensor, nn

from ttc.models.model import Built, Model


@dataclass(frozen=True)
class Autoencoder:
    """One autoencoder: its class, configurations, and by size the shapes of an image or video and of its latents."""

    kind: Callable[..., nn.Module]
    configs: dict[str, dict[str, Any]]
    samples: dict[str, tuple[int, ...]]
    latents: dict[str, tuple[int, ...]]


KL_BLOCKS = {
    f"{way}_block_types": (f"{name}Block2D",) * 4 for way, name in (("down", "DownEncoder"), ("up", "UpDecoder"))
}
KL = Autoencoder(
    AutoencoderKL,
    {
        "real": KL_BLOCKS
        | {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 16}
        | {"use_quant_conv": False, "use_post_quant_conv": False},
        "tiny": {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
        | {"block_out_channels": (32, 64), "latent_channels": 4, "norm_num_groups": 8},
    },
    {"real": (3, 1024, 1024), "tiny": (3, 16, 16)},
    {"real": (16, 128, 128), "tiny": (4, 8, 8)},
)
MOCHI = Autoencoder(
    AutoencoderKLMochi,
    {
        "real": {},
        "tiny": {"encoder_block_out_channels": (32, 32, 64), "decoder_block_out_channels": (32, 32, 64)}
        | {"layers_per_block": (1, 1, 1, 1), "temporal_expansions": (1, 2), "spatial_expansions": (2, 2)}
        | {"add_attention_block": (False, True, True, True), "latent_channels": 4}
        | {"latents_mean": (0.0,) * 4, "latents_std": (1.0,) * 4},
    },
    {"real": (3, 7, 480, 848), "tiny": (3, 3, 16, 16)},
    {"real": (12, 2, 60, 106), "tiny": (4, 2, 4, 4)},
)
WAN_TINY = {"base_dim": 32, "z_dim": 4, "dim_mult": [1, 2], "num_res_blocks": 1, "temperal_downsample": [True]}
WAN_TINY |= {"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}
WAN = Autoencoder(
    AutoencoderKLWan,
    {"real": {}, "tiny": WAN_TINY | {"scale_factor_temporal": 2, "scale_factor_spatial": 2}},
    {"real": (3, 5, 480, 832), "tiny": (3, 5, 16, 16)},
    {"real": (16, 2, 60, 104), "tiny": (4, 2, 8, 8)},
)
QWEN = Autoencoder(
    AutoencoderKLQwenImage,
    {"real": {}, "tiny": WAN_TINY},
    {"real": (3, 1, 1024, 1024), "tiny": (3, 1, 16, 16)},
    {"real": (16, 1, 128, 128), "tiny": (4, 1, 8, 8)},
)


class Encoder(nn.Module):
    """An image [B, C, H, W] or video [B, C, T, H, W] in [-1, 1] to the most likely latents."""

    def __init__(self, vae: nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, sample: Tensor) -> Tensor:
        return self.vae.encode(sample).latent_dist.mode()


class Decoder(nn.Module):
    """Latents to an image or video."""

    def __init__(self, vae: nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents, return_dict=False)[0]


def encoder(vae: Autoencoder, size: str) -> Built:
    """Build the encoding half and a random image or video."""
    return Encoder(vae.kind(**vae.configs[size])), {"sample": torch.rand(1, *vae.samples[size]) * 2 - 1}


def decoder(vae: Autoencoder, size: str) -> Built:
    """Build the decoding half and random latents."""
    return Decoder(vae.kind(**vae.configs[size])), {"latents": torch.randn(1, *vae.latents[size])}


MODELS = tuple(
    Model(f"vae_{name}_{half.__name__}", f"{title}, {half.__name__}", partial(half, vae), pcc=0.99)
    for name, title, vae in (
        ("kl", "KL image autoencoder of SD3.5 and FLUX.1", KL),
        ("mochi", "Mochi 1 video autoencoder", MOCHI),
        ("wan", "Wan 2.2 video autoencoder", WAN),
        ("qwen", "Qwen-Image autoencoder", QWEN),
    )
    for half in (encoder, decoder)
)
