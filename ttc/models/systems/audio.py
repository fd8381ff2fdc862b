"""Sound files: WAV in, as one channel of samples at a model's rate, and WAV out."""

from __future__ import annotations

import warnings
from fractions import Fraction
from os import PathLike
from typing import BinaryIO

import numpy as np

from ttc.errors import InputError, first_line, require
from ttc.guard.files import as_path, open_file

FULL_SCALE = {"u1": 128.0, "i2": 2.0**15, "i4": 2.0**31}
"""The number that stands for 1.0 in each integer format of WAV files; 24 bits are read as the upper ones of 32."""

CUT_OFF = "EOF prematurely"
"""Words of scipy's warning about a file that is shorter than its header says."""

UNKNOWN_SIZE = b"\xff\xff\xff\xff"
"""The size in headers of what was written as a stream, to its end."""

RATES = range(1000, 768001)


def read_wav(path: str | PathLike[str], rate: int) -> np.ndarray:
    """Read a WAV file as float32 samples at `rate`; several channels are averaged. InputError for what is no sound."""
    require("reading sound", ("scipy",), "sound")
    file = as_path(path)
    with open_file(file) as opened:
        own_rate, samples = _read(str(file), opened)
    if own_rate not in RATES:
        raise InputError(f"{file} has {own_rate:,} samples a second")
    mono = _scaled(str(file), samples)
    if not mono.size:
        raise InputError(f"{file} has no samples")
    return resampled(mono, own_rate, rate)


def write_wav(file: BinaryIO, samples: np.ndarray, rate: int) -> None:
    """Write float32 samples between -1 and 1 as 16 bits, louder ones at the limits; InputError for NaN or infinity."""
    require("writing sound", ("scipy",), "sound")
    from scipy.io import wavfile

    if not np.isfinite(samples).all():
        raise InputError("the samples are not finite: nothing is written")
    wavfile.write(file, rate, np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16))


def resampled(samples: np.ndarray, own_rate: int, rate: int) -> np.ndarray:
    """Return samples at another rate, by a polyphase filter that removes what the new rate cannot hold."""
    if own_rate == rate:
        return samples
    from scipy.signal import resample_poly

    ratio = Fraction(rate, own_rate)
    return resample_poly(samples, ratio.numerator, ratio.denominator).astype(np.float32)


def _read(name: str, opened: BinaryIO) -> tuple[int, np.ndarray]:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", wavfile.WavFileWarning)
            found = wavfile.read(opened)
    except Exception as error:  # whatever a damaged header makes scipy run into
        raise InputError(f"{name} is no WAV file that can be read: {first_line(error)}") from None
    opened.seek(4)
    cut = [warning.message for warning in told if CUT_OFF in str(warning.message)]
    if cut and opened.read(4) != UNKNOWN_SIZE:
        raise InputError(f"{name} is cut off: {first_line(cut[0])}")
    return found  # other warnings are about chunks that hold no samples


def _scaled(name: str, samples: np.ndarray) -> np.ndarray:
    """Return one channel of float32 between -1 and 1."""
    kind = samples.dtype.str[1:]
    if kind not in ("f4", "f8", *FULL_SCALE):
        raise InputError(f"{name} has samples of {samples.dtype}")
    numbers = samples.astype(np.float64)
    if kind in FULL_SCALE:
        numbers = (numbers - (128 if kind == "u1" else 0)) / FULL_SCALE[kind]
    mono = numbers.mean(1) if numbers.ndim == 2 else numbers
    if not np.isfinite(mono).all():
        raise InputError(f"{name} has samples that are not finite")
    return mono.astype(np.float32)
