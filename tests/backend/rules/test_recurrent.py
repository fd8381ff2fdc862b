"""Recurrences as programs: torch's packed sequences, device programs a step, size of the text."""

from __future__ import annotations

import random
import re
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.emulated import emulated
from tests.mock_cards import check
from ttc import ops
from ttc.analysis.report import report
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.frontend.export import export
from ttc.ir import Builder, Const, DType, Graph, Input, TensorType, Weight, Weights, parse_graph, verify
from ttc.ops.recurrent import Recurrence
from ttc.pipeline import Options, compile_graph
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.session import Session
from ttc.validation.accuracy import pcc, scaled_error

GARBAGE = (float("nan"), float("inf"), 1e30, -3.0)


class Packs(nn.Module):
    """A recurrence over packed sequences, as users write it; y has zeros in the padding."""

    def __init__(self, recurrence: nn.Module):
        super().__init__()
        self.recurrence = recurrence

    def forward(self, x, lengths, *states):
        first = self.recurrence.batch_first
        packed = pack_padded_sequence(x, lengths, first, enforce_sorted=False)
        given = states if len(states) > 1 else states[0] if states else None
        y, finals = self.recurrence(packed, given)
        return pad_packed_sequence(y, first, total_length=x.shape[1 if first else 0])[0], finals


@dataclass(frozen=True)
class Configuration:
    """A model and what it is called with: garbage in the padding of x, the samples' lengths, initial states."""

    model: Packs
    args: tuple[torch.Tensor, ...]

    def packed(self) -> list[np.ndarray]:
        """What torch makes of the packed sequences."""
        with torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
            y, finals = self.model(*self.args)
        return [tensor.numpy() for tensor in (y, *(finals if isinstance(finals, tuple) else (finals,)))]

    def graph(self) -> Graph:
        return export(self.model, self.args).graph

    def inputs(self, graph: Graph) -> dict[str, np.ndarray]:
        return {value.op.name: arg.numpy() for value, arg in zip(graph.inputs, self.args, strict=True)}


