"""The stages of systems of speech at their published sizes, compiled for cards and dtypes, and as modules in torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ttc.compiled.chain import Chain
from ttc.compiled.compiled import Compiled
from ttc.compiled.executable import Executable
from ttc.models.model import Built, seeded
from ttc.models.systems import system_named
from ttc.models.systems.compile import compile_stages, compiled_stage
from ttc.models.systems.openvoice import Speech
from ttc.models.systems.system import System
from ttc.validation.system import Package

SPREAD = 0.2
"""The standard deviation of Bark's random embeddings: with the package's own few tokens differ."""

BOTH = 2
"""The buckets measured of each length, but of those of a system with steps, whose prompts need all."""


def short(kind: Any) -> System:
    """Return a system with the smallest buckets of each of its lengths."""

    class Short(kind):
        @property
        def lengths(self) -> Mapping[str, tuple[int, ...]]:
            of_steps = {
                name for stage in self.stages if stage.step for axes in stage.axes.values() for name in axes.values()
            }
            return {name: sizes if name in of_steps else sizes[:BOTH] for name, sizes in super().lengths.items()}

    return Short()


SYSTEMS: Mapping[str, Callable[[], System]] = {
    "bark": lambda: short(system_named("bark")),
    "kokoro": lambda: short(system_named("kokoro")),
    "openvoice": lambda: short(system_named("openvoice")),
    "openvoice-speech": lambda: short(Speech),
    "speecht5": lambda: short(system_named("speecht5")),
    "vits": lambda: short(system_named("vits")),
}
"""The systems measured, by the names of their rows."""


@torch.no_grad()
def weigh(model: nn.Module, **_: Any) -> None:
    """Keep the random weights of a model, but for embeddings of Bark's causal ones."""
    for part in (getattr(model, name, None) for name in ("semantic", "coarse_acoustics")):
        if part is not None:
            for embedding in (part.input_embeds_layer, part.position_embeds_layer):
                embedding.weight.normal_(std=SPREAD)


@dataclass
class Programs:
    """The stages of a system with random weights, each compiled once; other cards and dtypes are variants."""

    system: System
    built: Mapping[str, Built] = field(init=False)
    _known: dict[tuple[str, str], Mapping[str, Compiled]] = field(default_factory=dict)
    _steps: dict[tuple[str, str, str], Executable] = field(default_factory=dict)

    def __post_init__(self):
        with seeded(0):
            built = self.system.build(weigh)
        self.built = {name: (module.eval(), inputs) for name, (module, inputs) in built.items()}

    def stages(self, dtype: str, target: str = "n150") -> Mapping[str, Executable]:
        """Return the stages for a card, in their order."""
        compiled = self._compiled(dtype, target)
        return {
            each.name: self._step(each, dtype, target) if each.step else compiled[each.name].executable
            for each in self.system.stages
        }

    def _compiled(self, dtype: str, target: str) -> Mapping[str, Compiled]:
        """Return the stages that are no steps."""
        key = dtype, target
        if not self._known:
            self._known[key] = compile_stages(self.system, self.built, target, dtype, lambda what: None)
        elif key not in self._known:
            first = next(iter(self._known.values()))
            self._known[key] = {
                each.name: first[each.name].variant(dtype=each.dtype_in(dtype), target=target)
                for each in self.system.stages
                if not each.step
            }
        return self._known[key]

    def _step(self, stage: Any, dtype: str, target: str) -> Executable:
        key = stage.name, dtype, target
        if key not in self._steps:
            self._steps[key] = compiled_stage(
                self.system, stage, self.built[stage.name], target, dtype, lambda what: None
            )
        return self._steps[key]

    def package(self) -> Package:
        """Return a session of the package's own modules."""
        axes = {each.name: {} if each.step else each.axes for each in self.system.stages}
        return InSteps(self.built, axes, {each.name for each in self.system.stages if each.step})

    def chain(self, dtype: str) -> Chain:
        """Link the stages for the first card."""
        return Chain.of(self.stages(dtype), self.system.links)


class InSteps(Package):
    """A session of the package's own modules, of which `steps` are told how many tokens they are given."""

    def __init__(self, built: Mapping[str, Built], axes: Mapping[str, Any], steps: Collection[str]):
        super().__init__(built, axes)
        self._steps = steps

    def run(
        self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = (), seed: int | None = None
    ) -> dict[str, Any]:
        count = {"tokens": np.array([np.shape(inputs["input_ids"])[1]])} if stage in self._steps else {}
        return super().run(stage, {**inputs, **count}, keep, seed)
