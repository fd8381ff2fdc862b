"""SpeechT5 (Ao et al. 2022), text to speech, in the parts that a loop over frames calls, and the vocoder HiFi-GAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import SpeechT5Config, SpeechT5ForTextToSpeech, SpeechT5HifiGan, SpeechT5HifiGanConfig

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {"use_cache": False},
    "tiny": {"vocab_size": 60, "hidden_size": 64, "encoder_layers": 2, "encoder_attention_heads": 2}
    | {"encoder_ffn_dim": 128, "decoder_layers": 2, "decoder_ffn_dim": 128, "decoder_attention_heads": 2}
    | {"num_mel_bins": 32, "speech_decoder_prenet_units": 64, "speech_decoder_postnet_units": 64}
    | {"speaker_embedding_dim": 32, "use_cache": False},
}
VOCODERS = {
    "real": {},
    "tiny": {"model_in_dim": 32, "upsample_initial_channel": 64},
}
TOKENS = {"real": 64, "tiny": 24}
FRAMES = {"real": 64, "tiny": 16}


class DecoderStep(nn.Module):
    """Frames so far [B, T, mels] and the encoder's states to the spectrum and stop logits of the next frames.

    SpeechT5 keeps its prenet's dropout at inference; the dropout masks [layers, T, units] of 1 and 0 are an input.
    """

    def __init__(self, model: SpeechT5ForTextToSpeech):
        super().__init__()
        self.decoder, self.postnet = model.speecht5.decoder, model.speech_decoder_postnet

    def forward(
        self, frames: Tensor, encoder_states: Tensor, speaker_embeddings: Tensor, masks: Tensor
    ) -> tuple[Tensor, Tensor]:
        layers = iter(masks)
        self.decoder.prenet._consistent_dropout = lambda states, p: states * next(layers) / (1 - p)
        states = self.decoder(
            input_values=frames,
            encoder_hidden_states=encoder_states,
            speaker_embeddings=speaker_embeddings,
            use_cache=False,
        ).last_hidden_state
        return self.postnet.feat_out(states), self.postnet.prob_out(states)


def encoder(size: str) -> Built:
    """Build the encoder from characters to hidden states."""
    model = _model(size)
    return model.speecht5.encoder, {"input_values": torch.randint(0, model.config.vocab_size, (1, TOKENS[size]))}


def decoder_step(size: str) -> Built:
    """Build one step of the loop over frames, without a cache."""
    model = _model(size)
    config = model.config
    return DecoderStep(model), {
        "frames": torch.randn(1, FRAMES[size], config.num_mel_bins),
        "encoder_states": torch.randn(1, TOKENS[size], config.hidden_size),
        "speaker_embeddings": torch.nn.functional.normalize(torch.randn(1, config.speaker_embedding_dim)),
        "masks": torch.randint(0, 2, _mask_shape(config, FRAMES[size])).float(),
    }


def postnet(size: str) -> Built:
    """Build the model from the states of all frames to their spectrum before and after refinement."""
    model = _model(size)
    return model.speech_decoder_postnet, {"hidden_states": torch.randn(1, FRAMES[size], model.config.hidden_size)}


def hifigan(size: str) -> Built:
    """Build the vocoder from a spectrum [T, mels] to samples."""
    config = SpeechT5HifiGanConfig(**VOCODERS[size])
    return SpeechT5HifiGan(config), {"spectrogram": torch.randn(FRAMES[size], config.model_in_dim)}


def _mask_shape(config: SpeechT5Config, frames: int) -> tuple[int, int, int]:
    return config.speech_decoder_prenet_layers, frames, config.speech_decoder_prenet_units


def _model(size: str) -> SpeechT5ForTextToSpeech:
    return SpeechT5ForTextToSpeech(SpeechT5Config(**CONFIGS[size]))


MODELS = (
    Model("speecht5_encoder", "SpeechT5 text encoder", encoder),
    Model("speecht5_decoder_step", "SpeechT5 spectrum decoder, one step", decoder_step),
    Model("speecht5_postnet", "SpeechT5 spectrum refinement", postnet),
    Model("speecht5_hifigan", "HiFi-GAN vocoder of SpeechT5", hifigan, pcc=0.99),
)
