"""What the emulator gives of a build, for inputs in torch or numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ttc.pipeline import Build
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.run.session import Session


def emulated(
    build: Build, inputs: Mapping[str, np.ndarray | torch.Tensor], mode: Mode = "exact"
) -> dict[str, np.ndarray]:
    """The outputs of one run, by name."""
    given = {name: item.numpy() if isinstance(item, torch.Tensor) else item for name, item in inputs.items()}
    return Session([build.bucket], build.weights, EmulatorDevice(mode)).run(given)
