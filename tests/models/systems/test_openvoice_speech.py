"""OpenVoice's speech whole, at tiny size: against the package's own inference at each text's true length."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from tests.cards import FIRST
from tests.mock_cards import assert_accepted
from tests.models.systems.in_torch import InTorch, drawn_apart
from tests.models.systems.one_stage import accepted, assert_as_module, compiled_alone
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError
from ttc.models.model import Built, seeded
from ttc.models.systems.compile import built_stages
from ttc.models.systems.openvoice import ConvertedSpeech, Speech, VoiceConversion
from ttc.models.systems.openvoice_base import Base, read_base
from ttc.models.systems.voice import read_embedding
from ttc.validation.accuracy import pcc
from ttc.validation.system import Drawing

openvoice = pytest.importorskip("ttc.models.openvoice", reason="needs the package openvoice-cli")

SYSTEM = ConvertedSpeech("tiny", Base(symbols=30, speakers=3))
STAGES = [stage.name for stage in SYSTEM.stages]
SPEAKING = STAGES[:3]
TEXTS = [[7], [1, 2, 3], [*range(5, 15)]]


@cache
def built(name: str) -> Built:
    return built_stages(SYSTEM, None, 0)[name]


@cache
def compiled(name: str) -> Compiled:
    return compiled_alone(built(name))


def package(system: Speech, built: Mapping[str, Built], tokens: list[int], speaker: int, seed: int) -> np.ndarray:
    """The samples of the package's inference, with its own masks, path and lengths."""
    with seeded(1):
        model = openvoice.synthesizer(system.size, system.base.speakers, system.base.symbols).eval()
    encode, synthesize = built["encode"][0], built["synthesize"][0]
    for own, part in (
        (model.enc_p, encode.text), (model.emb_g, encode.speakers), (model.sdp, encode.stochastic),
        (model.dp, encode.deterministic), (model.flow, synthesize.flow), (model.dec, synthesize.decoder),
    ):  # fmt: skip
        own.load_state_dict(part.state_dict())
    given = torch.tensor([tokens]), torch.tensor([len(tokens)]), torch.tensor([speaker])
    with torch.no_grad(), drawn_apart(3 * seed, 3 * seed + 1):
        return model.infer(*given, noise_scale=0.667, noise_scale_w=0.6, sdp_ratio=0.2)[0][0, 0].numpy()


@pytest.mark.parametrize("tokens", TEXTS)
def test_the_stages_of_speech_are_the_package(tokens: list[int]):
    stages = {name: built(name) for name in SPEAKING}
    found = Speech("tiny", SYSTEM.base).run(InTorch(stages), seed=3, tokens=tokens, speaker=2)
    np.testing.assert_allclose(found, package(SYSTEM, stages, tokens, 2, 3), atol=1e-6)


def test_speakers_speak_otherwise():
    stages = InTorch({name: built(name) for name in SPEAKING})
    first, second = (Speech("tiny", SYSTEM.base).run(stages, tokens=[1, 2, 3], speaker=n) for n in (0, 1))
    assert first.shape != second.shape or np.abs(first - second).max() > 1e-3


def test_speech_in_another_voice_is_speech_converted():
    """The same as speech, and then the conversion of a recording of the same samples."""
    stages, recording = InTorch({name: built(name) for name in STAGES}), heard(300)
    samples = Speech("tiny", SYSTEM.base).run(stages, seed=3, tokens=[1, 2, 3])
    tone, convert = built("tone")[0], built("convert")[0].conversion
    with torch.no_grad(), Drawing(3 * 3 + 2):
        both = torch.cat([tone(torch.from_numpy(each)[None]) for each in (samples, recording)])
        wanted = convert(torch.from_numpy(samples)[None], both)[0].numpy()
    np.testing.assert_array_equal(SYSTEM.run(stages, seed=3, tokens=[1, 2, 3], reference=recording), wanted)
    given = {"tokens": [1, 2, 3], "reference": recording, "voice": both[:1].numpy()}
    np.testing.assert_array_equal(SYSTEM.run(stages, seed=3, **given), wanted)


def heard(samples: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(samples).standard_normal(samples).astype(np.float32)


@pytest.mark.parametrize("name", [*SPEAKING, "convert"])
def test_a_compiled_stage_gives_what_the_module_gives(name: str):
    assert_as_module(built(name), compiled(name))


@pytest.mark.parametrize("target", FIRST)
@pytest.mark.parametrize("name", SPEAKING)
def test_real_ttnn_accepts_every_stage(name: str, target: str, ttnn_python: str):
    accepted(compiled(name), target)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (SYSTEM.base, ""),
        (Base(symbols=31, speakers=3), "DIR was compiled for 30 symbols, not 31: give the same --base as then"),
        (Base(symbols=30, speakers=2), "DIR was compiled for 3 speakers, not 2"),
    ],
)
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_programs_of_other_base_speakers_are_refused(base: Base, message: str, dtype: str):
    program = compiled("encode").variant(dtype=dtype, target="n150").build.program
    if not message:
        Speech("tiny", base).require_tables(program, "DIR")
        return
    with pytest.raises(InputError, match=message):
        Speech("tiny", base).require_tables(program, "DIR")


