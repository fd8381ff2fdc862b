"""A system of models in four regimes: the package's modules beside static programs that know lengths, or do not.

Every stage of every regime is given what the package's stages before it leave, so that each is judged alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ttc.compiled.compiled import Compiled
from ttc.ir import Graph
from ttc.models.model import Built
from ttc.ops.interpret import evaluate
from ttc.ops.torch_types import TORCH
from ttc.runtime.run.buckets import true_lengths
from ttc.runtime.run.convert import generator
from ttc.runtime.run.session import Session
from ttc.validation.accuracy import pcc, scaled_error

REGIMES = ("with lengths", "without", "compiled")
"""Forms of a stage: its graph at the largest bucket with and without masks, and the program."""

WINDOW, HOP, FLOOR = 64, 16, 1e-5
"""Samples of a window of the logarithmic spectrogram and between two, and what is added to magnitudes."""


@dataclass(frozen=True)
class Step:
    """Closeness of one output of a stage to the package's in each regime.

    `equal` counts for whole numbers, `spectrogram` (PCC of logarithmic spectrograms) for sound: None for all others.
    """

    stage: str
    output: str
    regime: str
    pcc: float
    scaled_error: float
    equal: bool | None
    spectrogram: float | None

    @classmethod
    def of(cls, place: tuple[str, str, str], found: np.ndarray, wanted: np.ndarray, sound: bool) -> Step:
        """Measure `found` against `wanted`."""
        whole = np.array_equal(wanted, np.round(wanted))
        return cls(
            *place,
            pcc(found, wanted),
            scaled_error(found, wanted),
            np.array_equal(found, wanted) if whole else None,
            spectrogram_pcc(found, wanted) if sound else None,
        )

    def agrees(self, least: float) -> bool:
        """Return whether whole numbers are equal, spectrograms of sounds correlate, and all other numbers do."""
        if self.equal is not None:
            return self.equal
        return (self.pcc if self.spectrogram is None else self.spectrogram) >= least


def spectrogram_pcc(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the PCC of two sounds' logarithmic spectrograms, as phases mean nothing to an ear; 0 for other lengths."""
    return pcc(*map(_log_spectrogram, (found, wanted))) if found.shape == wanted.shape else 0.0


