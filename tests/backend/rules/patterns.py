"""Patterns of several ops in text, changed a little: the calls that they become, and the numbers of these."""

from __future__ import annotations

import numpy as np

from tests.emulated import emulated
from tests.passes.check import random, retyped
from ttc import ops
from ttc.calls.target import TARGETS
from ttc.pipeline import Options, compile_graph
from ttc.validation.accuracy import pcc, scaled_error


def calls_of(text: str, *changes: tuple[str, str], dtype: str = "fp32") -> list[str]:
    """The calls of a changed pattern, whose program is emulated: it must give the numbers of the ops."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    graph = retyped("\n".join(text.splitlines()[1:-1]))
    build = compile_graph(graph, Options(TARGETS["n150"], dtype))
    inputs = {value.op.name: random(value.type, value.op.name) for value in graph.inputs}
    found = emulated(build, inputs)
    for name, tensor in ops.evaluate(graph, inputs).items():
        given, wanted = np.asarray(found[name]), tensor.numpy()
        assert scaled_error(given, wanted) <= 1e-5 if dtype == "fp32" else pcc(given, wanted) > 0.999
    return [node.op.mnemonic for node in build.program.graph.nodes]
