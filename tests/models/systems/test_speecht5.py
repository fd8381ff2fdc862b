"""SpeechT5 whole, at tiny size: against transformers' own generation at each text's true length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn
from transformers.models.speecht5.modeling_speecht5 import SpeechT5SpeechDecoderPrenet

import ttc
from tests.cards import FIRST
from tests.mock_cards import assert_accepted
from tests.models.systems.in_torch import InTorch
from tests.models.systems.one_stage import accepted, assert_as_module, compiled_alone
from ttc.compiled.chain import Chain
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError
from ttc.models.model import Built, seeded
from ttc.models.speecht5_speech import stages
from ttc.models.systems.compile import built_stages, chain_of
from ttc.models.systems.speecht5 import DROPPED, LOOKED_AT, MASKS, SPARE, SpeechT5
from ttc.validation.accuracy import pcc, scaled_error

SYSTEM = SpeechT5("tiny")
STAGES = [stage.name for stage in SYSTEM.stages]
TEXT = [5, 6, 7]
ROOM = SYSTEM.lengths["S"][-1] + SPARE


@cache
def parts(stop: float = 0.0, size: str = "tiny") -> tuple[Any, Any]:
    """The package's two models; with `stop`, an end that comes of what the decoder says."""
    found: dict[str, nn.Module] = {}
    with seeded(0):
        SpeechT5(size).build(lambda module, part: found.update({part: module}))
        if stop:
            layer: Any = found["speecht5_tts"].speech_decoder_postnet.prob_out
            nn.init.normal_(layer.weight, std=stop / layer.in_features**0.5)
    return found["speecht5_tts"].eval(), found["speecht5_hifigan"].eval()


@cache
def built(stop: float = 0.0) -> dict[str, Built]:
    with seeded(0):
        return {name: (module.eval(), inputs) for name, (module, inputs) in stages(*parts(stop), 12, ROOM).items()}


@cache
def compiled(name: str) -> Compiled:
    return compiled_alone(built()[name])


def package(tokens: Sequence[int], seed: int, stop: float = 0.0, size: str = "tiny") -> np.ndarray:
    """The samples of `generate_speech`, which runs its prenet on all frames again at each step, with the same masks."""
    model, vocoder = parts(stop, size)
    random, drawn, layers = np.random.default_rng(seed), [], MASKS[size][0]
    calls = iter(range(10**6))

    def dropout(prenet: Any, x: torch.Tensor, p: float) -> torch.Tensor:
        while len(drawn) < x.shape[1]:
            drawn.append(torch.from_numpy((random.random(MASKS[size]) >= p).astype(np.float32)))
        layer = next(calls) % layers
        return x * torch.stack([masks[layer] for masks in drawn]) / (1 - p)

    speaker = torch.from_numpy(SpeechT5(size).inputs(tokens, None, seed)[1])
    with torch.no_grad(), mock.patch.object(SpeechT5SpeechDecoderPrenet, "_consistent_dropout", dropout):
        return model.generate_speech(torch.tensor([tokens]), speaker, vocoder=vocoder).numpy()


def test_the_dropout_is_the_package_s():
    assert parts()[0].config.speech_decoder_prenet_dropout == DROPPED


@pytest.mark.parametrize(
    ("tokens", "stop", "steps"),
    [(TEXT, 0.0, 30), ([9], 0.0, 10), (TEXT, 6.0, 6), ([8, 3], 8.0, 4), (TEXT, 4.5, 26)],
)
def test_the_stages_are_the_package(tokens: list[int], stop: float, steps: int):
    """Ends that the decoder says, before the host looks; and the ends that the package sets for texts of a length."""
    assert steps % LOOKED_AT
    wanted = package(tokens, 3, stop)
    assert len(wanted) == steps * 512
    found = SYSTEM.run(InTorch(built(stop)), seed=3, tokens=tokens)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_speech_after_another_is_as_the_first():
    stages = InTorch(built())
    first = SYSTEM.run(stages, seed=3, tokens=TEXT)
    SYSTEM.run(stages, seed=4, tokens=[9, 9, 9, 9])
    np.testing.assert_array_equal(SYSTEM.run(stages, seed=3, tokens=TEXT), first)


@pytest.mark.parametrize("name", ["encode", "synthesize"])
def test_a_compiled_stage_gives_what_the_module_gives(name: str):
    assert_as_module(built()[name], compiled(name))


def test_compiled_steps_give_what_the_module_gives():
    """Steps of a speech, and the first two of another, with the state that is left on the device."""
    module, inputs = built(6.0)["step"]
    random = np.random.default_rng(0)
    stages = InTorch(built(6.0))
    given = {name: item.numpy() for name, item in inputs.items()}
    with ttc.compile(module, kwargs=inputs, dtype="fp32").session("emulator") as session:
        found_stops = []
        for start in (0, 1, 2, 3, 4, 5, 6, 7, 0, 1):
            masks = (random.random(MASKS["tiny"]) >= DROPPED).astype(np.float32)
            here = {**given, "start": np.array([start]), "masks": masks}
            wanted, found = stages.run("step", here), session.run(here)
            assert found["stop"] == wanted["stop"]
            found_stops.append(int(found["stop"][0]))
            assert scaled_error(found["frames"][:, :, : start + 1], wanted["frames"][:, :, : start + 1]) <= 1e-5
    *speech, second, third = found_stops
    said = speech[-1]
    assert 0 < said < len(speech)
    assert speech == [0] * (said - 1) + [said] * (len(speech) - said + 1)  # as it was said first
    assert (second, third) == (0, 0)  # the next speech goes on


