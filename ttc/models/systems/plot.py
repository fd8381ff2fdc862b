"""A picture of a sound: its spectrogram, in decibels."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from ttc.errors import require

WINDOW, RANGE = 1024, 80.0
"""Samples of a window, and decibels below the loudest bin that are drawn."""


def plot_spectrogram(file: BinaryIO, samples: np.ndarray, rate: int) -> None:
    """Write a PNG of magnitudes over time and frequency."""
    require("drawing sound", ("matplotlib", "scipy"), "sound")
    from matplotlib.figure import Figure
    from scipy.signal import spectrogram

    size = min(WINDOW, len(samples))
    frequencies, times, power = spectrogram(samples, rate, nperseg=size, noverlap=size // 2)
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.add_subplot()
    top = decibels.max(initial=-RANGE)
    picture = axes.pcolormesh(times, frequencies / 1000, decibels, vmin=top - RANGE, vmax=top)
    axes.set(xlabel="seconds", ylabel="kHz")
    figure.colorbar(picture, label="dB")
    figure.savefig(file, format="png")
