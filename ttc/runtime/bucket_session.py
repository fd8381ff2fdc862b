"""A session over buckets: each run goes to the program that its lengths fit into."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock
from typing import Any

import numpy as np

from ttc.ir import Weights
from ttc.runtime.buckets import Bucket, choose, true_lengths
from ttc.runtime.convert import generator
from ttc.runtime.device import Device
from ttc.runtime.session import Observer, Session


class BucketSession:
    """Programs of one model on one device; each is set up when a run first needs it. Threads take turns."""

    def __init__(self, buckets: Sequence[Bucket], weights: Weights, device: Device):
        self.device = device
        self._turn = RLock()
        self._buckets, self._weights = buckets, weights
        self._sessions: dict[int, Session] = {}
        self.reset()

    def run(self, inputs: Any, observer: Observer | None = None, seed: int | None = None) -> dict[str, np.ndarray]:
        """The outputs by name, cut to their true lengths; InputError names a wrong input, and a length too large.

        Random inputs are drawn as `Session.run` draws them.
        """
        named, lengths = true_lengths(self._buckets[-1], inputs)
        number = choose(self._buckets, lengths)
        bucket = self._buckets[number]
        with self._turn:
            if number not in self._sessions:
                self._sessions[number] = Session(bucket.program, self._weights, self.device)
            given = bucket.bound(named, lengths, self._random if seed is None else generator(seed))
            return bucket.trimmed(self._sessions[number].run(given, observer), lengths)

    def reset(self, seed: int = 0) -> None:
        """Forget the state that runs have left; random inputs that a run is not given are drawn from `seed` on."""
        with self._turn:
            self._random = generator(seed)

    def state(self) -> dict[str, np.ndarray]:
        """The state that runs have left, by name; programs keep none so far."""
        return {}
