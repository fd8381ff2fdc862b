"""Voice conversion whole, at tiny size: against the package's modules at the recordings' true lengths."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from ttc.cli import main
from ttc.compiled.chain import Chain
from ttc.models.model import seeded
from ttc.models.systems.openvoice import VoiceConversion

openvoice = pytest.importorskip("ttc.models.openvoice", reason="needs the package openvoice-cli")

SYSTEM = VoiceConversion("tiny")


def recording(samples: int, seed: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return SYSTEM.pipeline(dtype="fp32")


@pytest.fixture(scope="module")
def folder(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("openvoice")
    chain.save(made)
    return made


def wanted(source: np.ndarray, reference: np.ndarray, seed: int, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The package's modules on the recordings themselves, with the noise that a session draws."""
    with seeded(0):
        built = openvoice.conversion("tiny", lambda module: None)
    tone, convert = (built[name][0].eval() for name in ("tone", "convert"))
    shape = (1, openvoice.CONFIGS["tiny"]["inter_channels"], len(source) // openvoice.hop("tiny"))
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, np.float32))
    monkeypatch.setattr(torch, "randn_like", lambda x: noise)
    with torch.no_grad():
        both = torch.cat([tone(torch.from_numpy(each)[None]) for each in (source, reference)])
        return convert(torch.from_numpy(source)[None], both)[0].numpy()


@pytest.mark.parametrize(("source", "reference"), [(700, 430), (330, 1024)])
def test_conversion_is_the_package_s_own(chain: Chain, source: int, reference: int, monkeypatch: pytest.MonkeyPatch):
    given = {"source": recording(source, 1), "reference": recording(reference, 2)}
    with chain.session("emulator") as session:
        found = SYSTEM.run(session, seed=3, **given)
    assert len(found) == source // 8 * 8
    np.testing.assert_allclose(found, wanted(*given.values(), 3, monkeypatch), atol=1e-6)
    assert [run.downloaded > 0 for run in session.runs] == [False, True]


def test_the_command_writes_a_sound(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, samples in (("a", 700), ("b", 430)):
        wavfile.write(tmp_path / f"{name}.wav", 22050, recording(samples, 1))
    command = ["models", "run", "openvoice", "--size", "tiny", "--compiled", str(folder)]
    command += ["--source", str(tmp_path / "a.wav"), "--reference", str(tmp_path / "b.wav")]
    command += ["-o", str(tmp_path / "c.wav"), "--device", "emulator"]
    assert main([*command, "--json", "--plot", str(tmp_path / "c.png")]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["seconds"] == 696 / 22050
    assert [stage["stage"] for stage in facts["stages"]] == ["tone", "convert"]
    assert [stage["host_ops"] for stage in facts["stages"]] == [0, 0]
    rate, samples = wavfile.read(tmp_path / "c.wav")
    assert (rate, len(samples), samples.any()) == (22050, 696, True)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert main(command) == 0
    assert "real-time factor" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((5000, 430), "the length N is 5000, and the largest bucket takes 1024"),
        ((700, 20), "the inputs are too short"),
        ((0, 430), "a.wav has no samples"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(
    given: tuple[int, int], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name, samples in zip(("a", "b"), given, strict=True):
        wavfile.write(tmp_path / f"{name}.wav", 22050, recording(samples, 1))
    command = ["models", "run", "openvoice", "--size", "tiny", "--compiled", str(folder), "-o", str(tmp_path / "c.wav")]
    assert main([*command, "--source", str(tmp_path / "a.wav"), "--reference", str(tmp_path / "b.wav")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "c.wav").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dtype", "bf16"], "was compiled with --dtype fp32, not bf16: name another folder"),
        (["--target", "p150"], "was compiled with --target n150, not p150: name another folder"),
        (["--weights", "{a}"], "has its own weights: name another folder for"),
        (["--size", "real"], "is not of openvoice, size real: tone has buckets of N=512; N=1024"),
        (["--plot", "{c}"], "is to hold the sound and its picture: give them two names"),
        (["--seed", "-1"], "a seed is a whole number of 0 or more, got -1"),
    ],
)
def test_options_that_contradict_are_refused(
    options: list[str], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    files = {name: str(tmp_path / f"{name}.wav") for name in "abc"}
    for name in "ab":
        wavfile.write(files[name], 22050, recording(700, 1))
    command = ["models", "run", "openvoice", "--size", "tiny", "--compiled", str(folder), "-o", files["c"]]
    command += ["--source", files["a"], "--reference", files["b"], *(item.format(**files) for item in options)]
    assert main(command) == 2
    assert message in capsys.readouterr().err
    assert not Path(files["c"]).exists()


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "run", "openvoice", "-o", str(tmp_path / "c.wav")]) == 2
    assert "openvoice needs --source: openvoice is given source and reference" in capsys.readouterr().err
