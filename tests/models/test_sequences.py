"""Sequence models of speech at their real sizes: at any length, alone or in a bucket, what the packages give there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from transformers import EncodecConfig
from transformers.models.encodec import modeling_encodec

import ttc
from bench.sequence_models import SEQUENCES, Sequence
from bench.sequences import (
    BF16_LIMIT,
    FP32_LIMIT,
    alone,
    arrays,
    bucketed,
    drawn,
    in_buckets,
    module,
    programs,
    together,
    wanted,
)
from tests.cards import in_turn, swept
from tests.mock_cards import check_many
from ttc import models
from ttc.calls.target import TARGETS
from ttc.errors import InputError
from ttc.validation.accuracy import pcc, scaled_error

WITH_LENGTHS = ("kokoro_text_encoder", "kokoro_duration_encoder", "kokoro_prosody")


@pytest.fixture(scope="module", params=SEQUENCES)
def sequence(request: pytest.FixtureRequest) -> Sequence:
    """Of the module's scope, so that all tests of a model come together, and compile it once."""
    return SEQUENCES[request.param]


CLOSE: dict[str, Callable[[np.ndarray, np.ndarray], bool]] = {
    "fp32": lambda found, reference: scaled_error(found, reference) <= FP32_LIMIT,
    "bf16": lambda found, reference: pcc(found, reference) >= BF16_LIMIT,
}


@pytest.mark.parametrize("lengths", [swept(alone), in_buckets])
def test_fp32_is_what_the_package_gives(sequence: Sequence, lengths: Callable[..., list[float]]):
    assert max(lengths(sequence, "fp32", scaled_error)) <= FP32_LIMIT


@pytest.mark.parametrize("lengths", [alone, swept(in_buckets)])
def test_bf16_correlates_with_what_the_package_gives(sequence: Sequence, lengths: Callable[..., list[float]]):
    assert min(lengths(sequence, "bf16", pcc)) >= BF16_LIMIT


def test_masks_are_no_more_than_padding_needs(sequence: Sequence):
    for bucket in bucketed(sequence.name, "fp32").buckets:
        assert len(bucket.masks) == sequence.masks, bucket.masks


@pytest.mark.parametrize(("sequence", "target", "dtype"), in_turn(SEQUENCES), indirect=["sequence"])
def test_real_ttnn_accepts_every_program_as_predicted(sequence: Sequence, target: str, dtype: str, ttnn_python: str):
    texts = programs(sequence, dtype, target)
    assert [fault for report in check_many(texts, TARGETS[target]) for fault in report.faults] == []
    assert not any("host.run" in text for text in texts)


@pytest.mark.sweep
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", CLOSE)
def test_long_sequences(sequence: Sequence, dtype: str, target: str, ttnn_python: str):
    """Ten seconds of sound, a page of phonemes."""
    (sample,) = drawn(sequence, {name: [size] for name, size in sequence.long.items()})
    program = ttc.compile(module(sequence.name), kwargs=sample, dtype=dtype, target=target)
    found, reference = program.run(arrays(sample)).values(), wanted(sequence.name, sample)
    assert all(CLOSE[dtype](*pair) for pair in zip(found, reference, strict=True))
    (report,) = check_many([str(program.build.program.graph)], TARGETS[target])
    assert report.ok, report.faults


@pytest.mark.parametrize("name", WITH_LENGTHS)
@pytest.mark.parametrize("lengths", [(20, 13), (15, 17)])
def test_a_padded_batch_is_as_the_package_pads_it(name: str, lengths: tuple[int, int]):
    """The lengths are arguments of the package's own, and what it gives after them is part of its result."""
    sequence = SEQUENCES[name]
    samples = drawn(sequence, {length: [20, 20] for length in sequence.buckets})
    for sample, length in zip(samples, lengths, strict=True):
        sample["m"][:, length:] = True
        sample["input_lengths" if "input_lengths" in sample else "text_lengths"][:] = length
    batch = together(samples)
    found = bucketed(name, "fp32").run(arrays(batch))
    for output, reference in zip(found.values(), wanted(name, batch), strict=True):
        assert scaled_error(output, reference) <= FP32_LIMIT


def test_whole_numbers_change_nothing_in_encodec():
    """The builder keeps sizes that the package has in tensors as integers."""
    ours = module("encodec_decoder")
    own = modeling_encodec.EncodecDecoder(EncodecConfig()).eval()
    own.load_state_dict(ours.state_dict())
    for frames in (1, 6, 7, 50):
        x = torch.randn(1, 128, frames)
        with torch.no_grad():
            assert torch.equal(ours(x), own(x))


def test_encodec_is_refused_where_it_mirrors_more_than_there_is():
    """Below seven frames the package lengthens its input first: another program."""
    with pytest.raises(InputError, match="the length T is 6, the model needs 7"):
        bucketed("encodec_decoder", "fp32").run({"hidden_states": np.zeros((2, 128, 6), np.float32)})


def test_the_parts_of_kokoro_have_its_published_parameters():
    """81.8 million, with the product between PL-BERT (768) and the encoders (512)."""
    parts = {name: models.named(f"kokoro_{name}").build()[0] for name in ("bert", "text_encoder", "prosody", "decoder")}
    counts: dict[str, Any] = {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
    assert (sum(counts.values()) + 768 * 512 + 512) / 1e6 == pytest.approx(81.8, rel=1e-3)
