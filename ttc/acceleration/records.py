"""Records of an accelerated model's calls, by module: time by what was done, fallbacks, and comparisons."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ttc.validation.compare import Comparison

COMPILE, PREPROCESS, UPLOAD, DEVICE, TORCH = "compile", "preprocess", "upload", "device", "torch"
"""Work that takes a module's time: making the program and the program's weights, and runs on either side."""


@dataclass
class Time:
    """Seconds that one thing took in a module, without what other modules inside took, and the bytes of its tensors."""

    module: str
    kind: str
    what: str
    calls: int = 0
    seconds: float = 0.0
    least_seconds: float = float("inf")
    most_seconds: float = 0.0
    uploaded_bytes: int = 0
    downloaded_bytes: int = 0

    def add(self, seconds: float) -> None:
        """Add one call."""
        self.calls += 1
        self.seconds += seconds
        self.least_seconds = min(self.least_seconds, seconds)
        self.most_seconds = max(self.most_seconds, seconds)


@dataclass
class OpTime:
    """Calls of one kind in a module's runs on the device, and the seconds that the cost model predicts for all."""

    module: str
    call: str
    calls: int = 0
    predicted_seconds: float = 0.0


@dataclass
class InTorch:
    """Calls of a module, chosen for the device, that torch did, and why; seconds without those of modules inside.

    `split` modules were tried as a whole, and those inside run on the device: they count as no fallback.
    """

    module: str
    kind: str
    split: bool
    reason: str
    calls: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Add one call."""
        self.calls += 1
        self.seconds += seconds


@dataclass
class Compared:
    """The least agreement of a module's results on the device with torch's, over all calls and outputs."""

    module: str
    kind: str
    calls: int
    pcc: float
    scaled_error: float


@dataclass
class Records:
    """All that is known of the calls so far; one entry a module and kind, however many calls there are."""

    times: dict[tuple[str, str], Time] = field(default_factory=dict)
    ops: dict[tuple[str, str], OpTime] = field(default_factory=dict)
    in_torch: dict[tuple[str, str], InTorch] = field(default_factory=dict)
    compared: dict[str, Compared] = field(default_factory=dict)
    _inner: list[float] = field(default_factory=list)

    @contextmanager
    def timed(self, module: str, kind: str, what: str) -> Iterator[Time]:
        """Add the time of a block, without that of blocks inside, to what is known of a module."""
        entry = self.times.setdefault((module, what), Time(module, kind, what))
        with self._measured(entry.add):
            yield entry

    @contextmanager
    def left_to_torch(self, module: str, kind: str, split: bool, reason: str) -> Iterator[None]:
        """Count and time a block that torch computes for a module of the device's."""
        entry = self.in_torch.setdefault((module, reason), InTorch(module, kind, split, reason))
        with self._measured(entry.add):
            yield

    def add_run(self, module: str, ops: Mapping[str, tuple[int, float]]) -> None:
        """Add the calls of one run of a module's program, with their predicted seconds."""
        for call, (calls, seconds) in ops.items():
            entry = self.ops.setdefault((module, call), OpTime(module, call))
            entry.calls += calls
            entry.predicted_seconds += seconds

    def compare(self, module: str, kind: str, found: list[Comparison]) -> None:
        """Add the comparison of one call's outputs."""
        entry = self.compared.setdefault(module, Compared(module, kind, 0, 1.0, 0.0))
        entry.calls += 1
        entry.pcc = min([entry.pcc, *(each.pcc for each in found)])
        entry.scaled_error = max([entry.scaled_error, *(each.scaled_error for each in found)])

    @contextmanager
    def _measured(self, add: Callable[[float], None]) -> Iterator[None]:
        """Call `add` with the seconds of a block without those of blocks inside, also of a block that fails."""
        self._inner.append(0.0)
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - started
            add(elapsed - self._inner.pop())
            if self._inner:
                self._inner[-1] += elapsed
