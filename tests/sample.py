"""Tries one op of the samples, or one TTNN call, alone: python -m tests.sample gelu, or ttnn.gelu

For each sample: the type rule beside torch; in each dtype, for each card, the emulated numbers beside torch's and the
real library's word. Then each call with every element type that it claims: the library's word, and the predicted
workspace beside the measured one. Exit code 1 if anything is not as it must be, 2 for a name that no sample has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tests.calls.claims import claims, distinct_calls
from tests.calls.programs import One, fault_of
from tests.emulated import emulated
from tests.samples import SAMPLES
from tests.samples.form import Sample
from ttc import ops
from ttc.calls.call import spec_of
from ttc.calls.layout import Deallocate
from ttc.calls.target import TARGETS, Target, target_named
from ttc.commands.support import recorded
from ttc.commands.table import print_table
from ttc.errors import InputError, Refused, TtcError, printable
from ttc.pipeline import Build, Options, compile_graph
from ttc.runtime.check import check_many
from ttc.runtime.emulator.numerics import Mode
from ttc.validation.accuracy import pcc, scaled_error

DTYPES = ("bf16", "fp32")


@dataclass(frozen=True)
class Row:
    """One thing tried: of what, where, what was found, and the fault if it is one."""

    subject: str
    where: str
    found: str
    fault: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        head = (self.fault or self.found).partition("\n")[0]
        return "FAULT" if self.fault else "ok", self.subject, self.where, head


def samples_of(name: str) -> list[Sample]:
    """The samples of an op, by mnemonic or class name, or of the ops whose programs hold a call; InputError if none."""
    kinds = {kind for kind, entry in recorded().items() if name in entry["calls"]}
    found = [s for s in SAMPLES if name in (s.kind.mnemonic, s.kind.__name__) or s.kind.mnemonic in kinds]
    if not found:
        raise InputError(f"no sample in tests/samples has an op or a TTNN call named {name!r}")
    return found


def type_fault(sample: Sample) -> str:
    """Where a type rule and the op's meaning in torch disagree; "" if nowhere."""
    graph, inputs = sample.graph()
    stated = dict(graph.outputs)
    pairs = [(stated[name].type, ops.type_of(tensor)) for name, tensor in ops.evaluate(graph, inputs).items()]
    return "; ".join(f"the type rule says {rule}, torch gives {torch}" for rule, torch in pairs if rule != torch)


def results(sample: Sample, build: Build, mode: Mode) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each output of the emulated program, and of the op in torch."""
    graph, inputs = sample.graph()
    found = emulated(build, inputs, mode)
    wanted = ops.evaluate(graph, inputs)
    for name, array in found.items():
        yield array, wanted[name].numpy()


def number_fault(sample: Sample, dtype: str, found: np.ndarray, wanted: np.ndarray) -> str:
    """How an output in `exact` mode differs from the op's beyond the accuracy that the sample asks; "" if not."""
    if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
        return f"{found.dtype}{list(found.shape)} instead of {wanted.dtype}{list(wanted.shape)}"
    if not wanted.size:
        return ""
    if dtype == "fp32" and scaled_error(found, wanted) > sample.fp32:
        return f"scaled error {scaled_error(found, wanted):.1e}, asked is {sample.fp32:g}"
    inexact = np.issubdtype(wanted.dtype, np.inexact)
    if dtype != "fp32" and inexact and pcc(found, wanted) < sample.bf16:
        return f"PCC {pcc(found, wanted):.6f}, asked is {sample.bf16:g}"
    return ""


def sample_rows(sample: Sample, builds: Sequence[tuple[Target, str, Build | Refused]]) -> Iterator[Row]:
    """What needs no card: the type rule, refusals, numbers."""
    yield Row(str(sample), "torch", "types agree", type_fault(sample))
    for target, dtype, build in builds:
        where = f"{target.name} {dtype}"
        if isinstance(build, Refused):
            expected = dtype in sample.refused
            yield Row(str(sample), where, "refused, as the sample says", "" if expected else str(build.reasons[0][1]))
            continue
        said, faults = [], []
        for mode in Mode:
            pairs = list(results(sample, build, mode))
            measured = (scaled_error if dtype == "fp32" else pcc, "error {:.1e}" if dtype == "fp32" else "PCC {:.6f}")
            said.append(f"{mode.value} " + ", ".join(measured[1].format(measured[0](*pair)) for pair in pairs))
            faults += [number_fault(sample, dtype, *pair) for pair in pairs if mode is Mode.exact]
        yield Row(str(sample), where, "; ".join(said), "; ".join(filter(None, faults)))


def card_rows(target: Target, programs: Sequence[tuple[str, str, str]]) -> Iterator[Row]:
    """The real library's word on programs, each with its sample and its dtype."""
    for (sample, dtype, _), report in zip(programs, check_many([text for *_, text in programs], target), strict=True):
        fault = "; ".join(report.faults)
        yield Row(sample, f"{target.name} {dtype}", f"ttnn takes its {report.calls} calls", fault)


def claim_rows(target: Target, programs: Sequence[One]) -> Iterator[Row]:
    """The real library's word on single calls, and the memory that they need beside what is predicted."""
    for program, report in zip(programs, check_many([one.text for one in programs], target), strict=True):
        call, workspace = program.call, program.call.workspace(target)
        types = ", ".join(f"{value.dtype} {spec_of(value).layout.value}" for value in call.operands())
        said, needed = workspace.circular_buffers + workspace.buffers, report.peak_l1_per_core
        memory = f"{said:,} B of L1 a core predicted, {needed:,} B measured"
        yield Row(f"{call.mnemonic}({types})", target.name, memory, fault_of(program, report, target))


def rows(name: str, targets: Sequence[Target]) -> Iterator[Row]:
    """Everything that is tried under a name."""
    graphs, texts = [], {target: [] for target in targets}
    for sample in samples_of(name):
        builds = [(target, dtype, built(sample, target, dtype)) for target in targets for dtype in DTYPES]
        yield from sample_rows(sample, builds)
        for target, dtype, build in builds:
            if isinstance(build, Build):
                graphs.append(build.program.graph)
                texts[target].append((str(sample), dtype, str(build.program.graph)))
    for target in targets:
        yield from card_rows(target, texts[target])
    calls = [call for call in distinct_calls(graphs) if not isinstance(call, Deallocate)]
    calls = [call for call in calls if call.mnemonic == name] or calls
    programs = list({program.text: program for call in calls for program in claims(call)}.values())
    for target in targets:
        yield from claim_rows(target, programs)


def built(sample: Sample, target: Target, dtype: str) -> Build | Refused:
    """A sample's program, or the refusal."""
    try:
        return compile_graph(sample.graph()[0], Options(target, dtype))
    except Refused as refusal:
        return refusal


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of all that was tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.sample", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="an op (gelu, Gelu) or a TTNN call (ttnn.gelu)")
    parser.add_argument("--target", action="append", help=f"a card, several times for several: {', '.join(TARGETS)}")
    given = parser.parse_args(arguments)
    try:
        tried = list(rows(given.name, [target_named(name) for name in given.target or TARGETS]))
    except TtcError as error:
        print(f"sample: {printable(str(error))}", file=sys.stderr)
        return 2
    print_table(("", "what", "where", "found"), [row.cells for row in tried])
    faults = [row for row in tried if row.fault]
    for row in faults:
        print(f"\n{row.subject} on {row.where}: {row.fault}")
    print(f"\n{len(tried)} tried, {len(faults)} not as they must be")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
