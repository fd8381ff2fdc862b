"""Voice packs: files of one array, from strangers."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from ttc.errors import InputError
from ttc.models.systems.kokoro import Speech
from ttc.models.systems.voice import read_embedding, read_voice

VOICE = np.random.default_rng(0).standard_normal((12, 1, 32)).astype(np.float32)


def stored(folder: Path, suffix: str, voice: np.ndarray) -> Path:
    path = folder / f"voice{suffix}"
    match suffix:
        case ".npz":
            np.savez(path, voice)
        case ".npy":
            np.save(path, voice)
        case ".safetensors":
            save_file({"voice": voice}, path)
        case _:
            torch.save(torch.from_numpy(voice), path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors", ".pt", ".pth"])
def test_every_kind_of_file_is_read(suffix: str, tmp_path: Path):
    np.testing.assert_array_equal(read_voice(stored(tmp_path, suffix, VOICE)), VOICE)


@pytest.mark.parametrize("voice", [VOICE[:, 0], np.zeros((2, 2, 4)), np.zeros((0, 1, 4)), np.full((1, 1, 4), np.nan)])
def test_arrays_that_are_no_voice_are_refused(voice: np.ndarray, tmp_path: Path):
    with pytest.raises(InputError, match=re.escape(f"holds {list(voice.shape)}: a voice has finite numbers")):
        read_voice(stored(tmp_path, ".npz", voice))


@pytest.mark.parametrize("voice", [VOICE[0, 0], VOICE[0], VOICE[0][..., None]])
def test_a_speaker_s_embedding_is_a_line(voice: np.ndarray, tmp_path: Path):
    np.testing.assert_array_equal(read_embedding(stored(tmp_path, ".npy", voice)), voice)


@pytest.mark.parametrize("voice", [VOICE[:1], VOICE[:2, 0], VOICE[0].T, VOICE[0, 0][:, None, None], np.float32(3)])
def test_other_arrays_are_no_speaker_s_embedding(voice: np.ndarray, tmp_path: Path):
    with pytest.raises(InputError, match="a speaker's embedding is one line of numbers"):
        read_embedding(stored(tmp_path, ".npy", voice))


def test_files_that_are_no_voice_are_refused(tmp_path: Path):
    np.savez(tmp_path / "two.npz", VOICE, VOICE)
    torch.save({"voice": "words"}, tmp_path / "words.pt")
    (tmp_path / "x.pt").write_bytes(pickle.dumps(print))
    (tmp_path / "x.bin").write_bytes(b"")
    for name, message in {
        "two.npz": "holds 2 arrays: a voice is one",
        "words.pt": "holds no array of numbers",
        "x.pt": "cannot be read as tensors alone",
        "x.bin": "is no voice: give a .npz, .npy, .safetensors, .pt or .pth file",
        "none.npz": "none.npz",
    }.items():
        with pytest.raises(InputError, match=re.escape(message)):
            read_voice(tmp_path / name)


def test_the_style_is_that_of_as_many_phonemes():
    numbers, style = Speech("tiny").inputs("abc", VOICE)
    assert numbers.tolist() == [[0, 43, 44, 45, 0]]
    np.testing.assert_array_equal(style, VOICE[2])


@pytest.mark.parametrize("voice", [VOICE[:2], VOICE[..., :31], VOICE[:, 0]])
def test_a_voice_that_does_not_fit_is_refused(voice: np.ndarray):
    with pytest.raises(InputError, match=re.escape("these phonemes need [3 or more, 1, 32]")):
        Speech("tiny").inputs("abc", voice)


def test_a_text_that_is_too_long_is_refused():
    Speech("tiny").inputs("a" * 14, None)
    with pytest.raises(InputError, match="the text has 15 phonemes; 14 are the most"):
        Speech("tiny").inputs("a" * 15, None)