@pytest.mark.sweep  # four exports of two stages, seven of one and three of the others
def test_speech_in_buckets_is_the_package_s_own(tmp_path: Path):
    """Texts of several lengths in the same buckets: padding never changes the sound, nor values that stay there."""
    stages, recording = {name: built(name) for name in STAGES}, heard(700)
    SYSTEM.pipeline(dtype="fp32").save(tmp_path)
    with SYSTEM.load(tmp_path).session("emulator") as session:
        for tokens in TEXTS:
            wanted = package(SYSTEM, stages, tokens, 1, 3)
            found = Speech.run(SYSTEM, session, seed=3, tokens=tokens, speaker=1)
            assert found.shape == wanted.shape
            assert pcc(found, wanted) >= 0.999999
            session.runs.clear()
            given = {"tokens": tokens, "reference": recording, "speaker": 1}
            found, wanted = (SYSTEM.run(each, seed=3, **given) for each in (session, InTorch(stages)))
            assert found.shape == wanted.shape
            assert pcc(found, wanted) >= 0.999999
            names = [run.stage for run in session.runs if run.downloaded]
            assert names == ["encode", "convert"]  # of the first the number of frames


@pytest.mark.sweep
def test_the_published_size_is_the_package_s_own():
    """Random weights; a text of 5 tokens and one of 60 in the same buckets."""
    real = Speech()
    stages = built_stages(real, None, 0)
    with real.pipeline(dtype="fp32").session("emulator") as session:
        for tokens in ([*range(5)], [*range(30)] * 2):
            given = real.inputs(tokens, 7)
            left, kept = (each.run("encode", given, seed=9) for each in (InTorch(stages), session))
            np.testing.assert_array_equal(kept["durations"], left["durations"])
            wanted = package(real, stages, tokens, 7, 3)
            found = real.run(session, seed=3, tokens=tokens, speaker=7)
            assert found.shape == wanted.shape
            assert pcc(found, wanted) >= 0.999


@pytest.mark.sweep
@pytest.mark.parametrize("target", FIRST)
def test_real_ttnn_accepts_every_program_of_the_published_size(target: str, ttnn_python: str):
    assert_accepted(ConvertedSpeech().pipeline(target, "bf16"))


def folder(path: Path, **changed: Any) -> Path:
    """A folder of base speakers as it is published."""
    config = {"symbols": list("_,abc"), "speakers": {"default": 1, "friendly": 2}}
    config |= {"data": {"n_speakers": 3, "add_blank": True}}
    (path / "config.json").write_text(json.dumps(config | changed))
    return path


def test_a_folder_names_symbols_and_speakers(tmp_path: Path):
    base = read_base(folder(tmp_path))
    assert (base.symbols, base.speakers) == (5, 3)
    assert base.tokens("ab") == [0, 2, 0, 3, 0]
    assert [base.speaker(given) for given in ("default", "friendly", "0", "2")] == [1, 2, 0, 2]
    without = read_base(folder(tmp_path, data={"n_speakers": 3, "add_blank": False}, symbols=["_", "a", "a"]))
    assert without.tokens("a_a") == [1, 0, 1]


