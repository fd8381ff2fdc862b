"""Example inputs of a model of transformers, by the names that its `forward` takes."""

from __future__ import annotations

import inspect
from contextlib import suppress
from itertools import product
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from bench.families.tiny import WORDS

TOKENS = 8
SAMPLES = 4_000
FRAMES = 64


def example(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return seeded inputs that a model takes: what `forward` demands, its main input, a decoder's tokens.

    Where a name may mean several shapes, the first that the model takes. Raises what the model raises on the last.
    """
    parameters = inspect.signature(model.forward).parameters
    demanded = [name for name, parameter in parameters.items() if parameter.default is inspect.Parameter.empty]
    names = dict.fromkeys([model.main_input_name, *(name for name in demanded if name not in ("kwargs", "args"))])
    if model.config.is_encoder_decoder and "decoder_input_ids" in parameters:
        names["decoder_input_ids"] = None
    if "input_ids" in names and "pixel_values" in parameters and "image_token_id" not in model.config.to_dict():
        names["pixel_values"] = None  # two towers; models with image tokens are given text
    torch.manual_seed(1)
    choices = {name: made for name in names if (made := _made(name, model.config))}
    *first, last = (dict(zip(choices, chosen, strict=True)) for chosen in product(*choices.values()))
    for inputs in first:
        with suppress(Exception), torch.no_grad():
            model(**inputs)
            return inputs
    with torch.no_grad():
        model(**last)
    return last


def _made(name: str, config: PreTrainedConfig) -> list[Tensor]:
    """Return what an input may be; nothing for those that are not known."""
    match name:
        case "input_ids" | "decoder_input_ids":
            return [torch.randint(5, min(_first(config, "vocab_size", WORDS), WORDS) - 20, (1, TOKENS))]
        case "pixel_values" | "pixel_values_videos":
            channels, frames = _first(config, "num_channels", 3), _first(config, "num_frames", 4)
            shapes = ((1, channels, *_picture(config)), (1, frames, channels, *_picture(config)))
            return [torch.randn(shape) for shape in shapes]
        case "input_values":
            return [torch.randn(shape) for shape in ((1, SAMPLES), (1, 1, SAMPLES))]
        case "input_features":
            bins, most = _first(config, "num_mel_bins", 80), _first(config, "max_source_positions", FRAMES)
            return [torch.randn(1, *shape) for shape in ((bins, 2 * most), (FRAMES, bins), (bins, FRAMES))]
        case "bbox":
            corner = torch.randint(0, 40, (1, TOKENS, 2))
            return [torch.cat([corner, corner + 10], -1)]
        case "attention_mask":
            return [torch.ones(1, TOKENS, dtype=torch.long)]
        case "inputs_embeds" | "hidden_states":
            return [torch.randn(1, TOKENS, _first(config, "hidden_size", 32))]
    return []


def _picture(config: PreTrainedConfig) -> tuple[int, int]:
    size = _first(config, "image_size", 64)
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _first(config: PreTrainedConfig, name: str, default: Any) -> Any:
    """Return an entry of a configuration, or of the first inside that has one."""
    found = getattr(config, name, None)
    if found is not None:
        return found
    inside = (part for part in vars(config).values() if isinstance(part, PreTrainedConfig))
    return next((value for part in inside if (value := _first(part, name, None)) is not None), default)