def _log_spectrogram(samples: np.ndarray) -> np.ndarray:
    line = torch.from_numpy(np.array(samples, np.float32)).reshape(-1)
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(line, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
    return (spectrum.abs() + FLOOR).log().numpy()


class Drawing(TorchDispatchMode):
    """Draws what modules draw at random as a session does, from the session's seed."""

    def __init__(self, seed: int):
        super().__init__()
        random = generator(seed)
        self._draws = {
            torch.ops.aten.rand: random.random,
            torch.ops.aten.rand_like: random.random,
            torch.ops.aten.randn: random.standard_normal,
            torch.ops.aten.randn_like: random.standard_normal,
        }

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        draw = self._draws.get(function.overloadpacket)
        result = function(*args, **(kwargs or {}))
        if draw is None:
            return result
        return torch.from_numpy(draw(tuple(result.shape), np.dtype("float32"))).to(result.dtype)


class Regimes:
    """A session of the package's own modules, that runs each stage in the other regimes, too, and keeps `steps`.

    `sound` names the stage and the output that are samples.
    """

    def __init__(
        self,
        built: Mapping[str, Built],
        compiled: Mapping[str, Compiled],
        sessions: Mapping[str, Session],
        sound: tuple[str, str],
    ):
        self._package, self._compiled, self._sessions, self._sound = Package(built), compiled, sessions, sound
        self.steps: list[Step] = []

    def run(
        self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = (), seed: int | None = None
    ) -> dict[str, Any]:
        """Run a stage in all regimes; return the package's outputs by name, as arrays."""
        compiled, seed = self._compiled[stage], seed or 0
        wanted = self._package.run(stage, inputs, keep, seed)
        found = (
            _static(compiled, "padding", inputs, seed),
            _static(compiled, "import", inputs, seed),
            self._sessions[stage].run(inputs, seed=seed),
        )
        self.steps += [
            Step.of((stage, name, regime), outputs[name], array, (stage, name) == self._sound)
            for name, array in wanted.items()
            for regime, outputs in zip(REGIMES, found, strict=True)
        ]
        return wanted

    def departures(self, least: float) -> dict[str, Step | None]:
        """Return by regime the first step that does not agree with the package; None where all do."""
        return {
            regime: next((step for step in self.steps if step.regime == regime and not step.agrees(least)), None)
            for regime in REGIMES
        }


Axes = Mapping[str, Mapping[int, str]]
"""Inputs' dimensions that are lengths, by name."""


class Package:
    """A session of the package's own modules, at the true lengths; `axes` tells by stage which dimensions these are."""

    def __init__(self, built: Mapping[str, Built], axes: Mapping[str, Axes] | None = None):
        self._built, self._axes = built, axes or {}

    def run(
        self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = (), seed: int | None = None
    ) -> dict[str, Any]:
        """Run a stage; return its outputs by name, as arrays: one after the other where samples state their lengths."""
        module, axes = self._built[stage][0], self._axes.get(stage, {})
        stated = {length for along in axes.values() for length in along.values()} & inputs.keys()
        if not stated:
            return _package(module, inputs, seed or 0)
        lengths = {name: np.atleast_1d(inputs[name]) for name in stated}
        given = {name: np.asarray(array) for name, array in inputs.items() if name not in stated}
        count = max(map(len, lengths.values()))
        each = [_package(module, _sample(given, axes, lengths, i), seed or 0) for i in range(count)]
        return {name: np.concatenate([outputs[name] for outputs in each]) for name in each[0]}


@contextmanager
def exact_transforms() -> Iterator[None]:
    """Let torch.stft compute in float64 and round once.

    Where a spectrum is real, as that of a mirrored edge is, rounding decides between the phases of pi and -pi.
    """
    own = torch.stft

    def exact(input: Tensor, *args: Any, window: Tensor | None = None, **kwargs: Any) -> Tensor:
        found = own(input.double(), *args, window=None if window is None else window.double(), **kwargs)
        return found.to(torch.complex64) if found.is_complex() else found.float()

    with mock.patch.object(torch, "stft", exact):
        yield


def _sample(
    given: Mapping[str, np.ndarray], axes: Axes, lengths: Mapping[str, np.ndarray], number: int
) -> dict[str, np.ndarray]:
    """Return one sample of a batch, cut to the sample's own lengths."""
    found = {}
    for name, array in given.items():
        ends = {axis: int(lengths[length][number]) for axis, length in axes.get(name, {}).items() if length in lengths}
        parts = [slice(0, ends.get(axis)) for axis in range(1, array.ndim)]
        found[name] = array[(slice(number, number + 1), *parts)]
    return found


def _package(module: nn.Module, inputs: Mapping[str, Any], seed: int) -> dict[str, np.ndarray]:
    """Run a module at the true length."""
    given = {name: torch.from_numpy(np.asarray(item)) for name, item in inputs.items()}
    with torch.no_grad(), Drawing(seed):
        found = module(**given)
    named = found if isinstance(found, dict) else {"output": found}
    return {name: item.numpy() for name, item in named.items()}


def _static(compiled: Compiled, stage: str, inputs: Mapping[str, Any], seed: int) -> dict[str, np.ndarray]:
    """Evaluate the graph of the largest bucket, as it is after a stage, by torch; outputs without their padding."""
    bucket, graph = compiled.buckets[-1], dict(compiled.build.steps)[stage]
    named, lengths = true_lengths(bucket, inputs)
    filled = bucket.bound(named, lengths, generator(seed))
    found = evaluate(graph, _tensors(graph, filled))
    return {name: bucket.trimmed(name, item.numpy(), lengths) for name, item in found.items()}


def _tensors(graph: Graph, arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    types = graph.signature()[0]
    return {name: torch.from_numpy(np.array(arrays[name])).to(TORCH[type.dtype]) for name, type in types.items()}
