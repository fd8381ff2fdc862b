"""Bark whole, at tiny size: tokens and samples against transformers' own `generate`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.models.bark.generation_configuration_bark import (
    BarkCoarseGenerationConfig,
    BarkFineGenerationConfig,
    BarkGenerationConfig,
    BarkSemanticGenerationConfig,
)

from tests.cards import swept
from tests.mock_cards import assert_accepted
from tests.models.systems.in_torch import InTorch
from ttc.cli import main
from ttc.compiled.chain import Chain
from ttc.errors import InputError
from ttc.generation.chosen import LOOK
from ttc.models.bark_speech import speech, whole
from ttc.models.model import as_built, seeded
from ttc.models.systems.bark import Bark
from ttc.models.systems.bark_tokens import NUMBERS, Numbers, Voice
from ttc.models.systems.bark_voice import read_bark_voice
from ttc.validation.accuracy import pcc

SYSTEM = Bark("tiny")
NUMBER = SYSTEM.numbers
TEXT = (1, 2, 3, 40)
SAMPLED = {"temperature": 0.7, "top_k": 20, "top_p": 0.9}


def configs(numbers: Numbers) -> dict[str, Any]:
    """The package's configurations of generation, for a model of these numbers."""
    return {
        "semantic_generation_config": BarkSemanticGenerationConfig(
            eos_token_id=numbers.semantic,
            max_new_tokens=numbers.longest,
            text_encoding_offset=numbers.text_offset,
            text_pad_token=numbers.text_pad,
            semantic_infer_token=numbers.text_infer,
            semantic_vocab_size=numbers.semantic,
            max_input_semantic_length=numbers.text,
            semantic_rate_hz=numbers.semantic_rate,
        ),
        "coarse_generation_config": BarkCoarseGenerationConfig(
            coarse_semantic_pad_token=numbers.coarse_pad,
            coarse_rate_hz=numbers.frame_rate,
            n_coarse_codebooks=numbers.coarse_codebooks,
            coarse_infer_token=numbers.coarse_infer,
            max_coarse_input_length=numbers.coarse_input,
            max_coarse_history=numbers.coarse_history,
            sliding_window_len=numbers.coarse_window,
        ),
        "fine_generation_config": BarkFineGenerationConfig(
            max_fine_history_length=numbers.fine_history,
            max_fine_input_length=numbers.fine_input,
            n_fine_codebooks=numbers.codebooks,
        ),
    }


def test_the_numbers_are_those_that_the_package_publishes():
    published = BarkGenerationConfig()
    for part, config in configs(NUMBERS["real"]).items():
        name = {
            "coarse_generation_config": "coarse_acoustics_config",
            "fine_generation_config": "fine_acoustics_config",
        }
        of_package = getattr(published, name.get(part, "semantic_config"))
        assert config.to_dict() == of_package.to_dict()
    assert NUMBERS["real"].codebook == published.codebook_size
    assert Bark.rate == published.sample_rate


@cache
def package() -> Any:
    with seeded(0):
        return whole("tiny").eval()


@cache
def voice() -> Voice:
    """A prompt whose tokens are more than each model takes."""
    random = np.random.default_rng(0)
    frames = 75
    fine = random.integers(0, NUMBER.codebook, (NUMBER.codebooks, frames))
    return Voice(random.integers(0, NUMBER.semantic, 50), fine[:2], fine)


