"""A device that times every call, for profiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from time import perf_counter

import numpy as np

from ttc.calls.call import Call
from ttc.calls.layout import Deallocate
from ttc.ir import Spec
from ttc.runtime.run.device import Bound, Device, Tensor


class TimedDevice:
    """A device whose calls are waited for, one by one; `seconds` are those of the calls so far, in order.

    Deallocations take no time on a device and are left out.
    """

    def __init__(self, device: Device, wait: Callable[[], None]):
        self._device, self._wait = device, wait
        self.seconds: list[float] = []

    def scope(self) -> AbstractContextManager[object]:
        """Return the device's scope."""
        return self._device.scope()

    def upload(self, array: np.ndarray, spec: Spec) -> Tensor:
        """Upload as the device does."""
        return self._device.upload(array, spec)

    def download(self, tensor: Tensor, spec: Spec) -> np.ndarray:
        """Return the numbers as the device does."""
        return self._device.download(tensor, spec)

    def bind(self, call: Call) -> Bound:
        """Bind a call that notes how long it takes until the device is done."""
        bound = self._device.bind(call)
        if isinstance(call, Deallocate):
            return bound

        def timed(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
            start = perf_counter()
            results = bound(tensors)
            self._wait()
            self.seconds.append(perf_counter() - start)
            return results

        return timed
