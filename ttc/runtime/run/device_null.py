"""A device that computes nothing: every result is zeros. For timing the host's side, and for tests."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np

from ttc.calls.call import Call
from ttc.ir import Spec
from ttc.runtime.run.convert import ON_DEVICE
from ttc.runtime.run.device import Bound, predicted


class NullDevice:
    """A device whose tensors are their own specs."""

    def scope(self) -> AbstractContextManager[object]:
        """Return an empty scope."""
        return nullcontext()

    def upload(self, array: np.ndarray, spec: Spec) -> Spec:
        """Return the spec; the numbers are forgotten."""
        return spec

    def bind(self, call: Call) -> Bound:
        """Return a function to the specs that the call predicts."""
        specs = predicted(call)
        return lambda tensors: specs

    def download(self, tensor: Spec, spec: Spec) -> np.ndarray:
        """Return zeros of the spec."""
        return np.zeros(spec.shape, ON_DEVICE.get(spec.dtype, np.float32))
