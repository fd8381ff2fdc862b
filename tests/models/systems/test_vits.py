"""VITS whole, at tiny size: against transformers' own forward at each text's true length."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from transformers import VitsConfig, VitsModel

from tests.cards import FIRST
from tests.mock_cards import assert_accepted
from tests.models.systems.in_torch import InTorch, drawn_apart
from tests.models.systems.one_stage import accepted, assert_as_module, compiled_alone
from ttc.compiled.chain import Chain
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError
from ttc.models import vits
from ttc.models.model import Built, seeded
from ttc.models.systems.compile import built_stages
from ttc.models.systems.vits import VOCABULARY, Vits
from ttc.validation.accuracy import pcc

SYSTEM = Vits("tiny")
STAGES = [stage.name for stage in SYSTEM.stages]


@cache
def built(name: str) -> Built:
    return built_stages(SYSTEM, None, 0)[name]


@cache
def compiled(name: str) -> Compiled:
    return compiled_alone(built(name))


def package(tokens: list[int], seed: int, size: str = "tiny") -> np.ndarray:
    """The samples of VitsModel, with the noise that the stages draw: durations first, then latents."""
    with seeded(0):
        model = VitsModel(VitsConfig(**vits.CONFIGS[size])).eval()
    with torch.no_grad(), drawn_apart(2 * seed, 2 * seed + 1):
        return model(torch.tensor([tokens])).waveform[0].numpy()


@pytest.mark.parametrize("tokens", [[7], [1, 2, 3], [*range(5, 15)]])
def test_the_stages_are_the_package(tokens: list[int]):
    found = SYSTEM.run(InTorch({name: built(name) for name in STAGES}), seed=3, tokens=tokens)
    np.testing.assert_allclose(found, package(tokens, 3), atol=1e-6)


def test_a_folder_of_transformers_gives_the_weights(tmp_path: Path):
    with seeded(1):
        model = VitsModel(VitsConfig(**vits.CONFIGS["tiny"])).eval()
    model.save_pretrained(tmp_path)
    stages = built_stages(SYSTEM, tmp_path, 0)
    for stage, part in (
        ("encode", "encoder"),
        ("encode", "predictor"),
        ("synthesize", "flow"),
        ("synthesize", "decoder"),
    ):
        found = stages[stage][0].get_submodule(part).state_dict()
        own = {"encoder": "text_encoder", "predictor": "duration_predictor"}.get(part, part)
        wanted = model.get_submodule(own).state_dict()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_weights_of_another_size_are_refused(tmp_path: Path):
    with seeded(1):
        VitsModel(VitsConfig(**{**vits.CONFIGS["tiny"], "vocab_size": 40})).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"does not fit VitsModel: the file has in another shape .*\[40, 32\]"):
        built_stages(SYSTEM, tmp_path, 0)


@pytest.mark.parametrize("name", STAGES)
def test_a_compiled_stage_gives_what_the_module_gives(name: str):
    assert_as_module(built(name), compiled(name))


@pytest.mark.parametrize("target", FIRST)
@pytest.mark.parametrize("name", STAGES)
def test_real_ttnn_accepts_every_stage(name: str, target: str, ttnn_python: str):
    accepted(compiled(name), target)


@pytest.mark.sweep  # four exports of two stages and seven of one, 25 s of processor time
@pytest.mark.parametrize("tokens", [[7], [1, 2, 3], [*range(5, 15)]])
def test_speech_in_buckets_is_the_package_s_own(tokens: list[int]):
    """Texts of several lengths in the same buckets: padding never changes the sound."""
    wanted = package(tokens, 3)
    with chain().session("emulator") as session:
        found = SYSTEM.run(session, seed=3, tokens=tokens)
        assert [run.downloaded > 0 for run in session.runs] == [True, False, True]
    assert found.shape == wanted.shape
    assert pcc(found, wanted) >= 0.999999
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@cache
def chain() -> Chain:
    return SYSTEM.pipeline(dtype="fp32")


@pytest.mark.sweep
def test_the_published_size_is_the_package_s_own():
    """Random weights; a text of 5 tokens and one of 60 in the same buckets."""
    real = Vits()
    stages = InTorch(built_stages(real, None, 0))
    with real.pipeline(dtype="fp32").session("emulator") as session:
        for tokens in ([*range(5)], [*range(30)] * 2):
            given = {"tokens": real.numbered(tokens)}
            left, kept = (each.run("encode", given, seed=6) for each in (stages, session))
            np.testing.assert_array_equal(kept["durations"], left["durations"])
            wanted, found = package(tokens, 3, "real"), real.run(session, seed=3, tokens=tokens)
            assert found.shape == wanted.shape
            assert pcc(found, wanted) >= 0.999


@pytest.mark.sweep
@pytest.mark.parametrize("target", FIRST)
def test_real_ttnn_accepts_every_program_of_the_published_size(target: str, ttnn_python: str):
    assert_accepted(Vits().pipeline(target, "bf16"))


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([], "there are no tokens to speak"),
        ([0] * 25, "the text has 25 tokens; 24 are the most"),
        ([3, VOCABULARY], f"there is no token {VOCABULARY}: tokens are 0 to {VOCABULARY - 1}"),
        ([-1], "there is no token -1"),
        ([1.5], "tokens are a line of whole numbers, got float64"),
        ([[1]], "tokens are a line of whole numbers, got int64 of shape [1, 1]"),
    ],
)
def test_tokens_that_cannot_be_spoken(tokens: list, message: str):
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        SYSTEM.numbered(tokens)


@pytest.mark.parametrize("total", [0, 97])
def test_speech_beyond_the_largest_bucket_is_refused(total: int):
    session = mock.Mock()
    session.run.return_value = {"total": np.array([total]), "durations": None, "means": None, "log_variances": None}
    with pytest.raises(InputError, match=f"the speech would have {total} frames of 16 ms; 96 are the most"):
        SYSTEM.run(session, tokens=[1])
    assert session.run.call_count == 1