def test_a_folder_gives_the_weights_of_speech_and_a_file_those_of_conversion(tmp_path: Path):
    base = read_base(folder(tmp_path))
    with seeded(1):
        speech = openvoice.lively(openvoice.synthesizer("tiny", 3, 5))
        conversion = openvoice.lively(openvoice.synthesizer("tiny", 0))
    torch.save({"model": speech.state_dict(), "iteration": 3}, tmp_path / "checkpoint.pth")
    torch.save({"model": conversion.state_dict()}, tmp_path / "converter.pth")
    stages = built_stages(ConvertedSpeech("tiny", base), tmp_path / "converter.pth", 0)
    assert torch.equal(stages["encode"][0].text.emb.weight, speech.enc_p.emb.weight)
    assert torch.equal(stages["tone"][0].encoder.proj.weight, conversion.ref_enc.proj.weight)
    alone = built_stages(Speech("tiny", base), None, 0)
    assert torch.equal(alone["encode"][0].text.emb.weight, speech.enc_p.emb.weight)
    with pytest.raises(InputError, match="has the weights of speech: --weights is for conversion after it"):
        built_stages(Speech("tiny", base), tmp_path / "converter.pth", 0)
    for other, weights in ((base, None), (Base(), tmp_path / "converter.pth")):
        with pytest.raises(InputError, match="needs the weights of both: --base DIR and --weights FILE"):
            built_stages(ConvertedSpeech("tiny", other), weights, 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"symbols": None}, "is no configuration of OpenVoice's base speakers: it has no symbols"),
        ({"symbols": []}, "symbols are a list of texts, and some"),
        ({"symbols": ["a", 1]}, "symbols are a list of texts"),
        ({"data": [3]}, "it has no data"),
        ({"data": {"n_speakers": "3"}}, "it has no n_speakers"),
        ({"data": {"n_speakers": 0}}, "n_speakers is a number from 1 to 65,536, got 0"),
        ({"data": {"n_speakers": True}}, "n_speakers is a number from 1 to 65,536, got True"),
        ({"data": {"n_speakers": 65537}}, "n_speakers is a number from 1 to 65,536, got 65537"),
        ({"speakers": {"default": 3}}, "speakers are names with numbers below n_speakers, 3"),
        ({"speakers": {"default": -1}}, "speakers are names"),
        ({"speakers": {"default": True}}, "speakers are names"),
        ({"speakers": ["default"]}, "speakers are names"),
    ],
)
def test_folders_that_say_something_else(changed: dict[str, Any], message: str, tmp_path: Path):
    with pytest.raises(InputError, match=message):
        read_base(folder(tmp_path, **changed))


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\xfd", b"[" * 100_000, b"[]", b"1e999"])
def test_files_that_are_no_configuration(text: bytes, tmp_path: Path):
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(InputError, match=r"config\.json is no (JSON|configuration)"):
        read_base(tmp_path)
    with pytest.raises(InputError, match=r"config\.json"):
        read_base(tmp_path / "none")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": ""}, "there are no tokens to speak"),
        ({"tokens": "1 x"}, "tokens are whole numbers with spaces or commas between, got 'x'"),
        ({"tokens": "5"}, "there is no token 5: tokens are 0 to 4"),
        ({"tokens": "1 " * 25}, "the text has 25 tokens; 24 are the most"),
        ({"phonemes": ""}, "there are no tokens to speak"),
        ({"phonemes": "ab\u202ex"}, "knows no symbol '\\u202e', 'x'"),
        ({"phonemes": "a", "tokens": "1"}, "openvoice speaks --phonemes or --tokens, not both"),
        ({"tokens": "1", "speaker": "3"}, "there is no speaker '3': speakers are 0 to 2, or default, friendly"),
        ({"tokens": "1", "speaker": "-1"}, "there is no speaker '-1'"),
        ({"tokens": "1", "speaker": ""}, "there is no speaker ''"),
        ({"tokens": "1", "speaker": "1" * 5000}, "there is no speaker"),
        ({"tokens": "1", "source": "a.wav"}, "openvoice takes no --source: openvoice is given tokens"),
        ({"tokens": "1", "voice": "a.npy"}, "openvoice takes no --voice: openvoice is given tokens"),
        ({"tokens": "1", "text": "a"}, "openvoice takes no --text: openvoice is given tokens"),
        ({"speaker": "1"}, "openvoice takes no --speaker: openvoice is given source and reference"),
    ],
)
def test_what_cannot_be_spoken(options: dict[str, str], message: str, tmp_path: Path):
    given = {**options, "base": str(folder(tmp_path))} if "speaker" not in options or len(options) > 1 else options
    with pytest.raises(InputError) as caught:
        VoiceConversion.asked("tiny", given).read(given)
    assert message in str(caught.value)


def test_phonemes_need_a_folder():
    given = {"phonemes": "a"}
    with pytest.raises(InputError, match="--phonemes needs --base DIR"):
        VoiceConversion.asked("tiny", given).read(given)


@pytest.mark.parametrize(("total", "spoken"), [(0, False), (1, True), (128, True), (129, False)])
def test_speech_beyond_the_largest_bucket_is_refused(total: int, spoken: bool):
    session = mock.Mock()
    left = {"total": np.array([total]), "durations": None, "means": None, "log_variances": None}
    session.run.side_effect = [left, {"means": 0, "log_variances": 0}, {"output": [np.zeros(1)]}]
    if spoken:
        Speech("tiny").run(session, tokens=[1])
    else:
        with pytest.raises(InputError, match=f"the speech would have {total} frames of 12 ms; 128 are the most"):
            Speech("tiny").run(session, tokens=[1])
    assert session.run.call_count == (3 if spoken else 1)


@pytest.mark.parametrize("speaker", [-1, 3])
def test_numbers_of_no_speaker(speaker: int):
    with pytest.raises(InputError, match=f"there is no speaker {speaker}: speakers are 0 to 2"):
        SYSTEM.inputs([1], speaker)


@pytest.mark.parametrize("size", [15, 17])
def test_voices_of_another_size_are_refused(size: int):
    with pytest.raises(InputError, match=f"the voice has {size} numbers, this model takes an embedding of 16"):
        SYSTEM.embedding(np.zeros(size))


def test_the_package_s_own_embeddings_are_voices():
    files = sorted((Path(str(find_spec("openvoice_cli").submodule_search_locations[0])) / "checkpoints").rglob("*.pth"))
    assert len(files) > 5
    for file in files:
        assert ConvertedSpeech().embedding(read_embedding(file)).shape == (1, 256)
