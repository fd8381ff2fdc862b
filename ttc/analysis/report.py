"""Resources of a program: calls, conversions, bytes moved and their minimum, memory peaks, predicted time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate, repeat
from typing import Any

from ttc.analysis.cost import fidelity, traffic
from ttc.analysis.cost.product import CYCLES
from ttc.analysis.experts import DenseExperts, dense_experts, described
from ttc.analysis.liveness import Liveness
from ttc.analysis.residency import replay, schedule
from ttc.analysis.run_calls import RunCall, run_calls
from ttc.analysis.trace_region import trace_bytes
from ttc.calls.banks import bank_bytes
from ttc.calls.call import Call, spec_of
from ttc.calls.fidelity import reason
from ttc.calls.host import HostOp
from ttc.calls.target import Target
from ttc.errors import TypeRuleError
from ttc.ir import Body, Buffer, Const, Graph, Input, Spec, bodies


@dataclass(frozen=True)
class Report:
    """Resources of one run of a program on one card; calls that run once, before the first run, are `setup_calls`.

    `minimum_dram_bytes` is the compulsory traffic: weights and inputs read once, outputs written once. A peak counts
    whole pages and banks as they are allotted; the bound beside the peak, `max_live`, counts only the tensors' own
    bytes, and in L1 those of buffers that calls make and free inside. L1 is in bytes per core;
    `l1_with_circular_buffers` adds the calls' circular buffers, as a bound. `limit_seconds` is the least time: the
    compulsory traffic at DRAM's peak rate, or all products at that of the matrix engine, whichever takes longer.
    `trace_bytes` estimates the region that a traced run takes, 0 if the host does an op. `dense_experts` are the layers
    of experts that all run on all tokens.
    """

    target: str
    calls: int
    setup_calls: int
    calls_by_kind: dict[str, int] = field(default_factory=dict)
    calls_by_fidelity: dict[str, int] = field(default_factory=dict)
    device_programs: int = 0
    layout_conversions: int = 0
    host_ops: int = 0
    host_bytes: int = 0
    host_ops_by_kind: dict[str, int] = field(default_factory=dict)
    flops: int = 0
    dram_bytes: int = 0
    minimum_dram_bytes: int = 0
    peak_dram_bytes: int = 0
    max_live_dram_bytes: int = 0
    peak_l1_per_core: int = 0
    max_live_l1_per_core: int = 0
    l1_with_circular_buffers: int = 0
    predicted_seconds: float = 0.0
    limit_seconds: float = 0.0
    trace_bytes: int = 0
    dense_experts: tuple[DenseExperts, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        given = ("chosen_flops", "chosen_weight_bytes")
        layers = [asdict(layer) | {name: getattr(layer, name) for name in given} for layer in self.dense_experts]
        return asdict(self) | {"dense_experts": layers}

    def _host(self) -> str:
        if not self.host_ops:
            return "0 host ops"
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.host_ops_by_kind.items())
        return f"{self.host_ops} host ops ({kinds}), which move {self.host_bytes:,} bytes"

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind.removeprefix('ttnn.')}" for kind, count in self.calls_by_kind.items())
        fidelities = "; ".join(f"{count} calls {reason}" for reason, count in self.calls_by_fidelity.items())
        setup = f", {self.setup_calls} before the first run" if self.setup_calls else ""
        return "\n".join(
            [
                f"{self.calls} calls on {self.target} ({kinds}){setup}",
                *([f"math fidelity: {fidelities}"] if fidelities else []),
                f"{self.device_programs} device programs, {self.layout_conversions} layout conversions, "
                + self._host(),
                f"DRAM moved {_mb(self.dram_bytes)}, at least {_mb(self.minimum_dram_bytes)}; "
                f"peak {_mb(self.peak_dram_bytes)}, live at most {_mb(self.max_live_dram_bytes)}",
                f"L1 per core: peak {_kb(self.peak_l1_per_core)}, live at most {_kb(self.max_live_l1_per_core)}, "
                f"with circular buffers below {_kb(self.l1_with_circular_buffers)}",
                f"predicted {self.predicted_seconds * 1e3:.3f} ms a run, {self.flops / 1e9:.2f} GFLOP; "
                + (f"its trace at most about {_mb(self.trace_bytes)}" if self.trace_bytes else "it cannot be traced"),
                *described(self.dense_experts, self.predicted_seconds),
            ]
        )


def _on_host(calls: list[RunCall]) -> list[HostOp]:
    return [call.node.op for call in calls if isinstance(call.node.op, HostOp) for _ in range(call.cost.times)]


def report(graph: Graph, target: Target) -> Report:
    """Report on a program whose passes are done."""
    _only_calls(graph)
    liveness = Liveness(graph)
    replayed = replay(schedule(graph, target), target)
    calls = list(run_calls(graph, target, replayed))
    costs = [call.cost for call in calls]
    kinds: Counter[str] = Counter()
    for call in calls:
        kinds[call.node.op.mnemonic] += call.cost.times
    on_host = _on_host(calls)
    compulsory = _compulsory(graph, liveness, target)
    return Report(
        target=target.name,
        calls=sum(cost.times for cost in costs),
        setup_calls=sum(
            isinstance(n.op, Call) and bool(n.results) and liveness.kept(n.results[0]) for n in graph.nodes
        ),
        calls_by_kind=dict(kinds.most_common()),
        calls_by_fidelity=_fidelities(calls, target),
        device_programs=sum(cost.programs for cost in costs),
        layout_conversions=sum(cost.dispatch.conversions for cost in costs),
        host_ops=len(on_host),
        host_bytes=sum(op.moved_bytes for op in on_host),
        host_ops_by_kind=dict(Counter(op.name for op in on_host).most_common()),
        flops=sum(cost.flops for cost in costs),
        dram_bytes=sum(cost.dram_bytes for cost in costs),
        minimum_dram_bytes=compulsory,
        peak_dram_bytes=_peak(graph, target, Buffer.DRAM, lambda spec: target.dram_banks * bank_bytes(spec, target)),
        max_live_dram_bytes=_peak(graph, target, Buffer.DRAM, lambda spec: spec.stored_bytes),
        peak_l1_per_core=replayed.buffers,
        max_live_l1_per_core=_peak(graph, target, Buffer.L1, lambda spec: bank_bytes(spec, target)),
        l1_with_circular_buffers=replayed.peak,
        predicted_seconds=sum(cost.seconds for cost in costs),
        limit_seconds=max(compulsory / target.dram_bytes_per_second, sum(map(_engine_seconds, calls, repeat(target)))),
        trace_bytes=trace_bytes(graph, calls, target),
        dense_experts=dense_experts(calls),
    )


def _engine_seconds(call: RunCall, target: Target) -> float:
    """Return the time of a call's products on all cores, without any loss, at the call's fidelity."""
    assert isinstance(call.node.op, Call)
    return call.cost.tile_products * CYCLES[fidelity(call.node.op)] / target.cores / target.clock_hz


def _fidelities(calls: Sequence[RunCall], target: Target) -> dict[str, int]:
    """Count the calls of each math fidelity, by its reason; calls that state none are left out."""
    counted: Counter[str] = Counter()
    for call in calls:
        if why := reason(call.node.op, target):
            counted[why] += call.cost.times
    return dict(counted.most_common())


def _only_calls(graph: Graph) -> None:
    for node in graph.nodes:
        if not isinstance(node.op, (Call, Input, Const)):
            raise TypeRuleError(f"{node.op.mnemonic} is not a TTNN call: only a lowered program has a report")
        for body in bodies(node.op):
            _only_calls(body)


def _compulsory(graph: Graph, liveness: Liveness, target: Target) -> int:
    """Count the bytes of weights (their parts in use) and inputs that runs read, and of outputs that runs write."""
    needed: dict[Any, int] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Call) or (node.results and liveness.kept(node.results[0])):
            continue
        for value, size in traffic(node, target):
            if liveness.kept(value) or isinstance(value.op, Input):
                needed[value] = max(needed.get(value, 0), size)
    written = {liveness.base(value) for _, value in graph.outputs}
    outputs = (v for v in written if not liveness.kept(v) and not isinstance(v.op, Input))
    return sum(needed.values()) + sum(spec_of(value).stored_bytes for value in outputs)


def _peak(graph: Graph, target: Target, buffer: Buffer, size: Callable[[Spec], int]) -> int:
    """Return the largest sum over all nodes of the live bytes in one memory.

    A loop adds the bytes of its body, a call those of the buffers in L1 that the call makes and frees inside.
    """
    change = [0] * (len(graph.nodes) + 2)
    for life in Liveness(graph).lives:
        given = life.kept and isinstance(graph, Body)  # the buffer belongs to the program around the loop
        if spec_of(life.value).memory.buffer is buffer and not given:
            change[life.start] += size(spec_of(life.value))
            change[life.end + 1] -= size(spec_of(life.value))
    for position, node in enumerate(graph.nodes):
        inside = sum(_peak(body, target, buffer, size) for body in bodies(node.op))
        if isinstance(node.op, Call) and buffer is Buffer.L1:
            made = sum(size(spec) for spec in map(spec_of, node.results) if spec.memory.buffer is buffer)
            inside += node.op.workspace(target).beyond(made)
        change[position] += inside
        change[position + 1] -= inside
    return max(accumulate(change))


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _kb(size: int) -> str:
    return f"{size / 1e3:,.0f} kB"
