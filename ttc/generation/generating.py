"""A generative model of transformers whose forward, and encoder, run compiled programs."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers.generation.configuration_utils import GenerationMode
from transformers.modeling_outputs import CausalLMOutputWithPast, Seq2SeqLMOutput

from ttc.errors import InputError
from ttc.generation.cache import DeviceCache
from ttc.generation.paged_steps import PagedSteps
from ttc.generation.steps import EncoderOutput, Steps

REFUSED = (
    "inputs_embeds",
    "decoder_inputs_embeds",
    "decoder_attention_mask",
    "labels",
    "output_attentions",
    "output_hidden_states",
)
"""Arguments of a forward that the programs have no inputs or outputs for."""

ENCODED = ("input_ids", "input_features")
"""The arguments of a forward that an encoder takes."""

AnySteps = Steps | PagedSteps

ONE_TOKEN_A_STEP = (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE)
"""The ways to generate that ask for the last token's logits, and leave each sequence's rows where they are."""


def running(model: Any, steps: AnySteps) -> Any:
    """Return a copy of the model with a forward, and an encoder, of these programs."""
    compiled = copy.copy(model)
    signature = inspect.signature(model.forward)
    run: Any = _decode if model.config.is_encoder_decoder else _continue

    @functools.wraps(type(model).forward)
    def forward(*args: Any, **kwargs: Any) -> Any:
        named = dict(zip(signature.parameters, args))  # noqa: B905 (most arguments are given by name)
        given = {**named, **kwargs}
        for name in REFUSED:
            if given.get(name) is not None and given[name] is not False:
                raise InputError(f"compiled generation takes no {name}: call the model that was compiled")
        return run(steps, given)

    forward.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue]
    compiled.forward = forward
    compiled._prepare_cache_for_generation = functools.partial(_give_cache, steps)
    if isinstance(steps, Steps) and model.config.is_encoder_decoder:
        compiled.get_encoder = lambda: EncoderOnDevice(steps, model.main_input_name)
    return compiled


class EncoderOnDevice(nn.Module):
    """A compiled encoder, as `generate` calls encoders."""

    def __init__(self, steps: Steps, name: str):
        super().__init__()
        self._steps, self._name = steps, name

    def forward(self, *, attention_mask: Tensor | None = None, **kwargs: Any) -> EncoderOutput:
        """Return the encoder's output, and what steps take of it on the device."""
        return self._steps.encode(kwargs[self._name], attention_mask)


def _give_cache(
    steps: AnySteps,
    generation_config: Any,
    model_kwargs: dict[str, Any],
    mode: GenerationMode,
    batch: int,
    length: int,
) -> None:
    """Give `generate` the device's cache; InputError where its rows or the programs are not made for the request."""
    if mode not in ONE_TOKEN_A_STEP:
        raise InputError(
            f"compiled generation is greedy or samples; {mode.value} would move rows of the device's cache"
        )
    if generation_config.use_cache is False:
        raise InputError("compiled generation keeps keys and values on the device: use_cache=False has no meaning")
    if generation_config.cache_implementation == "quantized":
        raise InputError('keys and values of fewer bytes are compiled, by cache_dtype="bfp8": leave "quantized" out')
    if isinstance(steps, Steps) and generation_config.guidance_scale not in (None, 1):
        raise InputError("guidance_scale generates twice at a time, and the device has the rows of one generation")
    if length > steps.sizes.capacity:
        raise InputError(f"prompt and new tokens take {length} rows, the cache has {steps.sizes.capacity}")
    if model_kwargs.get("past_key_values") is None:
        model_kwargs["past_key_values"] = steps.fresh()


def _continue(steps: AnySteps, given: dict[str, Any]) -> CausalLMOutputWithPast:
    """Run the step of a model without an encoder."""
    ids, mask, positions = given["input_ids"], given.get("attention_mask"), given.get("position_ids")
    _require_last_alone(ids, given)
    cache = _cache_of(steps, given)
    length = cache.length + ids.shape[1]
    rows = torch.ones(ids.shape[0], steps.sizes.capacity, dtype=torch.long)
    if mask is not None:
        if mask.shape != (ids.shape[0], length):
            needed = [ids.shape[0], length]
            raise InputError(f"attention_mask is {list(mask.shape)}, the rows that tokens attend to are {needed}")
        rows[:, :length] = mask[:, : steps.sizes.capacity]
    if positions is None:
        positions = torch.arange(cache.length, length)
    others = {"attention_mask": rows, "position_ids": positions.expand(ids.shape)}
    logits = steps.run(ids, cache, others)
    return CausalLMOutputWithPast(logits=logits[:, None], past_key_values=cache)  # pyright: ignore[reportArgumentType]


def _decode(steps: Steps, given: dict[str, Any]) -> Seq2SeqLMOutput:
    """Run the step of a model's decoder, after the encoder if that did not run yet."""
    encoded = given.get("encoder_outputs")
    if given.get("decoder_input_ids") is None:
        raise InputError("compiled generation takes decoder_input_ids beside the encoder's inputs")
    if encoded is None:
        inputs = next((given[name] for name in ENCODED if given.get(name) is not None), None)
        if inputs is None:
            raise InputError(f"compiled generation takes {' or '.join(ENCODED)}, or encoder_outputs")
        encoded = steps.encode(inputs, given.get("attention_mask"))
    if not isinstance(encoded, EncoderOutput):
        raise InputError("encoder_outputs are not of the compiled encoder: give the encoder's inputs instead")
    ids, cache = given["decoder_input_ids"], _cache_of(steps, given)
    logits = steps.run(ids, cache, steps.taken(encoded))
    return Seq2SeqLMOutput(logits=logits[:, None], past_key_values=cache)  # pyright: ignore[reportArgumentType]


def _require_last_alone(ids: Tensor, given: dict[str, Any]) -> None:
    """Refuse a call that asks for the logits of other tokens than the last."""
    asked, generating = given.get("logits_to_keep"), isinstance(given.get("past_key_values"), DeviceCache)
    if ids.shape[1] > 1 and asked != 1 and not (asked is None and generating):
        raise InputError("compiled generation gives the last token's logits: ask for logits_to_keep=1")


def _cache_of(steps: AnySteps, given: dict[str, Any]) -> DeviceCache:
    """Return the cache that a call goes on from, or a new one."""
    cache = given.get("past_key_values")
    if isinstance(cache, DeviceCache):
        return cache
    if cache is not None and cache.get_seq_length():
        raise InputError("past_key_values are not of the compiled model: generate from the whole prompt")
    return steps.fresh()
