"""Kokoro whole, at tiny size: against the package's own forward at each text's true length."""

from __future__ import annotations

import sys
from functools import cache
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch

import ttc
from tests.mock_cards import check
from tests.models.spectrum import log_spectrum
from ttc.compiled.chain import Chain
from ttc.models.model import as_built, seeded
from ttc.models.systems.kokoro import Speech
from ttc.validation.accuracy import pcc, scaled_error
from ttc.validation.system import Package, spectrogram_pcc

kokoro = pytest.importorskip("ttc.models.kokoro", reason="needs the package kokoro")
speech = pytest.importorskip("ttc.models.kokoro_speech", reason="needs the package kokoro")
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm` is deprecated:FutureWarning")  # the package's own

SYSTEM = Speech("tiny")


@pytest.fixture(scope="module")
def chain() -> Chain:
    return SYSTEM.pipeline(dtype="fp32")


class Halves:
    """A voice whose halves are taken as the package takes them, at 128 whatever the size."""

    def __init__(self, voice: np.ndarray):
        self.sound, self.prosody = torch.from_numpy(voice).chunk(2, 1)

    def __getitem__(self, key: tuple[slice, slice]) -> torch.Tensor:
        return self.prosody if key == (slice(None), slice(128, None)) else self.sound


@cache
def parts() -> torch.nn.Module:
    with seeded(0):
        return speech.Parts("tiny").eval()


def package(numbers: np.ndarray, style: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The package's samples and durations, with the noise that a session draws."""
    random = np.random.default_rng(seed)

    def drawn(draw, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.from_numpy(draw(shape, np.float32))

    with mock.patch.dict(sys.modules, loguru=mock.Mock()):
        (model,) = kokoro.submodules("model")
    given = SimpleNamespace(**dict(parts().named_children()), device="cpu")
    with (
        mock.patch.object(torch, "rand", lambda *shape, device=None: drawn(random.random, shape)),
        mock.patch.object(torch, "randn_like", lambda x: drawn(random.standard_normal, tuple(x.shape))),
    ):
        samples, durations = model.KModel.forward_with_tokens(given, torch.from_numpy(numbers), Halves(style))
    return samples.numpy(), durations.numpy()


def test_phonemes_are_encoded_as_the_package_does():
    """The first stage at its example's size, without the sweep's buckets."""
    with seeded(0):
        module, inputs = speech.speech("tiny", as_built)["encode"]
    with torch.no_grad():
        wanted = module.eval()(**inputs)
    found = ttc.compile(module, kwargs=inputs, dtype="fp32").run(inputs, "emulator")
    for name in ("durations", "total"):
        np.testing.assert_array_equal(found[name], wanted[name].numpy())
    for name in ("prosody", "text"):
        assert scaled_error(found[name], wanted[name].numpy()) <= 1e-5


def test_random_weights_speak_at_a_trained_model_s_pace():
    numbers, style = SYSTEM.inputs("həlO w", None, seed=3)
    with torch.no_grad():
        durations = speech.Encode(parts())(torch.from_numpy(numbers), torch.from_numpy(style))["durations"][0]
    assert len(durations.unique()) > 1, durations
    assert 2 <= durations.mean() <= 5


def test_the_decoder_is_the_package_s_default():
    """The real-valued decoder (`disable_complex`) is about 3/4 as loud as what the package's users hear."""
    assert isinstance(parts().decoder.generator.stft, kokoro.istftnet.TorchSTFT)


def test_what_decides_lengths_is_computed_in_fp32():
    """Rounded states would give other durations: the stage of durations keeps fp32 in a bf16 system."""
    assert [stage.dtype_in("bf16") for stage in SYSTEM.stages] == ["fp32", "bf16", "bf16"]
    assert [stage.dtype_in("fp32") for stage in SYSTEM.stages] == ["fp32"] * 3


def test_published_checkpoints_lack_what_is_fixed():
    """Norms of unit scale: the package passes over them, too."""
    module = parts()
    lacking = module.defaults()
    assert {name.split(".")[0] for name in lacking} == {"predictor", "decoder"}
    for name in lacking:
        tensor = module.state_dict()[name]
        assert bool((tensor == (name.endswith("weight"))).all())


@pytest.mark.sweep  # two exports of the decoder, 60 s of processor time
def test_a_short_and_a_long_sound_in_one_long_bucket(ttnn_python: str):
    """A row of 81,920 samples is too long for L1: the real library takes every call; both sounds are the module's."""
    with seeded(0):
        module, inputs = speech.speech("tiny", as_built)["synthesize"]
    axes = next(stage.axes for stage in SYSTEM.stages if stage.name == "synthesize")
    shapes = {name: axes.get(name) for name in inputs}
    compiled = ttc.compile(module.eval(), kwargs=inputs, dynamic_shapes=shapes, lengths={"F": [8, 1024]}, dtype="fp32")
    report = check(compiled.buckets[-1].program)
    assert report.ok, report.faults
    package = Package({"synthesize": (module, inputs)}, {"synthesize": axes})
    for frames in (9, 900):
        given = {name: x.numpy() for name, x in inputs.items()}
        for name in axes:
            given[name] = np.random.default_rng(0).standard_normal((*inputs[name].shape[:2], frames), np.float32)
        wanted = package.run("synthesize", given, seed=0)["output"]
        found = compiled.executable.run(given, "emulator", seed=0)["output"]
        assert found.shape == wanted.shape == (1, 80 * frames)
        assert spectrogram_pcc(found[0], wanted[0]) >= 0.9999


@pytest.mark.sweep  # four exports of the decoder, 140 s of processor time
@pytest.mark.parametrize("phonemes", ["abc", "həlO w"])
def test_speech_is_the_package_s_own(chain: Chain, phonemes: str):
    """Two lengths in one bucket: padding never changes the sound."""
    numbers, style = SYSTEM.inputs(phonemes, None, seed=3)
    wanted, durations = package(numbers, style, 3)
    with chain.session("emulator") as session:
        found = SYSTEM.run(session, seed=3, phonemes=phonemes)
        assert [run.downloaded > 0 for run in session.runs] == [True, False, True]
        left = session.run("encode", {"phonemes": numbers, "voice": style})
    np.testing.assert_array_equal(left["durations"][0], durations)
    assert found.shape == wanted.shape
    assert pcc(log_spectrum(found), log_spectrum(wanted)) >= 0.9999