def generated(
    model: Any, own_voice: Voice | None, count: int, **how: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The package's semantic tokens, coarse codes, fine codes and samples."""
    ids = torch.zeros(1, NUMBER.text, dtype=torch.long)
    ids[0, : len(TEXT)] = torch.tensor(TEXT)
    mask = (torch.arange(NUMBER.text) < len(TEXT)).long()[None]
    prompt: dict[str, Tensor] | None = None
    if own_voice is not None:
        prompt = {f"{name}_prompt": torch.from_numpy(tokens) for name, tokens in own_voice._asdict().items()}
    given = {**configs(NUMBER), "history_prompt": prompt}
    of_semantic = {name: given[name] for name in ("semantic_generation_config", "history_prompt")}
    semantic = model.semantic.generate(ids, attention_mask=mask, max_new_tokens=count, **of_semantic, **how)
    of_coarse = {name: item for name, item in given.items() if not name.startswith("fine")}
    tokens = model.coarse_acoustics.generate(semantic.clone(), codebook_size=NUMBER.codebook, **of_coarse, **how)
    fine = model.fine_acoustics.generate(tokens, codebook_size=NUMBER.codebook, **given)
    with torch.no_grad():
        samples = model.codec_decode(fine)
    coarse = (tokens.reshape(-1, NUMBER.coarse_codebooks).T - NUMBER.semantic) % NUMBER.codebook
    semantic = semantic[semantic != NUMBER.semantic]
    return semantic.numpy(), coarse.numpy(), fine[0].numpy(), samples[0].numpy()


class Modules(InTorch):
    """Runs the stages' modules; a step takes as many tokens as there are."""

    def __init__(self, end: int | None = None) -> None:
        with seeded(0):
            built = speech("tiny", as_built)
        if end is not None:
            _exchange(cast(Tensor, built["semantic"][0].head), end)
        super().__init__({name: (module.eval(), inputs) for name, (module, inputs) in built.items()})

    def run(
        self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = (), seed: int | None = None
    ) -> dict[str, Any]:
        steps = {"tokens": [np.shape(inputs["input_ids"])[1]]} if "input_ids" in inputs else {}
        found = super().run(stage, {**inputs, **steps}, keep, seed)
        return {name: item.copy() for name, item in found.items()}


def _exchange(head: Tensor, token: int) -> None:
    """Let the model end where it would say a token."""
    with torch.no_grad():
        head[[token, NUMBER.semantic]] = head[[NUMBER.semantic, token]]


@pytest.fixture(scope="module")
def chain() -> Chain:
    return SYSTEM.pipeline(dtype="fp32")


@pytest.mark.parametrize(("spoken", "count"), [(False, NUMBER.longest), (True, NUMBER.longest), (True, 5)])
def test_speech_is_the_package_s_own(chain: Chain, spoken: bool, count: int):
    """Several windows of coarse and of fine tokens, and one of each that is not full."""
    own_voice = voice() if spoken else None
    semantic, coarse, fine, samples = generated(package(), own_voice, count)
    assert count == 5 or min(len(np.unique(each)) for each in (semantic, coarse, fine)) > 10
    with chain.session("emulator") as session:
        found = SYSTEM.semantic(session, TEXT, count, own_voice)
        np.testing.assert_array_equal(found, semantic)
        np.testing.assert_array_equal(SYSTEM.coarse(session, found, own_voice), coarse)
        np.testing.assert_array_equal(SYSTEM.fine(session, coarse, own_voice), fine)
        seconds = (count + 0.5) / NUMBER.semantic_rate if count < NUMBER.longest else None
        sound = SYSTEM.run(session, tokens=TEXT, voice=own_voice, seconds=seconds)
        looks = [run for run in session.runs if run.stage == "semantic" and run.downloaded]
        assert len(looks) == 2 * -(-count // LOOK)
        tiles_of_tokens = 4 * 32 * 128
        assert {run.downloaded for run in looks} == {tiles_of_tokens}
    assert sound.shape == samples.shape
    assert pcc(sound, samples) >= 0.999


def test_caches_are_as_large_for_every_number_of_tokens(chain: Chain):
    for name in ("semantic", "coarse"):
        states = [bucket.program.graph.states for bucket in chain.stages[name].buckets]
        types = [{own: value.type for own, value in each.items()} for each in states]
        assert len(types[0]) == 2 * 2 + 1
        assert all(each == types[0] for each in types)


def test_saved_programs_are_the_system_s(chain: Chain, tmp_path: Path):
    chain.save(tmp_path)
    assert {name: len(each.buckets) for name, each in SYSTEM.load(tmp_path).stages.items()} == {
        "semantic": 2, "coarse": 2, "fine": 1, "decode": 2
    }  # fmt: skip
    with pytest.raises(InputError, match="is not of bark, size real: semantic has buckets of S=1; S=32"):
        Bark().load(tmp_path)


@pytest.mark.parametrize("target", ["n150", swept("p150")])
def test_the_real_library_accepts_every_program(target: str):
    programs = SYSTEM.pipeline(target)
    assert all(executable.report.host_ops == 0 for executable in programs.stages.values())
    assert_accepted(programs)


@pytest.mark.parametrize("spoken", [False, True])
def test_sampling_draws_as_the_package_does(spoken: bool):
    own_voice, modules = voice() if spoken else None, Modules()
    torch.manual_seed(5)
    semantic, coarse, *_ = generated(package(), own_voice, NUMBER.longest, do_sample=True, **SAMPLED)
    sampler = SYSTEM.sampler(5, **SAMPLED)
    found = SYSTEM.semantic(modules, TEXT, NUMBER.longest, own_voice, sampler)
    np.testing.assert_array_equal(found, semantic)
    np.testing.assert_array_equal(SYSTEM.coarse(modules, found, own_voice, sampler), coarse)
    assert not np.array_equal(found, SYSTEM.semantic(modules, TEXT, NUMBER.longest, own_voice))


@pytest.mark.parametrize("how", [{"temperature": 1.5}, {"top_k": 3}, {"top_p": 0.5}])
def test_each_option_of_sampling_alone(how: dict[str, Any]):
    torch.manual_seed(6)
    semantic, *_ = generated(package(), None, 20, **{"do_sample": True, "top_k": 0, **how})
    sampler = SYSTEM.sampler(6, *(how.get(name) for name in SAMPLED))
    np.testing.assert_array_equal(SYSTEM.semantic(Modules(), TEXT, 20, None, sampler), semantic)


@pytest.mark.parametrize("sampled", [False, True])
def test_speech_ends_where_the_model_says(sampled: bool):
    greedy = SYSTEM.semantic(Modules(), TEXT, NUMBER.longest)
    place = next(place for place in range(17, 30) if greedy[place] not in greedy[:place])
    modules = Modules(int(greedy[place]))
    sampler = SYSTEM.sampler(0, 1e-4, None, None) if sampled else None
    found = SYSTEM.semantic(modules, TEXT, NUMBER.longest, None, sampler)
    np.testing.assert_array_equal(found, greedy[:place])
    model = whole_with_end(int(greedy[place]))
    np.testing.assert_array_equal(found, generated(model, None, NUMBER.longest)[0])


def whole_with_end(token: int) -> Any:
    with seeded(0):
        model = whole("tiny").eval()
    _exchange(model.semantic.lm_head.weight, token)
    return model


def test_a_speech_without_tokens_is_refused():
    first = int(SYSTEM.semantic(Modules(), TEXT, 1)[0])
    with pytest.raises(InputError, match="the speech is empty: the model ends before the first token"):
        SYSTEM.run(Modules(first), tokens=TEXT)


def stored(path: Path, **changed: Any) -> Path:
    prompt = {f"{name}_prompt": tokens for name, tokens in voice()._asdict().items()}
    np.savez(path, **{name: item for name, item in {**prompt, **changed}.items() if item is not None})
    return path


def test_a_speaker_s_prompt_is_read(tmp_path: Path):
    found = read_bark_voice(stored(tmp_path / "voice.npz"), NUMBER)
    for own, wanted in zip(found, voice(), strict=True):
        np.testing.assert_array_equal(own, wanted)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"fine_prompt": None},
            "lacks fine_prompt: a speaker's prompt has semantic_prompt, coarse_prompt, fine",
        ),
        (
            {"semantic_prompt": np.zeros((1, 5), int)},
            "semantic_prompt has the shape [1, 5], a speaker's prompt has [N",
        ),
        ({"coarse_prompt": np.zeros((3, 5), int)}, "coarse_prompt has the shape [3, 5], a speaker's prompt has [2, N]"),
        ({"fine_prompt": np.zeros((8, 0), int)}, "fine_prompt has the shape [8, 0], a speaker's prompt has [8, N]"),
        ({"semantic_prompt": np.full(3, NUMBER.semantic)}, "semantic_prompt holds other than the tokens 0 to 95"),
        ({"coarse_prompt": np.full((2, 3), -1)}, "coarse_prompt holds other than the tokens 0 to 31"),
        ({"fine_prompt": np.zeros((8, 3))}, "fine_prompt holds other than the tokens 0 to 31"),
        ({"semantic_prompt": np.array([None])}, "object, not numbers"),
    ],
)
def test_prompts_that_are_none_are_refused(changed: dict[str, Any], message: str, tmp_path: Path):
    with pytest.raises(InputError, match=re.escape(message)):
        read_bark_voice(stored(tmp_path / "voice.npz", **changed), NUMBER)


