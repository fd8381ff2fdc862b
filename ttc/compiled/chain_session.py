"""A session of a chain: a session of each stage, on one device, and what each run of a stage took."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ttc.ir import Spec, TensorType
from ttc.ir.state import state_name
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.kept import Kept
from ttc.runtime.run.session import Session


@dataclass(frozen=True)
class StageRun:
    """One run of a stage: its bucket, the seconds that the run took, and the bytes that the host gave and took."""

    stage: str
    bucket: Bucket
    seconds: float
    uploaded: int
    downloaded: int


class ChainSession:
    """The sessions of a chain's stages; `runs` lists the runs since the chain was opened or cleared."""

    def __init__(self, sessions: Mapping[str, Session]):
        self._sessions = sessions
        self.runs: list[StageRun] = []

    def __enter__(self) -> ChainSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all sessions."""
        for session in self._sessions.values():
            session.close()

    def run(
        self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = (), seed: int | None = None
    ) -> dict[str, Any]:
        """Run a stage; return its outputs by name, those that `keep` names as `Kept` on the device."""
        session = self._sessions[stage]
        started = time.perf_counter()
        found = session.run(inputs, seed=seed, keep=keep)
        seconds = time.perf_counter() - started
        self.runs.append(StageRun(stage, session.taken, seconds, *moved(session.taken, inputs, keep)))
        return found


def moved(bucket: Bucket, inputs: Mapping[str, Any], keep: Collection[str]) -> tuple[int, int]:
    """Return the bytes that a run uploads and downloads: all but states, and what is kept on the device."""
    given, left = bucket.program.graph.signature()
    up = [type for name, type in given.items() if state_name(name) is None and not isinstance(inputs.get(name), Kept)]
    down = [type for name, type in left.items() if state_name(name) is None and name not in keep]
    return _bytes(up), _bytes(down)


def _bytes(types: Iterable[TensorType]) -> int:
    return sum(type.stored_bytes for type in types if isinstance(type, Spec))
