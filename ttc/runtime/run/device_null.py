"""A device that computes nothing: every result is zeros. For timing the host's side, and for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ttc.calls.call import Call
from ttc.ir import Spec
from ttc.runtime.run.convert import ON_DEVICE
from ttc.runtime.run.device import predicted


class NullDevice:
    """A device whose tensors are their own specs."""

    def upload(self, array: np.ndarray, spec: Spec) -> Spec:
        """Return the spec; the numbers are forgotten."""
        return spec

    def run(self, call: Call, operands: Mapping[str, Any]) -> tuple[Spec, ...]:
        """Return the specs that the call predicts."""
        return predicted(call)

    def download(self, tensor: Spec, spec: Spec) -> np.ndarray:
        """Return zeros of the spec."""
        return np.zeros(spec.shape, ON_DEVICE.get(spec.dtype, np.float32))
