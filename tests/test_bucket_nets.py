"""Networks over time as programs of a bucket: the real library takes them, and a session gives what PyTorch gives."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice

import pytest

from tests.cards import FIRST
from tests.mock_cards import check_many
from tests.passes.padded_nets import BUCKET, Case, filled, rounding
from ttc.calls.target import TARGETS, Target
from ttc.ir import print_graph
from ttc.passes.padding import Padded
from ttc.pipeline import Build, Options, compile_graph
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.session import Session
from ttc.validation.accuracy import scaled_error


@dataclass(frozen=True)
class Numbered:
    """A network for some samples, in bf16 or fp32."""

    case: Case
    batch: int
    dtype: str

    def padded(self) -> Padded:
        return self.case.padded(self.batch)


def numbered(start: int, how_many: int) -> list[Numbered]:
    """Usable networks from a number on."""
    cases = ((seed, Case.numbered(seed)) for seed in count(start))
    found = (Numbered(case, 1 + seed % 3, ("bf16", "fp32")[seed // 3 % 2]) for seed, case in cases if case.usable)
    return list(islice(found, how_many))


def accepted(nets: list[Numbered], *cards: str) -> None:
    """The real library takes the nets' programs, with the results that were predicted, on each of the cards."""
    graphs = [net.padded().graph for net in nets]
    for target in (TARGETS[name] for name in cards):
        builds = [compile_graph(graph, Options(target, net.dtype)) for graph, net in zip(graphs, nets, strict=True)]
        reports = check_many([print_graph(build.program.graph) for build in builds], target)
        refused = [
            f"{target.name}: {net}: {report.faults}" for net, report in zip(nets, reports, strict=True) if not report.ok
        ]
        assert not refused, "\n".join(refused)


def gives_what_each_sample_gives_alone(case: Case, batch: int, target: Target) -> None:
    """In float32; a network that magnifies rounding tells nothing."""
    padded = case.padded(batch)
    build = compile_graph(padded.graph, Options(target, "fp32"))
    session = Session([bucket(build, padded)], build.weights, EmulatorDevice())
    taken = dict(build.program.inputs)
    for first in (1, 4):
        lengths = [case.lengths[(first + 5 * sample) % len(case.lengths)] for sample in range(batch)]
        given = {name: tensor.numpy() for name, tensor in filled(lengths, "nan").items() if name in taken}
        found = session.run({**given, "T": lengths})
        for sample, length in enumerate(lengths):
            for name, wanted in case.run(lengths, sample).items():
                extent = padded.outputs[name].lengths
                valid = tuple(slice(None if own is None else own.at({"T": length})) for own in extent)
                error = scaled_error(found[name][sample : sample + 1][valid], wanted.numpy())
                assert error <= 1e-5 or not rounding(case, lengths) <= 1e-6


def bucket(build: Build, padded: Padded) -> Bucket:
    """What `ttc.pipeline` makes of a padded program."""
    return Bucket(
        build.program,
        {"T": BUCKET},
        padded.names,
        padded.samples,
        {"T": 1},
        padded.least,
        padded.inputs,
        padded.outputs,
    )


def test_the_real_library_takes_the_programs(ttnn_python):
    nets = numbered(0, 6)
    for first, card in enumerate(FIRST):
        accepted(nets[first :: len(FIRST)], card)


@pytest.mark.sweep
@pytest.mark.parametrize("part", range(5))
def test_sweep_of_programs(part, ttnn_python):
    accepted(numbered(1000 * (1 + part), 20), *FIRST)


@pytest.mark.parametrize("seed", [0, 4, 8])
def test_each_sample_gives_what_it_gives_alone(seed):
    case = numbered(seed, 1)[0].case
    gives_what_each_sample_gives_alone(case, 2 + seed % 2, TARGETS["n150"])


@pytest.mark.sweep
@pytest.mark.parametrize("part", range(5))
def test_sweep_of_samples(part):
    for number, net in enumerate(numbered(1000 * (1 + part), 20)):
        gives_what_each_sample_gives_alone(net.case, 2 + number % 2, TARGETS["n150"])
