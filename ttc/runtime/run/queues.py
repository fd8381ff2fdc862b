"""The two command queues of an opened card, and the traces that are captured on it.

Queue 0 computes and reads, queue 1 writes inputs; events order what they do to the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any

from ttc.errors import Refusal, TtcError
from ttc.runtime.run.bound_call import refusals
from ttc.runtime.run.device import Tensor

COMPUTE, FEED = 0, 1

Pairs = Iterable[tuple[Tensor, Tensor]]
"""Tensors, each with the one that it is copied to."""


class Queues:
    """The queues of a card, shared by its sessions, a region for traces, and a lock (`turn`) for whoever uses them.

    `module` is `ttnn`, `device` its opened device. A card that was opened for no traces has a `region` of 0 bytes.
    """

    def __init__(self, module: Any, device: Any, region: int):
        self._ttnn, self._device, self.region = module, device, region
        self.turn = RLock()
        self._written: Any = None  # events: of queue 1's last writes, of queue 0's last copies of what was written
        self._taken: Any = None
        self._captured: dict[Any, tuple[Any, int]] = {}

    def feed(self, pairs: Pairs) -> None:
        """Write host tensors to tensors on the card by queue 1, once queue 0 has taken what was there."""
        with refusals():
            if self._taken is not None:
                self._ttnn.wait_for_event(FEED, self._taken)
            for source, to in pairs:
                self._ttnn.copy_host_to_device_tensor(source, to, cq_id=FEED)
            self._written = self._ttnn.record_event(self._device, FEED)

    def take(self, pairs: Pairs) -> None:
        """Copy tensors on the card by queue 0, once queue 1 has written them."""
        with refusals():
            if self._written is not None:
                self._ttnn.wait_for_event(COMPUTE, self._written)
            for source, to in pairs:
                self._ttnn.copy(source, to)
            self._taken = self._ttnn.record_event(self._device, COMPUTE)

    def write(self, source: Tensor, to: Tensor) -> None:
        """Write a host tensor to a tensor on the card by queue 0."""
        with refusals():
            self._ttnn.copy_host_to_device_tensor(source, to, cq_id=COMPUTE)

    def copy(self, source: Tensor, to: Tensor) -> None:
        """Copy a tensor on the card."""
        with refusals():
            self._ttnn.copy(source, to)

    def clone(self, tensor: Tensor) -> Tensor:
        """Copy a tensor on the card into a new one in DRAM."""
        with refusals():
            return self._ttnn.clone(tensor, memory_config=self._ttnn.DRAM_MEMORY_CONFIG)

    def wait(self) -> None:
        """Wait until the card has done all that it was asked to."""
        with refusals():
            self._ttnn.synchronize_device(self._device)

    def replay(self, owner: Any, compute: Callable[[], None], size: int) -> None:
        """Replay the trace of `owner`, without waiting for its end; capture `compute` before if there is none.

        TtcError if the trace is larger than the region after all.
        """
        if owner not in self._captured:
            if size + sum(taken for _, taken in self._captured.values()) > self.region:
                self.release_all()
            self._captured[owner] = self._capture(compute, size), size
        with refusals():
            self._ttnn.execute_trace(self._device, self._captured[owner][0], cq_id=COMPUTE, blocking=False)

    def release(self, owner: Any) -> None:
        """Release the trace of `owner`, if there is one."""
        if owner in self._captured:
            self.wait()
            with refusals():
                self._ttnn.release_trace(self._device, self._captured.pop(owner)[0])

    def release_all(self) -> None:
        """Release all traces, which is due before anything that lasts is allocated: a replay may write over it."""
        for owner in list(self._captured):
            self.release(owner)

    def _capture(self, compute: Callable[[], None], size: int) -> Any:
        with refusals():
            trace = self._ttnn.begin_trace_capture(self._device, cq_id=COMPUTE)
        try:
            compute()
        except BaseException:
            self._ttnn.end_trace_capture(self._device, trace, cq_id=COMPUTE)
            self._ttnn.release_trace(self._device, trace)
            raise
        try:
            with refusals():
                self._ttnn.end_trace_capture(self._device, trace, cq_id=COMPUTE)
        except Refusal as refusal:
            words = f"{refusal} ttc had estimated {size:,} B. Without a trace it runs: session(trace=False)"
            raise TtcError(words) from None
        return trace
