"""The cheapest dtypes of weights that keep the outputs: by sensitivity, on the emulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ttc.compiled.compiled import Compiled
from ttc.dtype_policy.choice import FORMATS, Choice
from ttc.errors import InputError
from ttc.ir import DType
from ttc.pipeline import Build, Options, lowered_again
from ttc.runtime.run.devices import open_device
from ttc.runtime.run.session import Session
from ttc.validation.accuracy import pcc

Dtypes = Mapping[str, DType]
Progress = Callable[[str], None]


def with_chosen_dtypes(compiled: Compiled, inputs: Any, min_pcc: float, progress: Progress | None) -> Compiled:
    """Compile a bf16 model again with the cheapest weights that keep its outputs; its `choice` tells them.

    Each output must correlate with fp32's by at least `min_pcc` on the given inputs. InputError if bf16's do not.
    """
    trials = Trials(compiled.build, compiled.options, inputs, progress or (lambda what: None))
    choice = chosen(trials, min_pcc)
    found = compiled.variant(weight_dtypes=choice.dtypes)
    found.choice = choice
    return found


def chosen(trials: Trials, min_pcc: float) -> Choice:
    """Choose the dtype of each weight, from bf16 to bfp8, and of those in bfp8 to bfp4."""
    names = sorted(trials.elements)
    best = trials.pcc({})
    if best < min_pcc:
        raise InputError(f"no weights are cheap enough: in bf16 an output correlates by {best:.5f}, not by {min_pcc}")
    dtypes: Dtypes = {}
    for dtype in FORMATS[1:]:
        narrowed = _narrowed(trials, dtypes, names, dtype, min_pcc)
        names = [name for name in names if narrowed.get(name) is dtype]
        dtypes = narrowed
    return Choice(dtypes, dict(sorted(trials.elements.items())), trials.pcc(dtypes))


def _narrowed(trials: Trials, before: Dtypes, names: Sequence[str], dtype: DType, min_pcc: float) -> Dtypes:
    """Store as many of the named weights in `dtype` as keep the outputs, the least loss for each byte saved first.

    How many is found by bisection; the whole that is returned has been run.
    """

    def first(count: int, order: Sequence[str]) -> Dtypes:
        return {**before, **dict.fromkeys(order[:count], dtype)}

    if trials.pcc(first(len(names), names)) >= min_pcc:
        return first(len(names), names)
    order = sorted(names, key=lambda name: (trials.loss(before, name, dtype), name))
    fewest, most = 0, len(order)  # so many keep the outputs, so many do not
    while most - fewest > 1:
        middle = (fewest + most) // 2
        if trials.pcc(first(middle, order)) >= min_pcc:
            fewest = middle
        else:
            most = middle
    return first(fewest, order)


class Trials:
    """Runs of one model on the emulator with weights in other dtypes; each is done once."""

    def __init__(self, build: Build, options: Options, inputs: Any, progress: Progress):
        self.elements = build.elements
        self._build, self._inputs, self._progress = build, inputs, progress
        self._options = replace(options, optimize=0)  # what is where changes no number
        self._wanted = self._floats(replace(self._options, dtype="fp32", fidelity=None))
        if not self._wanted:
            raise InputError("no output is floating, so that none shows what weights of fewer bits cost")
        self._known: dict[tuple[frozenset[tuple[str, DType]], str], float] = {}

    def pcc(self, dtypes: Dtypes, mode: str = "tensix") -> float:
        """Return the least correlation of an output with fp32's, by the emulator's `mode`."""
        key = frozenset(dtypes.items()), mode
        if key not in self._known:
            self._progress(f"trying weights, run {len(self._known) + 1}")
            found = self._floats(replace(self._options, weight_dtypes=dtypes), mode)
            self._known[key] = min(pcc(found[name], wanted) for name, wanted in self._wanted.items())
        return self._known[key]

    def loss(self, before: Dtypes, name: str, dtype: DType) -> float:
        """Return the correlation that one weight costs for each byte that its dtype saves.

        The order of weights is that of rounding them alone; mode exact takes half the time.
        """
        saved = self.elements[name] * (before.get(name, DType.bf16).bytes - dtype.bytes)
        return max(self.pcc(before, "exact") - self.pcc({**before, name: dtype}, "exact"), 0.0) / saved

    def _floats(self, options: Options, mode: str = "exact") -> dict[str, np.ndarray]:
        """Return the floating outputs of a run; what a model draws at random is the same in all runs."""
        build = lowered_again(self._build, options)
        device = open_device("emulator", mode, build.program.target)
        found = Session([build.bucket], build.weights, device).run(self._inputs, seed=0)
        return {name: array for name, array in found.items() if np.issubdtype(array.dtype, np.floating)}
