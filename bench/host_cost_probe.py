"""Runs where the real ttnn is (no torch): the host's time per call of an artifact's program on a mock card, as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

import ttc
from ttc.runtime.mock import environment
from ttc.runtime.run import bound_call
from ttc.runtime.run.convert import user_dtype
from ttc.runtime.run.session import Session

RUNS = 20
"""Runs that count, after one that fills TTNN's caches."""


def main(file: str) -> None:
    loaded = ttc.load(file)
    os.environ.update(environment(loaded.program.target))
    from ttc.runtime.run.device_ttnn import TtnnDevice  # TTNN reads the environment when it is imported

    marks: list[tuple[float, float]] = []
    resolve = bound_call.resolve
    bound_call.resolve = lambda path, module: timed(resolve(path, module), marks)
    inputs = {name: np.zeros(type.shape, user_dtype(type)) for name, type in loaded.program.inputs}
    ours: list[float] = []
    theirs: list[float] = []
    with TtnnDevice() as device:
        session = Session(loaded.buckets, loaded.weights, device)
        for _ in range(1 + RUNS):
            marks.clear()
            session.run(inputs)
            ours += [after[0] - before[1] for before, after in pairwise(marks)]
            theirs += [end - start for start, end in marks]
        calls = len(marks)
        del session
    first = len(ours) // (1 + RUNS)
    print(
        json.dumps(
            {"calls": calls, "ttc's own Python": median(ours[first:]), "TTNN's function": median(theirs[first:])}
        )
    )


def timed(function: Callable[..., Any], marks: list[tuple[float, float]]) -> Callable[..., Any]:
    """The same function, noting when a call starts and ends; an object made for an attribute is no call."""

    def call(*args: Any, **kwargs: Any) -> Any:
        start = perf_counter()
        result = function(*args, **kwargs)
        end = perf_counter()
        marks.append((start, end))
        return result

    return call


if __name__ == "__main__":
    main(sys.argv[1])
