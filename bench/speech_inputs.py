"""What systems of speech are given where they are measured: seeded texts of two seconds, and recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ttc.models.systems.phonemes import NUMBERS
from ttc.models.systems.system import SOUNDS, System

PHONEMES, TOKENS, SECONDS = 24, 40, 2.0
"""How many phonemes and tokens a text has, and the length of a recording, and of a speech that is told its own."""

FEW = 6
"""Tokens of a text whose speech has a length of 0.32 s for each, where random weights see no end."""

LETTERS = sorted(symbol for symbol in NUMBERS if symbol.isalpha())


def inputs_of(system: System) -> Callable[[int], dict[str, Any]]:
    """Return the function that gives `system.run` its inputs, by a seed."""

    def given(seed: int) -> dict[str, Any]:
        random = np.random.default_rng(seed)
        found = {name: _drawn(name, system, random) for name in system.takes}
        return {**found, "seconds": SECONDS} if "seconds" in system.may_take else found

    return given


def _drawn(name: str, system: System, random: np.random.Generator) -> Any:
    if name in SOUNDS:
        return _voice(system.rate, random)
    if name == "phonemes":
        return "".join(random.choice(LETTERS, PHONEMES))
    assert name == "tokens", name
    if system.name == "speecht5":  # of whose tokens the first two are no letters
        return random.integers(2, 30, FEW).tolist()
    return random.integers(1, 30, TOKENS).tolist()


def _voice(rate: int, random: np.random.Generator) -> np.ndarray:
    """Draw a voiced sound: harmonics of a pitch that wanders, with noise, as loud as speech."""
    time = np.arange(int(SECONDS * rate)) / rate
    pitch = random.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * random.uniform(0.5, 3) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    tones = sum(np.sin(k * phase) / k for k in range(1, 12))
    return (0.1 * tones + 0.005 * random.standard_normal(len(time))).astype(np.float32)
