"""Compile the stages of a system, and chain them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from typing import Any

import ttc
from ttc.compiled.chain import Chain
from ttc.compiled.compiled import Compiled
from ttc.compiled.executable import Executable
from ttc.models.model import Built, as_built, seeded
from ttc.models.systems.checkpoint import load_weights
from ttc.models.systems.system import Stage, System


def built_stages(system: System, weights: str | PathLike[str] | None, seed: int) -> Mapping[str, Built]:
    """Build the modules of all stages; weights are random ones of `seed`, or those of a checkpoint."""
    with seeded(seed):
        built = system.build(as_built if weights is None else partial(load_weights, path=weights))
    return {name: (module.eval(), inputs) for name, (module, inputs) in built.items()}


def compile_stages(
    system: System, built: Mapping[str, Built], target: str, dtype: str, progress: Callable[[str], None]
) -> dict[str, Compiled]:
    """Compile each stage that is no step of generation in a bucket for each size of its lengths."""
    return {
        stage.name: _buckets(system, stage, built[stage.name], _options(stage, target, dtype, progress))
        for stage in system.stages
        if not stage.step
    }


def chain_of(
    system: System, built: Mapping[str, Built], target: str, dtype: str, progress: Callable[[str], None]
) -> Chain:
    """Compile all stages, and link them to a chain."""
    stages = {
        each.name: compiled_stage(system, each, built[each.name], target, dtype, progress) for each in system.stages
    }
    return Chain.of(stages, system.links)


def compiled_stage(
    system: System, stage: Stage, built: Built, target: str, dtype: str, progress: Callable[[str], None]
) -> Executable:
    """Compile one stage, before any of its inputs is linked."""
    options = _options(stage, target, dtype, progress)
    return _step(system, stage, built, options) if stage.step else _buckets(system, stage, built, options).executable


def _options(stage: Stage, target: str, dtype: str, progress: Callable[[str], None]) -> dict[str, Any]:
    return {"target": target, "dtype": stage.dtype_in(dtype), "progress": partial(_told, progress, stage.name)}


def _buckets(system: System, stage: Stage, built: Built, options: Mapping[str, Any]) -> Compiled:
    """Compile a stage in a bucket for each size of its lengths."""
    module, inputs = built
    return ttc.compile(module, kwargs=inputs, **_lengths(system, stage, tuple(inputs)), **options)


def _step(system: System, stage: Stage, built: Built, options: Mapping[str, Any]) -> Executable:
    """Compile a step of generation for each number of its tokens."""
    from ttc.generation.compiling import compile_steps

    (length,) = {name for axes in stage.axes.values() for name in axes.values()}
    module, inputs = built

    def arguments(tokens: int) -> dict[str, Any]:
        return {
            name: item.expand(*(tokens if axis in stage.axes.get(name, ()) else -1 for axis in range(item.dim())))
            for name, item in inputs.items()
        }

    return compile_steps(module, list(map(arguments, system.lengths[length])), options, length, tuple(stage.axes))


def _lengths(system: System, stage: Stage, inputs: tuple[str, ...]) -> dict[str, Any]:
    """Return what names a stage's lengths and gives them sizes; nothing for a stage of fixed sizes."""
    names = dict.fromkeys(name for axes in stage.axes.values() for name in axes.values())
    if not names:
        return {}
    return {
        "dynamic_shapes": {name: stage.axes.get(name) for name in inputs},
        "lengths": {name: list(system.lengths[name]) for name in names},
    }


def _told(progress: Callable[[str], None], stage: str, what: str) -> None:
    progress(f"{stage}: {what}")
