"""EnCodec 24 kHz (Défossez et al. 2022): the decoder, from quantised latents to samples."""

from __future__ import annotations

from types import MethodType

import torch
from torch import Tensor, nn
from transformers import EncodecConfig
from transformers.models.encodec import modeling_encodec as encodec

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {},
    "tiny": {"num_filters": 4, "hidden_size": 16, "upsampling_ratios": [4, 3, 2], "compress": 2},
}
FRAMES = {"real": 75, "tiny": 20}


def lacking(convolution: nn.Module, hidden_states: Tensor) -> int:
    """Count the samples that [B, C, T] lacks to whole steps of a convolution's stride."""
    return -hidden_states.shape[-1] % convolution.conv.stride[0]


def with_whole_numbers(model: nn.Module) -> nn.Module:
    """Return the model with the sizes of its convolutions' padding, and of their extra padding, as Python's integers.

    The package has both in tensors: torch.export cannot tell from tensors how long a padded result is.
    """
    for module in model.modules():
        if isinstance(module, encodec.EncodecConv1d):
            conv = module.conv
            del module.padding_total  # a buffer may only be a tensor
            module.padding_total = conv.dilation[0] * (conv.kernel_size[0] - 1) + 1 - conv.stride[0]
            module._get_extra_padding_for_conv1d = MethodType(lacking, module)
    return model


def decoder(size: str) -> Built:
    """Build the decoder: latents [B, hidden, T] to samples [B, 1, product of the upsampling ratios * T]."""
    config = EncodecConfig(**CONFIGS[size])
    model = with_whole_numbers(encodec.EncodecDecoder(config))
    return model, {"hidden_states": torch.randn(1, config.hidden_size, FRAMES[size])}


MODELS = (Model("encodec_decoder", "EnCodec 24 kHz decoder, latents to samples", decoder),)
