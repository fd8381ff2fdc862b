"""Programs with states run for a few steps, beside the ops that they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from tests.mock_cards import check
from tests.passes.check import random
from ttc import ops
from ttc.ir import Graph
from ttc.ir.state import state_name
from ttc.pipeline import Options, compile_graph
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.session import Session


def random_inputs(graph: Graph) -> dict[str, Tensor]:
    """Random numbers for a graph's inputs, states left out."""
    named = {value.op.name: value.type for value in graph.inputs}
    return {name: random(type, name) for name, type in named.items() if not state_name(name)}


def stepped(
    graph: Graph, options: Options, steps: Iterable[Mapping[str, Tensor]]
) -> tuple[str, list[tuple[Tensor, Tensor]]]:
    """The program, which the real library takes, and its `output` beside the ops' for the inputs of each step.

    States are zeros before the first.
    """
    build = compile_graph(graph, options)
    assert (report := check(build.program)).ok, report
    session = Session([build.bucket], build.weights, EmulatorDevice("exact"))
    states = {name: torch.zeros_like(random(value.type, name)) for name, value in graph.states.items()}
    pairs = []
    for given in steps:
        found = session.run({name: tensor.numpy() for name, tensor in given.items()})
        wanted = ops.evaluate(graph, {**given, **states})
        states = {name: wanted[name] for name in states}
        pairs.append((torch.as_tensor(found["output"]), wanted["output"]))
    return str(build.program.graph), pairs
