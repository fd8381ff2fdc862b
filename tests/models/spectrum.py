"""The spectra by which sounds are compared."""

from __future__ import annotations

import numpy as np
import torch


def log_spectrum(samples: np.ndarray) -> np.ndarray:
    window = torch.hann_window(64)
    spectrum = torch.stft(torch.from_numpy(samples).reshape(-1).float(), 64, 16, window=window, return_complex=True)
    return (spectrum.abs() + 1e-5).log().numpy()
