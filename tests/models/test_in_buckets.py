"""Models of transformers as they are, at tiny sizes, in buckets: any length gives what the model gives there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers.models.speecht5.modeling_speecht5 import SpeechT5EncoderWithTextPrenet

import ttc
from ttc.validation.accuracy import scaled_error

TOKENS = 100
BERT = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
ENCODER = {"d_model": 64, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 96}
DECODER = {"decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 96}
WAV2VEC2 = {
    **BERT, "conv_dim": (32, 32, 32), "conv_stride": (5, 2, 2), "conv_kernel": (10, 3, 3),
    "num_feat_extract_layers": 3, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
WORDS, SOUND, FRAMES = (32, 64), (800, 1600), (16, 32)


def ids(steps: int) -> dict[str, Tensor]:
    return {"input_ids": torch.randint(2, TOKENS, (1, steps))}


def mask(steps: int) -> dict[str, Tensor]:
    return {"attention_mask": torch.ones(1, steps, dtype=torch.int64)}


def words(steps: int) -> dict[str, Tensor]:
    return {**ids(steps), **mask(steps)}


def sound(steps: int) -> dict[str, Tensor]:
    return {"input_values": torch.randn(1, steps)}


@dataclass(frozen=True)
class Case:
    """A model, its inputs at a length, all of which have it as their second dimension, its buckets and runs."""

    build: Callable[[], nn.Module]
    inputs: Callable[[int], dict[str, Tensor]]
    buckets: tuple[int, int] = WORDS
    runs: tuple[int, ...] = (9, 33, 50)


CASES = {
    "bert": Case(lambda: transformers.BertModel(transformers.BertConfig(**BERT, vocab_size=TOKENS)), words),
    "llama": Case(
        lambda: transformers.LlamaModel(
            transformers.LlamaConfig(**BERT, num_key_value_heads=2, vocab_size=TOKENS, use_cache=False)
        ),
        ids,
    ),
    "vits": Case(
        lambda: (
            transformers.VitsModel(
                transformers.VitsConfig(
                    vocab_size=TOKENS, hidden_size=64, num_hidden_layers=2, ffn_dim=96, flow_size=64
                )
            ).text_encoder
        ),
        lambda steps: {**words(steps), "padding_mask": torch.ones(1, steps, 1)},
    ),
    "wav2vec2 with a mask": Case(
        lambda: transformers.Wav2Vec2Model(
            transformers.Wav2Vec2Config(**WAV2VEC2, feat_extract_norm="layer", do_stable_layer_norm=True)
        ),
        lambda steps: {**sound(steps), **mask(steps)},
        SOUND,
        (500, 801, 1333),
    ),
}
IN_THE_SWEEP = {
    "roberta": Case(
        lambda: transformers.RobertaModel(
            transformers.RobertaConfig(**BERT, vocab_size=TOKENS, max_position_embeddings=130)
        ),
        words,
    ),
    "t5": Case(
        lambda: transformers.T5EncoderModel(
            transformers.T5Config(d_model=64, num_layers=2, num_heads=4, d_kv=16, d_ff=96, vocab_size=TOKENS)
        ),
        words,
    ),
    "gpt2": Case(
        lambda: transformers.GPT2Model(
            transformers.GPT2Config(
                n_embd=64, n_layer=2, n_head=4, vocab_size=TOKENS, use_cache=False, bos_token_id=0, eos_token_id=0
            )
        ),
        ids,
    ),
    "wav2vec2": Case(
        lambda: transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**WAV2VEC2)), sound, SOUND, (500, 801, 1333)
    ),
    "speech2text": Case(
        lambda: (
            transformers.Speech2TextModel(
                transformers.Speech2TextConfig(**ENCODER, **DECODER, vocab_size=TOKENS, conv_channels=32)
            ).encoder
        ),
        lambda steps: {"input_features": torch.randn(1, steps, 80), **mask(steps)},
    ),
    "speecht5": Case(
        lambda: SpeechT5EncoderWithTextPrenet(
            transformers.SpeechT5Config(
                hidden_size=64, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=96, vocab_size=TOKENS
            )
        ),
        lambda steps: {"input_values": ids(steps)["input_ids"], **mask(steps)},
    ),
    "hifigan": Case(
        lambda: transformers.SpeechT5HifiGan(transformers.SpeechT5HifiGanConfig(upsample_initial_channel=64)),
        lambda steps: {"spectrogram": torch.randn(1, steps, 80)},
        FRAMES,
        (9, 17, 30),
    ),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm` is deprecated:FutureWarning")  # HiFi-GAN's own
@pytest.mark.parametrize("name", [*CASES, *(pytest.param(name, marks=pytest.mark.sweep) for name in IN_THE_SWEEP)])
def test_any_length_gives_what_the_model_gives(name: str):
    case = {**CASES, **IN_THE_SWEEP}[name]
    torch.manual_seed(0)
    model = case.build().eval()
    example = case.inputs(case.buckets[0])
    compiled = ttc.compile(
        model,
        kwargs=example,
        dynamic_shapes={name: {1: "T"} for name in example},
        lengths={"T": list(case.buckets)},
        dtype="fp32",
    )
    for steps in case.runs:
        inputs = case.inputs(steps)
        with torch.no_grad():
            wanted = first(model(**inputs))
        found = first(compiled(**inputs))
        assert found.shape == wanted.shape
        assert scaled_error(found.numpy(), wanted.numpy()) <= 1e-5


def first(result: object) -> Tensor:
    return result if isinstance(result, Tensor) else result[0]  # type: ignore[index]
