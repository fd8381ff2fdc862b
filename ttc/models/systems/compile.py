"""Compile the stages of a system, and chain them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from os import PathLike
from typing import Any

import ttc
from ttc.compiled.chain import Chain
from ttc.models.model import seeded
from ttc.models.systems.checkpoint import load_weights
from ttc.models.systems.system import Stage, System


def compile_stages(
    system: System,
    target: str,
    dtype: str,
    weights: str | PathLike[str] | None,
    progress: Callable[[str], None],
    seed: int,
) -> Chain:
    """Compile each stage in a bucket for each size of its lengths; weights are random, or those of a checkpoint."""
    with seeded(seed):
        built = system.build((lambda module: None) if weights is None else partial(load_weights, path=weights))
    executables = {}
    for stage in system.stages:
        module, inputs = built[stage.name]
        compiled = ttc.compile(
            module.eval(),
            kwargs=inputs,
            target=target,
            dtype=dtype,
            **_lengths(system, stage, tuple(inputs)),
            progress=partial(_told, progress, stage.name),
        )
        executables[stage.name] = compiled.executable
    return Chain.of(executables, system.links)


def _lengths(system: System, stage: Stage, inputs: tuple[str, ...]) -> dict[str, Any]:
    """Return what names a stage's lengths and gives them sizes; nothing for a stage of fixed sizes."""
    names = {name for axes in stage.axes.values() for name in axes.values()}
    if not names:
        return {}
    return {
        "dynamic_shapes": {name: stage.axes.get(name) for name in inputs},
        "lengths": {name: list(system.lengths[name]) for name in names},
    }


def _told(progress: Callable[[str], None], stage: str, what: str) -> None:
    progress(f"{stage}: {what}")
