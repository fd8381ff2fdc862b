"""SpeechT5 whole, as the stages of a system: letters to keys and values, steps of two frames, frames to samples.

The stages compute what `SpeechT5ForTextToSpeech.generate_speech` does for one text, from the package's own modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import SpeechT5Config, SpeechT5ForTextToSpeech, SpeechT5HifiGan, SpeechT5HifiGanConfig
from transformers.cache_utils import Cache, EncoderDecoderCache

from ttc.generation.rows import Fixed, Rows
from ttc.models.model import Built, Weigh
from ttc.models.speecht5 import CONFIGS, VOCODERS

THRESHOLD = 0.5
"""The sum of a step's stop probabilities at which the package ends a speech."""

GOING_ON = -4.0
"""The bias of random stop logits: the longest speech that the package allows, where none would stop at once."""

EXAMPLE = {"real": 64, "tiny": 12}
"""Tokens of the examples."""


class Encode(nn.Module):
    """Tokens i64[1, T] and a speaker [1, D] to keys and values [1, heads, T, size] of each layer of the decoder.

    The speaker's embedding comes back with a length of 1.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.encoder, self.heads = model.speecht5.encoder, model.config.decoder_attention_heads
        self.layers = nn.ModuleList(layer.encoder_attn for layer in model.speecht5.decoder.wrapped_decoder.layers)

    def forward(self, tokens: Tensor, speaker: Tensor) -> dict[str, Tensor]:
        hidden = self.encoder(input_values=tokens).last_hidden_state
        found = {"speaker": functional.normalize(speaker)}
        for number, layer in enumerate(self.layers):
            for kind, product in (("keys", layer.k_proj), ("values", layer.v_proj)):
                found[f"{kind}_{number}"] = product(hidden).unflatten(2, (self.heads, -1)).transpose(1, 2)
        return found


class Step(nn.Module):
    """A step of the decoder: frames to come, of the last one and of the keys and values of all steps before.

    The state holds those keys and values, `frames` [1, 1, steps, reduction * mels] of all steps, the last frame, and
    the number of steps after which to stop, 0 before. A step at `start` 0 begins another speech.
    """

    def __init__(self, model: Any, steps: int):
        super().__init__()
        config = model.config
        decoder, self.postnet = model.speecht5.decoder, model.speech_decoder_postnet
        self.prenet, self.decoder = decoder.prenet, decoder.wrapped_decoder
        self.layers, self.keep = config.decoder_layers, 1 - config.speech_decoder_prenet_dropout
        self.steps, self.mels = steps, config.num_mel_bins
        rows = 1, config.decoder_attention_heads, steps, config.hidden_size // config.decoder_attention_heads
        for number in range(self.layers):
            self.register_buffer(f"own_keys_{number}", torch.zeros(rows))
            self.register_buffer(f"own_values_{number}", torch.zeros(rows))
        self.register_buffer("spectrum", torch.zeros(1, 1, steps, config.reduction_factor * self.mels))
        self.register_buffer("last", torch.zeros(1, 1, self.mels))
        self.register_buffer("stop", torch.zeros(1, dtype=torch.long))

    def forward(self, start: Tensor, masks: Tensor, speaker: Tensor, **cross: Tensor) -> dict[str, Tensor]:
        """Return the frames of all steps, and the number of steps after which to stop, 0 if that is not known yet.

        `masks` [layers, units] are 1 or 0: SpeechT5 keeps the dropout of its prenet at inference.
        """
        first = start == 0
        hidden = self._before(torch.where(first, 0.0, self.last), start, masks, speaker)
        cache = EncoderDecoderCache(*(Cache(layers=[*layers]) for layers in self._caches(start, cross)))
        cache.is_updated = dict.fromkeys(range(self.layers), True)
        shape_alone = hidden.expand(-1, cross["keys_0"].shape[2], -1)
        hidden = self.decoder(
            hidden_states=hidden, encoder_hidden_states=shape_alone, past_key_values=cache, use_cache=True
        ).last_hidden_state
        frames = self.postnet.feat_out(hidden)
        self.last.copy_(frames[..., -self.mels :])
        chance = torch.sigmoid(self.postnet.prob_out(hidden[0])).sum(1)
        before = torch.where(first, 0, self.stop)
        stop = self.stop.copy_(torch.where((before == 0) & (chance >= THRESHOLD), start + 1, before))
        return {"stop": stop, "frames": self.spectrum.index_copy_(2, start, frames[None])}

    def _before(self, frame: Tensor, start: Tensor, masks: Tensor, speaker: Tensor) -> Tensor:
        """Return the hidden state [1, 1, size] of a frame [1, 1, mels], as the prenet computes it at row `start`."""
        for layer, mask in zip(self.prenet.layers, masks, strict=True):
            frame = functional.relu(layer(frame)) * mask / self.keep
        places = self.prenet.encode_positions
        hidden = self.prenet.final_layer(frame) + places.alpha * places.pe[:, : self.steps].index_select(1, start)
        return functional.relu(self.prenet.speaker_embeds_layer(torch.cat([hidden, speaker[:, None]], -1)))

    def _caches(self, start: Tensor, cross: Mapping[str, Tensor]) -> tuple[list[Rows], list[Fixed]]:
        pairs = [[getattr(self, f"own_{kind}_{n}") for kind in ("keys", "values")] for n in range(self.layers)]
        read = [Fixed(cross[f"keys_{n}"], cross[f"values_{n}"]) for n in range(self.layers)]
        return [Rows(keys, values, start, keys.shape[2]) for keys, values in pairs], read


class Synthesize(nn.Module):
    """The first S rows of frames [1, 1, steps, reduction * mels] to samples. `places` are 0 to S - 1, [1, S]."""

    def __init__(self, model: Any, vocoder: Any):
        super().__init__()
        self.postnet, self.vocoder, self.mels = model.speech_decoder_postnet, vocoder, model.config.num_mel_bins

    def forward(self, frames: Tensor, places: Tensor) -> Tensor:
        spectrum = frames[0, :, : places.shape[1]].reshape(1, -1, self.mels)
        return self.vocoder(self.postnet.postnet(spectrum))


def speech(size: str, steps: int, weigh: Weigh) -> dict[str, Built]:
    """Build the stages of speech of up to `steps` steps; `weigh` gives the package's models their weights."""
    model = SpeechT5ForTextToSpeech(SpeechT5Config(**CONFIGS[size] | {"use_cache": True}))
    vocoder = SpeechT5HifiGan(SpeechT5HifiGanConfig(**VOCODERS[size]))
    nn.init.constant_(model.speech_decoder_postnet.prob_out.bias, GOING_ON)
    for layer in vocoder.modules():
        if isinstance(layer, (nn.Conv1d, nn.ConvTranspose1d)):
            layer.reset_parameters()  # with the package's own random weights all samples are 0
    weigh(model, part="speecht5_tts")
    weigh(vocoder, part="speecht5_hifigan")
    return stages(model, vocoder, EXAMPLE[size], steps)


def stages(model: Any, vocoder: Any, tokens: int, steps: int) -> dict[str, Built]:
    """Return the stages of two models of the package, with inputs of so many tokens, and steps of room."""
    config = model.config
    heads, size = config.decoder_attention_heads, config.hidden_size // config.decoder_attention_heads
    names = (f"{kind}_{number}" for number in range(config.decoder_layers) for kind in ("keys", "values"))
    speaker = functional.normalize(torch.randn(1, config.speaker_embedding_dim))
    units = config.speech_decoder_prenet_layers, config.speech_decoder_prenet_units
    encode = {"tokens": torch.randint(2, config.vocab_size, (1, tokens)), "speaker": speaker}
    step = {"start": torch.zeros(1, dtype=torch.long), "masks": torch.ones(units), "speaker": speaker}
    step |= {name: torch.randn(1, heads, tokens, size) for name in names}
    room = torch.randn(1, 1, steps, config.reduction_factor * config.num_mel_bins)
    return {
        "encode": (Encode(model), encode),
        "step": (Step(model, steps), step),
        "synthesize": (Synthesize(model, vocoder), {"frames": room, "places": torch.arange(steps / 2)[None]}),
    }
