"""`System`: models that are run one after the other, from text or sound to sound, and how they are chained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import product
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from ttc.compiled.chain import Chain, Links
from ttc.errors import InputError, require
from ttc.ir.lengths import size_words
from ttc.models.systems.audio import read_wav

if TYPE_CHECKING:
    from ttc.models.model import Built, Weigh

SOUNDS = ("source", "reference")
"""The options that are WAV files."""


@dataclass(frozen=True)
class Stage:
    """A stage of a system: one module of the package, compiled in a bucket for each of the sizes of its lengths.

    `axes` names the dimensions of inputs that are lengths, `links` the inputs that take an output of a stage before.
    A `step` of generation has caches as state, and one length, the number of its tokens.
    A stage that `decides` whole numbers for the stages after it, as durations are, is computed in fp32 in every dtype:
    of rounded numbers others would come.
    """

    name: str
    axes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    step: bool = False
    decides: bool = False

    def dtype_in(self, dtype: str) -> str:
        """Return the dtype of the stage's program in a system that is compiled in `dtype`."""
        return "fp32" if self.decides else dtype


class Runner(Protocol):
    """Runs the stages of a system by name, as a chain's session does."""

    def run(
        self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = (), seed: int | None = None
    ) -> dict[str, Any]:
        """Return the outputs of a stage by name; what `keep` names may stay on the device."""
        ...


class System(ABC):
    """Models of one package that make sound together. `takes` names what a run of the system is given.

    `may_take` names what it may be given beside or instead. The first of `sizes` is the published one.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    takes: ClassVar[tuple[str, ...]]
    may_take: ClassVar[tuple[str, ...]] = ()
    stages: ClassVar[tuple[Stage, ...]]
    sizes: ClassVar[tuple[str, ...]] = ("real", "tiny")

    def __init__(self, size: str = "real"):
        if size not in self.sizes:
            raise InputError(f"{self.name} has the sizes {', '.join(self.sizes)}, not {size!r}")
        self.size = size

    @classmethod
    def asked(cls, size: str, options: Mapping[str, Any]) -> System:
        """Return the system of this size that options of the command ask for, where a package has several."""
        return cls(size)

    @abstractmethod
    def build(self, weigh: Weigh) -> Mapping[str, Built]:
        """Build the module and the example inputs of each stage; `weigh` gives the package's own modules weights."""

    @property
    @abstractmethod
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        """Return the sizes of buckets by the names of lengths, the same in all stages."""

    @property
    @abstractmethod
    def rate(self) -> int:
        """Return the samples of a second."""

    def read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `run` takes, from options of the command: names of sound files, text. InputError for others."""
        for name in options:
            if name not in (*self.takes, *self.may_take):
                option = name.replace("_", "-")
                raise InputError(f"{self.name} takes no --{option}: {self.name} is given {' and '.join(self.takes)}")
        for name in self.takes:
            if name not in options:
                raise InputError(f"{self.name} needs --{name}: {self.name} is given {' and '.join(self.takes)}")
        sounds = {name: read_wav(options[name], self.rate) for name in self.takes if name in SOUNDS}
        return {**{name: options[name] for name in self.takes}, **sounds}

    @abstractmethod
    def run(self, session: Runner, seed: int = 0, **given: Any) -> np.ndarray:
        """Return samples for what `takes` names; noise that the models draw is of `seed`."""

    def pipeline(
        self,
        target: str = "n150",
        dtype: str = "bf16",
        weights: str | PathLike[str] | None = None,
        progress: Callable[[str], None] | None = None,
        seed: int = 0,
    ) -> Chain:
        """Compile all stages; weights are random ones of `seed`, or those of a checkpoint file."""
        require(f"compiling {self.name}")
        from ttc.models.systems.compile import built_stages, chain_of

        return chain_of(self, built_stages(self, weights, seed), target, dtype, progress or (lambda what: None))

    def load(self, folder: str | PathLike[str]) -> Chain:
        """Load what `Chain.save` wrote; InputError for a folder of another system or size."""
        chain = Chain.load(folder, tuple(stage.name for stage in self.stages), self.links)
        for stage in self.stages:
            names = dict.fromkeys(name for axes in stage.axes.values() for name in axes.values())
            wanted = [dict(zip(names, sizes, strict=True)) for sizes in product(*(self.lengths[n] for n in names))]
            found = [dict(bucket.sizes) for bucket in chain.stages[stage.name].buckets]
            if found != wanted:
                sizes = "; ".join(map(size_words, found))
                raise InputError(
                    f"{folder} is not of {self.name}, size {self.size}: {stage.name} has buckets of {sizes}"
                )
        return chain

    @property
    def links(self) -> Links:
        """Return the links of all stages."""
        return {stage.name: stage.links for stage in self.stages}
