"""`ttc models run` with a system of two small modules: files, options, and the table of stages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from torch import nn

import ttc
from ttc.cli import main
from ttc.commands import models_run
from ttc.compiled.chain_session import ChainSession
from ttc.models import systems
from ttc.models.systems.system import Stage, System


class Level(nn.Module):
    """Recordings [2, N] to their mean squares [2, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.scale * (samples**2).mean(1, keepdim=True)


class Louder(nn.Module):
    """A recording [1, N] at the level of another, with levels [2, 1] of both."""

    def forward(self, samples: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        return samples * torch.sqrt(levels[1:] / levels[:1])


class Toy(System):
    name = "toy"
    summary = "a recording as loud as another"
    takes = ("source", "reference")
    stages = (
        Stage("level", {"samples": {1: "N"}}),
        Stage("louder", {"samples": {1: "N"}}, {"levels": ("level", "output")}),
    )
    rate = 16000

    def build(self, weigh: Callable[[nn.Module], None]) -> Mapping:
        level = Level()
        weigh(level)
        return {
            "level": (level, {"samples": torch.ones(2, 50)}),
            "louder": (Louder(), {"samples": torch.ones(1, 50), "levels": torch.ones(2, 1)}),
        }

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {"N": (64, 128) if self.size == "real" else (32, 64)}

    def run(self, session: ChainSession, seed: int = 0, *, source: np.ndarray, reference: np.ndarray) -> np.ndarray:
        longest = max(len(source), len(reference))
        both = np.stack([np.pad(each, (0, longest - len(each))) for each in (source, reference)])
        inputs = {"samples": both, "N": [len(source), len(reference)]}
        levels = session.run("level", inputs, keep=("output",))["output"]
        return session.run("louder", {"samples": source[None], "levels": levels})["output"][0]


@pytest.fixture(scope="module", autouse=True)
def toy() -> Iterator[None]:
    module = ModuleType("ttc.models.systems.toy")
    module.Toy = Toy  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "ttc.models.systems.toy", module)
        patch.setitem(systems.SYSTEMS, "toy", "Toy")
        assert models_run.SYSTEMS is systems.SYSTEMS
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("toy")
    Toy().pipeline(dtype="fp32").save(made)
    return made


def recording(path: Path, samples: int, loudness: float) -> np.ndarray:
    made = (loudness * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)
    wavfile.write(path, 16000, made)
    return made


def command(folder: Path, *options: str) -> list[str]:
    given = {"--source": "a.wav", "--reference": "b.wav", "-o": "c.wav"}
    files = [word for flag, name in given.items() for word in (flag, str(folder / name))]
    return ["models", "run", "toy", *files, "--device", "emulator", *options]


def test_the_command_writes_a_sound(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, reference = recording(tmp_path / "a.wav", 70, 0.05), recording(tmp_path / "b.wav", 110, 0.2)
    options = ["--compiled", str(folder), "--json", "--plot", str(tmp_path / "c.png")]
    assert main(command(tmp_path, *options)) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["seconds"] == 70 / 16000
    assert [stage["stage"] for stage in facts["stages"]] == ["level", "louder"]
    assert [stage["bucket"] for stage in facts["stages"]] == [{"N": 128}, {"N": 128}]
    assert [stage["host_ops"] for stage in facts["stages"]] == [0, 0]
    assert [stage["downloaded_bytes"] > 0 for stage in facts["stages"]] == [False, True]
    predicted = sum(stage["predicted_seconds"] for stage in facts["stages"])
    assert facts["latency_seconds"] == predicted > 0
    assert facts["items_per_second"] == 1 / predicted
    assert facts["real_time_factor"] == predicted / facts["seconds"]
    rate, samples = wavfile.read(tmp_path / "c.wav")
    assert (rate, samples.dtype) == (16000, np.int16)
    wanted = source * np.sqrt((reference**2).mean() / (source**2).mean())
    np.testing.assert_allclose(samples / 32767, wanted, atol=1e-4)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_has_every_stage_and_their_sum(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    recording(tmp_path / "a.wav", 30, 0.1), recording(tmp_path / "b.wav", 40, 0.1)
    assert main(command(tmp_path, "--compiled", str(folder))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["stage", "level", "louder", "total", "real-time", "one", "wrote"]


def test_programs_are_compiled_once_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    recording(tmp_path / "a.wav", 30, 0.1), recording(tmp_path / "b.wav", 40, 0.1)
    made = tmp_path / "programs"
    made.mkdir()  # an empty folder is as good as none
    assert main(command(tmp_path, "--compiled", str(made), "--target", "p150", "--size", "tiny")) == 0
    assert sorted(path.name for path in made.iterdir()) == ["level.ttc", "louder.ttc"]
    assert ttc.load(made / "level.ttc").program.target == "p150"
    first = (tmp_path / "c.wav").read_bytes()
    assert main(command(tmp_path, "--compiled", str(made), "--size", "tiny")) == 0
    assert (tmp_path / "c.wav").read_bytes() == first
    assert "wrote" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ((200, 40), "the length N is 200, and the largest bucket takes 128"),
        ((0, 40), "a.wav has no samples"),
        ((40, 0), "b.wav has no samples"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(
    lengths: tuple[int, int], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name, samples in zip("ab", lengths, strict=True):
        recording(tmp_path / f"{name}.wav", samples, 0.1)
    assert main(command(tmp_path, "--compiled", str(folder))) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "c.wav").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dtype", "bf16"], "was compiled with --dtype fp32, not bf16: name another folder"),
        (["--target", "p150"], "was compiled with --target n150, not p150: name another folder"),
        (["--weights", "{a}"], "has its own weights: name another folder for"),
        (["--size", "tiny"], "is not of toy, size tiny: level has buckets of N=64; N=128"),
        (["--size", "huge"], "toy has the sizes real, tiny, not 'huge'"),
        (["-o", "{c}.mp3"], "the sound is written as WAV: "),
        (["--plot", "{c}"], "the picture is written as PNG: "),
        (["-o", "{a}"], "it is an input of the same command"),
    ],
)
def test_options_that_contradict_are_refused(
    options: list[str], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name in "ab":
        recording(tmp_path / f"{name}.wav", 50, 0.1)
    files = {name: str(tmp_path / f"{name}.wav") for name in "abc"}
    written = [item.format(**files) for item in options]
    assert main(command(tmp_path, "--compiled", str(folder), *written)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "c.wav").exists()


@pytest.mark.parametrize("seed", ["-1", "1.5", "", "x", str(1 << 63), "9" * 40, "\u0661"])
def test_other_seeds_are_refused(seed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main([*command(tmp_path, "--seed", seed)])
    assert caught.value.code == 2
    assert "a seed is a whole number from 0 to 2^63 - 1, got" in capsys.readouterr().err


def test_the_largest_seed_is_taken(folder: Path, tmp_path: Path):
    recording(tmp_path / "a.wav", 30, 0.1), recording(tmp_path / "b.wav", 40, 0.1)
    assert main(command(tmp_path, "--compiled", str(folder), "--seed", str((1 << 63) - 1))) == 0


def test_a_sound_and_a_picture_that_are_one_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    recording(tmp_path / "a.wav", 30, 0.1), recording(tmp_path / "b.wav", 40, 0.1)
    (tmp_path / "c.png").symlink_to(tmp_path / "c.wav")
    assert main(command(tmp_path, "--compiled", str(folder), "--plot", str(tmp_path / "c.png"))) == 2
    assert "is to hold the sound and its picture: give them two names" in capsys.readouterr().err


def test_a_capital_ending_is_one_too(folder: Path, tmp_path: Path):
    recording(tmp_path / "a.wav", 30, 0.1), recording(tmp_path / "b.wav", 40, 0.1)
    assert main(command(tmp_path, "--compiled", str(folder), "-o", str(tmp_path / "d.WAV"))) == 0
    assert (tmp_path / "d.WAV").exists()


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "run", "toy", "-o", str(tmp_path / "c.wav")]) == 2
    assert "toy needs --source: toy is given source and reference" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["kokoro"], "kokoro needs --phonemes"),
        (["kokoro", "--phonemes", "a", "--source", "a.wav"], "kokoro takes no --source: kokoro is given phonemes"),
        (["kokoro", "--phonemes", "a", "--text", "a"], "kokoro speaks --text or --phonemes, not both"),
        (["kokoro", "--phonemes", "g"], "Kokoro knows no phoneme 'g'"),
        (["kokoro", "--phonemes", ""], "there are no phonemes to speak"),
        (["kokoro", "--phonemes", "a" * 511], "the text has 511 phonemes; 510 are the most"),
        (["kokoro", "--text", " "], "the text is empty"),
        (["kokoro", "--phonemes", "a", "--voice", "none.npz"], "none.npz"),
        (["vits", "--tokens", ""], "there are no tokens to speak"),
        (["vits", "--tokens", "1 38"], "there is no token 38: tokens are 0 to 37"),
        (["vits", "--tokens", "1 x"], "tokens are whole numbers with spaces or commas between, got 'x'"),
        (["vits", "--tokens", "1 " * 641], "the text has 641 tokens; 640 are the most"),
        (["vits", "--text", "a"], "--text needs --tokenizer DIR"),
        (["vits", "--tokens", "1", "--phonemes", "a"], "vits takes no --phonemes: vits is given tokens"),
        (["speecht5", "--tokens", " "], "there are no tokens to speak"),
        (["speecht5", "--tokens", "5 " * 449], "the text has 449 tokens; 448 are the most"),
        (["speecht5", "--tokens", "5 1"], "token 1 is padding: it cannot be spoken"),
        (["speecht5", "--tokens", "5", "--voice", "none.npy"], "none.npy"),
        (["openvoice", "--phonemes", "a"], "--phonemes needs --base DIR, whose config.json has"),
    ],
)
def test_what_cannot_be_spoken_is_told_before_anything_is_compiled(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["models", "run", *options, "-o", str(tmp_path / "c.wav")]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
