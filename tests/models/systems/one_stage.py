"""One stage of a system, compiled at its example's size: beside its module in torch, and before the real library."""

from __future__ import annotations

import numpy as np
import torch

import ttc
from tests.mock_cards import check
from ttc.compiled.compiled import Compiled
from ttc.ir import Graph
from ttc.models.model import Built
from ttc.validation.accuracy import scaled_error
from ttc.validation.system import Drawing

WHOLE = ("durations", "total")
"""Outputs that count: any difference would change what later stages are given."""


def compiled_alone(built: Built) -> Compiled:
    """A stage at its example's size; buckets are the sweep's."""
    module, inputs = built
    return ttc.compile(module, kwargs=inputs, dtype="fp32")


def assert_as_module(built: Built, compiled: Compiled, seed: int = 3) -> None:
    """The emulator gives what the module gives, of the same noise."""
    module, inputs = built
    with torch.no_grad(), Drawing(seed):
        wanted = module(**inputs)
    found = compiled.run({name: item.numpy() for name, item in inputs.items()}, "emulator", seed=seed)
    for output, item in (wanted if isinstance(wanted, dict) else {"output": wanted}).items():
        if output in WHOLE:
            np.testing.assert_array_equal(found[output], item.numpy())
        else:
            assert scaled_error(found[output], item.numpy()) <= 1e-5


def accepted(compiled: Compiled, target: str) -> Graph:
    """The program in bf16 for a card, which the real library takes, and whose ops all run there."""
    program = compiled.variant(dtype="bf16", target=target).build.program
    assert check(program).faults == []
    assert "host.run" not in str(program.graph)
    return program.graph