@pytest.mark.parametrize("target", FIRST)
@pytest.mark.parametrize("name", STAGES)
def test_real_ttnn_accepts_every_stage(name: str, target: str, ttnn_python: str):
    graph = accepted(compiled(name), target)
    layers = parts()[0].config.decoder_layers
    rows = 2 * layers + 1 if name == "step" else 0  # keys, values and frames are written where they lie
    assert str(graph).count("paged_update_cache") == rows


@pytest.mark.sweep  # four exports of each stage, 20 s of processor time
@pytest.mark.parametrize(("tokens", "stop"), [([9], 0.0), (TEXT, 0.0), ([7] * 6, 0.0), ([7] * 20, 5.0)])
def test_speech_in_buckets_is_the_package_s_own(tokens: list[int], stop: float):
    """Texts and speech of several lengths in the same buckets: padding never changes the sound."""
    wanted = package(tokens, 3, stop)
    with chain(stop).session("emulator") as session:
        for _ in range(2):
            found = SYSTEM.run(session, seed=3, tokens=tokens)
            assert found.shape == wanted.shape
            assert pcc(found, wanted) >= 0.999999
            np.testing.assert_allclose(found, wanted, atol=1e-5)


@cache
def chain(stop: float) -> Chain:
    return chain_of(SYSTEM, built(stop), "n150", "fp32", lambda what: None)


@pytest.mark.sweep
def test_the_published_size_is_the_package_s_own():
    """Random weights; a text of 3 tokens and one of 14 in the same buckets."""
    real = SpeechT5()
    with real.pipeline(dtype="fp32").session("emulator") as session:
        for tokens in (TEXT, [*range(4, 18)]):
            wanted, found = package(tokens, 3, size="real"), real.run(session, seed=3, tokens=tokens)
            assert found.shape == wanted.shape
            assert pcc(found, wanted) >= 0.999


@pytest.mark.sweep
@pytest.mark.parametrize("target", FIRST)
def test_real_ttnn_accepts_every_program_of_the_published_size(target: str, ttnn_python: str):
    assert_accepted(SpeechT5().pipeline(target, "bf16"))


def test_folders_of_transformers_give_the_weights(tmp_path: Path):
    with seeded(1):
        SYSTEM.build(lambda module, part: module.save_pretrained(tmp_path / part))
    with seeded(1):
        found: dict[str, nn.Module] = {}
        SYSTEM.build(lambda module, part: found.update({part: module}))
    loaded = built_stages(SYSTEM, tmp_path, 0)
    for part, module, own in (
        ("speecht5_tts", loaded["encode"][0].get_submodule("encoder"), "speecht5.encoder"),
        ("speecht5_tts", loaded["step"][0].get_submodule("decoder"), "speecht5.decoder.wrapped_decoder"),
        ("speecht5_hifigan", loaded["synthesize"][0].get_submodule("vocoder"), ""),
    ):
        wanted = found[part].get_submodule(own).state_dict()
        assert all(torch.equal(item, wanted[name]) for name, item in module.state_dict().items())
    (tmp_path / "speecht5_hifigan" / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"speecht5_hifigan has no model\.safetensors, pytorch_model\.bin or"):
        built_stages(SYSTEM, tmp_path, 0)


@pytest.mark.parametrize(
    ("tokens", "voice", "message"),
    [
        ([], None, "there are no tokens to speak"),
        ([3] * 25, None, "the text has 25 tokens; 24 are the most"),
        ([60], None, "there is no token 60: tokens are 0 to 59"),
        ([5, 1], None, "token 1 is padding: it cannot be spoken"),
        ([5], np.ones(31, np.float32), "the voice has 31 numbers, this model takes an embedding of 32"),
    ],
)
def test_what_cannot_be_spoken(tokens: list[int], voice: np.ndarray | None, message: str):
    with pytest.raises(InputError, match=message):
        SYSTEM.inputs(tokens, voice)


@pytest.mark.parametrize(("tokens", "stop", "runs"), [(7, 0, 64), (6, 0, 60), (7, 64, 64), (7, 60, 64), (7, 16, 16)])
def test_speech_that_does_not_end_is_refused(tokens: int, stop: int, runs: int):
    """Seven tokens may have 70 steps, and the largest bucket takes 64."""
    session = mock.Mock()
    session.run.side_effect = lambda stage, given, keep=(): {
        "stop": np.array([stop if stop and given["start"][0] + 1 >= stop else 0]) if "start" in given else None,
        "frames": None,
        "output": [given.get("places")],
    }
    if tokens == 7 and not stop:
        with pytest.raises(InputError, match="the speech does not end in 64 steps of 32 ms, which are the most"):
            SYSTEM.run(session, tokens=[5] * tokens)
    else:
        assert SYSTEM.run(session, tokens=[5] * tokens).shape == (1, stop or 60)
    steps = [call for call in session.run.call_args_list if call.args[0] == "step"]
    assert len(steps) == runs
    read = [call.args[1]["start"][0] + 1 for call in steps if "stop" not in call.kwargs["keep"]]
    assert read == [*range(LOOKED_AT, runs + 1, LOOKED_AT), *([runs] if runs % LOOKED_AT else [])]
