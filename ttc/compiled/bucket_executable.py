"""`BucketExecutable`: programs of one model for several lengths, with the weights that they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike

from ttc.compiled.executable import Executable
from ttc.errors import InputError, enough_memory
from ttc.guard.files import as_path
from ttc.runtime import artifact
from ttc.runtime.bucket_session import BucketSession
from ttc.runtime.buckets import Bucket
from ttc.runtime.devices import emulates, open_device
from ttc.runtime.memory import require_memory


@dataclass(eq=False)
class BucketExecutable(Executable):
    """A run takes the smallest bucket that its lengths fit into; `program`, its source and report are the largest's."""

    buckets: tuple[Bucket, ...] = ()

    def session(self, device: str | None = None, mode: str = "exact") -> BucketSession:  # type: ignore[override]
        """A new session over all buckets."""
        if self.weights.fake:
            raise InputError(
                "the program was compiled from weights without data: ttc.load(path, weights=...) binds them"
            )
        with enough_memory("setting the program up"):
            require_memory(self.program, emulates(device))
            return BucketSession(self.buckets, self.weights, open_device(device, mode, self.program.target))

    def save(self, path: str | PathLike[str], progress: Callable[[str], None] | None = None) -> None:
        """Write the `.ttc` artifact with all buckets, whole or not at all; `progress` is told of each weight."""
        arrays = None if self.weights.fake else self._arrays(progress or (lambda what: None))
        with enough_memory("computing the weights"):
            artifact.save(as_path(path), self.program, self.derivation, arrays, self.buckets, self.literals)