def test_one_array_is_no_prompt(tmp_path: Path):
    np.save(tmp_path / "voice.npy", voice().semantic)
    with pytest.raises(InputError, match=r"is no speaker's prompt: give a \.npz file of semantic_prompt"):
        read_bark_voice(tmp_path / "voice.npy", NUMBER)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tokens", ""], "there are no tokens to speak"),
        (["--tokens", "1 68"], "there is no token 68: tokens are 0 to 67"),
        (["--tokens", "1 " * 33], "the text has 33 tokens; 32 are the most"),
        (["--tokens", "1", "--text", "a"], "bark speaks --text or --tokens, not both"),
        (["--tokens", "1", "--seconds", "0"], "a speech has from 0.020 to 0.80 seconds, not 0.0"),
        (["--tokens", "1", "--seconds", "0.81"], "a speech has from 0.020 to 0.80 seconds, not 0.81"),
        (["--tokens", "1", "--seconds", "nan"], "a speech has from 0.020 to 0.80 seconds, not nan"),
        (["--tokens", "1", "--temperature", "0"], "a temperature is a positive number, got 0.0"),
        (["--tokens", "1", "--temperature", "inf"], "a temperature is a positive number, got inf"),
        (["--tokens", "1", "--top-k", "0"], "top-k is a number of tokens, 1 or more, got 0"),
        (["--tokens", "1", "--top-p", "1.1"], "top-p is a probability above 0 and up to 1, got 1.1"),
        (["--tokens", "1", "--top-p", "0"], "top-p is a probability above 0 and up to 1, got 0.0"),
        (["--tokens", "1", "--source", "a.wav"], "bark takes no --source: bark is given tokens"),
        (["--tokens", "1", "--voice", "none.npz"], "none.npz"),
    ],
)
def test_what_cannot_be_spoken_is_told_before_anything_is_compiled(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["models", "run", "bark", "--size", "tiny", *options, "-o", str(tmp_path / "c.wav")]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_other_systems_take_no_sampling(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "run", "vits", "--tokens", "1", "--top-k", "3", "-o", str(tmp_path / "c.wav")]) == 2
    assert "vits takes no --top-k: vits is given tokens" in capsys.readouterr().err
