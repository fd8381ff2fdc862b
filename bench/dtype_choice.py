"""Dtypes of weights chosen by `dtype="auto"` at real sizes: bytes beside bf16's, correlation, and the choice twice.

`python -m bench.dtype_choice [NAME ...]` chooses for each model twice, each time from the model anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import ttc
from bench.table import Table
from ttc import models
from ttc.dtype_policy.choice import FORMATS, Choice
from ttc.models import light

MIN_PCC = 0.99
NAMES = ("light_resnet50", "vit")
HEAD = ("model", *(f"weights in {dtype}" for dtype in FORMATS), "bytes / bf16", "correlation", "same twice")


def tables(names: Sequence[str] = NAMES) -> Iterator[Table]:
    """Yield what is chosen for each model."""
    yield Table(f"Weights by --dtype auto, correlation {MIN_PCC} at the least", HEAD, [_row(name) for name in names])


def _row(name: str) -> tuple[str | float, ...]:
    choice, again = chosen(name), chosen(name)
    counts = [sum(choice.dtype(weight) is dtype for weight in choice.elements) for dtype in FORMATS]
    return name, *counts, choice.share, choice.pcc, str(choice == again)


def chosen(name: str) -> Choice:
    """Return the choice for a model on one random input."""
    model, arguments, inputs = _model(name)
    choice = ttc.compile(model, kwargs=arguments, dtype="auto", min_pcc=MIN_PCC, inputs=inputs).choice
    assert choice is not None
    return choice


def _model(name: str) -> tuple[Any, Mapping[str, Any] | None, dict[str, np.ndarray]]:
    """Return a model with random weights, what a module is exported for, and the inputs to choose by."""
    if name == "light_resnet50":
        image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
        return light.seeded("resnet50"), None, {"gpu_0/data_0": image}
    module, arguments = models.named(name).build("real")
    return module, arguments, {key: tensor.numpy() for key, tensor in arguments.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.dtype_choice", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="these models alone")
    for table in tables(parser.parse_args().names or NAMES):
        print(table)


if __name__ == "__main__":
    main()