def configuration(seed: int) -> Configuration:
    """A random recurrence on random lengths."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    kind = draw.choice([nn.LSTM, nn.GRU, nn.RNN])
    size, hidden, layers, steps, batch = (draw.randint(1, top) for top in (40, 48, 3, 12, 4))
    options = {
        "num_layers": layers,
        "bidirectional": draw.random() < 0.6,
        "batch_first": draw.random() < 0.5,
        "bias": draw.random() < 0.8,
    }
    if kind is nn.LSTM and hidden > 1 and draw.random() < 0.3:
        options["proj_size"] = draw.randint(1, hidden - 1)
    if kind is nn.RNN:
        options["nonlinearity"] = draw.choice(["tanh", "relu"])
    model = Packs(kind(size, hidden, **options)).eval()
    shape = (batch, steps, size) if options["batch_first"] else (steps, batch, size)
    states: tuple[torch.Tensor, ...] = ()
    if draw.random() < 0.4:
        count = layers * (1 + options["bidirectional"])
        sizes = [options.get("proj_size", hidden), *([hidden] if kind is nn.LSTM else [])]
        states = tuple(torch.randn(count, batch, size) for size in sizes)
    lengths = torch.tensor([draw.randint(1, steps) for _ in range(batch)])
    x = torch.randn(shape)
    for sample, length in enumerate(lengths.tolist()):
        (x[sample, length:] if options["batch_first"] else x[length:, sample]).fill_(draw.choice(GARBAGE))
    return Configuration(model, (x, lengths, *states))


def as_torch_packs(seed: int) -> None:
    case = configuration(seed)
    graph = case.graph()
    wanted, inputs = case.packed(), case.inputs(graph)
    for dtype in ("fp32", "bf16"):
        build = compile_graph(graph, Options(TARGETS["n150"], dtype))
        for name, found, expected in zip(graph.signature()[1], emulated(build, inputs).values(), wanted, strict=True):
            if dtype == "fp32":
                assert scaled_error(found, expected) <= 1e-5, f"{name} of {case.model}, {case.args[1]}"
            else:
                assert pcc(found, expected) >= 0.999, f"{name} of {case.model}, {case.args[1]}"


@pytest.mark.parametrize("seed", range(60))
def test_valid_region_is_what_torch_makes_of_packed_sequences(seed: int):
    as_torch_packs(seed)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(60, 360))
def test_more_packed_sequences(seed: int):
    as_torch_packs(seed)


# ---------------------------------------------------------------- what a step costs


def recurrence(
    kind: type[Recurrence],
    steps: int,
    *,
    directions: int = 2,
    lengths: bool = False,
    given: bool = False,
    hidden: int = 256,
    **attributes,
) -> Graph:
    """One recurrence of B 1 and I 64, its weights without data."""
    gates = kind.gates
    builder = Builder()

    def weight(name: str, *shape: int):
        return builder(Const(TensorType(DType.f32, shape), name))

    def state(name: str, *shape: int):
        return builder(Input(TensorType(DType.f32, shape), name))

    fields = {
        "x": state("x", steps, 1, 64),
        "w": weight("w", directions, gates * hidden, 64),
        "r": weight("r", directions, gates * hidden, hidden),
        "bias": weight("bias", directions, gates * hidden),
    }
    if kind is ops.Gru and attributes.get("reset_after", True):
        fields["bias_n"] = weight("bias_n", directions, hidden)
    if lengths:
        fields["lengths"] = builder(Input(TensorType(DType.i64, (1,)), "lengths"))
    if given:
        fields |= {name: state(name, directions, 1, hidden) for name in ("h", "c")[: 1 + (kind is ops.Lstm)]}
    y, *finals = builder.add(kind(**fields, **attributes))
    graph = builder.finish([("y", y), *((f"final.{i}", value) for i, value in enumerate(finals))])
    known = {node.op.ref: Weight(node.op.type) for node in graph.nodes if isinstance(node.op, Const)}
    return replace(graph, weights=Weights(known))


STEPS = [
    (ops.Lstm, {}, 8),
    (ops.Lstm, {"lengths": True}, 8),
    (ops.Lstm, {"lengths": True, "given": True}, 11),
    (ops.Lstm, {"directions": 1, "lengths": True, "given": True}, 8),
    (ops.Gru, {}, 9),
    (ops.Gru, {"lengths": True, "given": True}, 9),
    (ops.Gru, {"reset_after": False}, 8),
    (ops.Rnn, {"lengths": True}, 4),
]


@pytest.mark.parametrize(("kind", "options", "programs"), STEPS)
@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_device_programs_of_a_step(kind, options, programs, dtype, ttnn_python: str):
    reports = []
    for steps in (8, 11):
        build = compile_graph(recurrence(kind, steps, **options), Options(TARGETS["n150"], dtype))
        found = check(build.program)
        assert found.ok, found.faults
        ours = report(build.program.graph, TARGETS["n150"])
        assert (ours.device_programs, ours.calls) == (found.device_programs, found.calls)
        assert ours.peak_dram_bytes <= found.dram_bytes * 1.1
        reports.append(found)
    assert (reports[1].device_programs - reports[0].device_programs) / 3 == programs


def form(text: str) -> str:
    """The text of a program without its numbers, its memories, and the times at which L1 is freed."""
    text = re.sub(r"^ *ttnn\.deallocate\(.*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"\d+", "#", re.sub(r"\b(dram|l1)\b|, memory_config=MemoryConfig\((buffer=L1)?\)", "", text))


@pytest.mark.parametrize("kind", [ops.Lstm, ops.Gru, ops.Rnn])
def test_text_does_not_grow_with_the_steps(kind):
    long, short = (
        str(compile_graph(recurrence(kind, steps, lengths=True), Options(TARGETS["n150"])).program.graph)
        for steps in (512, 96)  # reshapes of fewer steps take less time in tiles
    )
    assert form(long) == form(short)  # nothing but numbers of steps differs, and what fits into L1 and when
    assert str(verify(parse_graph(long))) == long


def test_a_step_computes_in_l1_and_keeps_its_states_where_they_are():
    text = str(compile_graph(recurrence(ops.Lstm, 64), Options(TARGETS["n150"])).program.graph)
    body = text.partition("body {")[2].partition("})")[0]
    assert "output_tensor=%h" in body
    assert "output_tensor=%c" in body
    made = [line for line in body.splitlines() if " = " in line and "input(" not in line]
    copies = [line for line in made if "tile dram" in line and "loop.view(" not in line]
    assert [line.split(":")[0].strip() for line in copies] == ["%11"]  # the stack


def test_what_an_lstm_leaves_of_a_run_does_not_reach_the_next():
    case = configuration(0)
    graph = case.graph()
    build = compile_graph(graph, Options(TARGETS["n150"], "fp32"))
    session = Session([build.bucket], build.weights, EmulatorDevice("exact"))
    first, second = (session.run(case.inputs(graph)) for _ in range(2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_weights_that_a_run_computes_are_refused_where_too_many_steps_would_be_written_out():
    builder = Builder()
    x, w, r = (builder(Input(TensorType(DType.f32, shape), n)) for n, shape in zip("xwr", SHAPES, strict=True))
    graph = builder.finish([("y", builder.add(ops.Rnn(x, w, r))[0])])
    with pytest.raises(Refused, match=r"the weight %[wr] of a recurrence is not known before the first run"):
        compile_graph(graph, Options(TARGETS["n150"]))


SHAPES = ((65, 2, 4), (1, 5, 4), (1, 5, 5))
