"""WAV files, good and bad."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from ttc.errors import InputError
from ttc.models.systems.audio import read_wav, resampled, write_wav

TONE = np.sin(np.arange(800) / 10)


def wav(folder: Path, samples: np.ndarray, rate: int = 16000) -> Path:
    path = folder / "x.wav"
    wavfile.write(path, rate, samples)
    return path


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (np.round(TONE * 100 + 128).astype(np.uint8), 2e-2),
        (np.round(TONE * 20000).astype(np.int16), 5e-4),
        (np.round(TONE * 1e9).astype(np.int32), 1e-6),
        (TONE.astype(np.float32), 1e-6),
        (TONE, 1e-6),
        (np.stack([TONE, TONE], 1).astype(np.float32), 1e-6),
    ],
    ids=["8 bits", "16 bits", "32 bits", "float", "double", "stereo"],
)
def test_every_format_is_read_as_numbers_between_minus_one_and_one(stored: np.ndarray, error: float, tmp_path: Path):
    found = read_wav(wav(tmp_path, stored), 16000)
    assert (found.dtype, found.shape) == (np.float32, (800,))
    scale = np.abs(TONE).max() / np.abs(found).max()
    np.testing.assert_allclose(found * scale, TONE, atol=error)


def test_full_scale_is_one(tmp_path: Path):
    assert read_wav(wav(tmp_path, np.array([-128 + 128, 128], np.uint8)), 16000).tolist() == [-1, 0]
    assert read_wav(wav(tmp_path, np.array([-(2**15), 2**14], np.int16)), 16000).tolist() == [-1, 0.5]
    assert read_wav(wav(tmp_path, np.array([-(2**31), 2**30], np.int32)), 16000).tolist() == [-1, 0.5]


def test_channels_are_averaged(tmp_path: Path):
    both = np.stack([np.full(10, 0.5), np.full(10, -0.25)], 1).astype(np.float32)
    np.testing.assert_array_equal(read_wav(wav(tmp_path, both), 16000), np.full(10, 0.125, np.float32))


@pytest.mark.parametrize(("own", "rate"), [(96000, 22050), (8000, 24000), (44100, 22050)])
def test_a_tone_stays_the_same_tone_at_another_rate(own: int, rate: int, tmp_path: Path):
    seconds = np.arange(own) / own
    found = read_wav(wav(tmp_path, np.sin(2 * np.pi * 440 * seconds).astype(np.float32), own), rate)
    assert len(found) == rate
    bins = np.abs(np.fft.rfft(found))
    assert bins.argmax() == 440
    middle = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(found[middle], np.sin(2 * np.pi * 440 * np.arange(rate) / rate)[middle], atol=0.01)


def test_what_a_lower_rate_cannot_hold_is_removed():
    high = np.sin(2 * np.pi * 10000 * np.arange(44100) / 44100).astype(np.float32)
    assert np.abs(resampled(high, 44100, 16000)[500:-500]).max() < 0.01
    assert resampled(high, 44100, 44100) is high


def header(**changes: int) -> bytes:
    rate = changes.pop("rate", 16000)
    fields = {"format": 1, "channels": 1, "rate": rate, "bytes": 2 * rate, "block": 2, "bits": 16, **changes}
    body = struct.pack("<4sI2H2I2H", b"fmt ", 16, *fields.values()) + struct.pack("<4sI4h", b"data", 8, 1, 2, 3, 4)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WAVE") + body


def streamed(content: bytes) -> bytes:
    """A file whose writer did not know how long it would be."""
    unknown = b"\xff" * 4
    return content[:4] + unknown + content[8:40] + unknown + content[44:]


def test_a_stream_is_read_to_its_end(tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(streamed(header()[:50]))
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav", 16000) * 2**15, [1, 2, 3])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no WAV file that can be read"),
        (b"RIFF", "is no WAV file that can be read"),
        (b"not a sound at all, but long enough to hold a header of a sound file", "is no WAV file that can be read"),
        (header(format=85), "is no WAV file that can be read"),
        (header(channels=0), "is no WAV file that can be read"),
        (header(rate=0), "has 0 samples a second"),
        (header(rate=10**6), "has 1,000,000 samples a second"),
        (header()[:44], "is cut off: Reached EOF prematurely; finished at 44 bytes, expected 52 bytes from header."),
        (header()[:50], "is cut off"),
        (streamed(header()[:44]), "has no samples"),
    ],
)
def test_damaged_files_are_refused(content: bytes, message: str, tmp_path: Path):
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(f"bad.wav {message}")):
        read_wav(path, 16000)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_sounds_that_are_not_finite_are_refused(value: float, tmp_path: Path):
    path = wav(tmp_path, np.array([0, value], np.float32))
    with pytest.raises(InputError, match="has samples that are not finite"):
        read_wav(path, 16000)
    with pytest.raises(InputError, match="the samples are not finite: nothing is written"):
        write_wav(io.BytesIO(), np.array([0, value], np.float32), 16000)


def test_files_that_are_not_there_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.wav"):
        read_wav(tmp_path / "none.wav", 16000)


def test_what_is_written_is_read_again(tmp_path: Path):
    file = io.BytesIO()
    write_wav(file, np.array([0, 0.5, -0.5, 1, -1, 2, -2], np.float32), 24000)
    (tmp_path / "x.wav").write_bytes(file.getvalue())
    np.testing.assert_allclose(read_wav(tmp_path / "x.wav", 24000), [0, 0.5, -0.5, 1, -1, 1, -1], atol=1e-4)
