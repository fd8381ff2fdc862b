"""One-call programs, and what the real library says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.mock_cards import check_many
from ttc.calls.call import Call, spec_of
from ttc.calls.target import TARGETS, Target
from ttc.ir import DRAM, Builder, DType, Input, Layout, MemoryConfig, Spec, Value, verify
from ttc.runtime.check import CheckReport

BF16, F32, I32 = DType.bf16, DType.f32, DType.i32
TILED, ROWS = Layout.TILE, Layout.ROW_MAJOR


def spec(dtype: DType, *shape: int, layout: Layout = TILED, memory: MemoryConfig = DRAM) -> Spec:
    return Spec(dtype, shape, layout, memory)


def values(*specs: Spec) -> tuple[Value, ...]:
    """Inputs of these specs."""
    builder = Builder()
    return tuple(builder(Input(spec, f"x{i}")) for i, spec in enumerate(specs))


@dataclass(frozen=True)
class One:
    """A program of one call on inputs of the given specs."""

    call: Call
    text: str


def one(make: Callable[..., Call], *specs: Spec) -> One:
    builder = Builder()
    call = make(*(builder(Input(spec, f"x{i}")) for i, spec in enumerate(specs)))
    results = builder.add(call)
    return One(call, str(verify(builder.finish((f"y{i}", value) for i, value in enumerate(results)))))


def in_dram(call: Call) -> bool:
    """Whether a call's operands and results are all in DRAM: in L1 they count with what it works in."""
    results = call.infer()
    specs = [*map(spec_of, call.operands()), *(results if isinstance(results, tuple) else (results,))]
    return all(isinstance(spec, Spec) and spec.memory == DRAM for spec in specs)


def fault_of(program: One, report: CheckReport, target: Target) -> str:
    """How the real library's word on a program differs from what `infer` and `workspace` say; "" if nowhere.

    Device programs are counted by other tests, of the forms that lowering makes; these forms are all that TTNN takes.
    """
    workspace = program.call.workspace(target)
    if report.refusal or report.spec_mismatches or report.warnings:
        return f"{report.faults}\n{program.text}"
    if in_dram(program.call) and report.peak_l1_per_core > workspace.circular_buffers + workspace.buffers:
        return f"needs {report.peak_l1_per_core} B of L1 a core, said {workspace}\n{program.text}"
    return ""


def assert_as_predicted(programs: Sequence[One], target: str) -> None:
    """The real library takes each call and returns what `infer` says.

    In programs that are wholly in DRAM it needs no more L1 than `workspace` says.
    """
    card = TARGETS[target]
    reports = check_many([program.text for program in programs], card)
    faults = [fault_of(program, report, card) for program, report in zip(programs, reports, strict=True)]
    assert not any(faults), "\n".join(filter(None, faults))
