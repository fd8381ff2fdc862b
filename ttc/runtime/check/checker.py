"""`Checker`: runs a program's calls, without data, on a mock card and notes what TTNN did and made of them."""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ttc.calls.call import Call, Dispatch, kind_of, spec_of
from ttc.calls.host import HostOp
from ttc.calls.layout import Deallocate
from ttc.calls.lints import lint
from ttc.calls.loop import Loop
from ttc.calls.target import Target
from ttc.errors import TtcError
from ttc.ir import L1, TILE, DType, Graph, Node, Spec, Value
from ttc.ir.text import print_node
from ttc.runtime.check.padding import unfilled_padding
from ttc.runtime.check.slices import unsound_slices
from ttc.runtime.check.tensors import Buffer, Tensors
from ttc.runtime.run.device import Bound, Tensor
from ttc.runtime.run.plan import Step, call_at, plan
from ttc.runtime.run.program import parse_program

DEVICE_OP = re.compile(r"\w+Operation|Pool2D")
CONVERSION = re.compile(r"(Tilize|Untilize|Typecast|InterleavedToSharded|ShardedToInterleaved|Reshard|Copy)\w*")
"""Device ops that change a tensor's form and compute nothing."""


class Card(Protocol):
    """The interface that a checker needs of a mock card (`TtnnDevice`)."""

    def empty(self, spec: Spec) -> Tensor: ...
    def bind(self, call: Call) -> Bound: ...
    def traced(self, call: Call, operands: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], list[dict], int]: ...
    def dram_allocated(self) -> int: ...
    def l1_allocated(self) -> int: ...
    def dram_buffer(self, tensor: Tensor) -> Buffer | None: ...
    def l1_address(self, tensor: Tensor) -> int | None: ...
    @property
    def dram_banks(self) -> int: ...
    def spec_of(self, tensor: Tensor) -> tuple[Spec, tuple[int, ...]]: ...


@dataclass(frozen=True)
class Trace:
    """The trace of one call: device programs, device ops by name, and its own peaks, DRAM in bytes, L1 per core.

    `unsafe` is what TTNN does in it that a card gets wrong.
    """

    programs: int = 0
    device_ops: Counter[str] = field(default_factory=Counter)
    dram: int = 0
    l1: int = 0
    unsafe: tuple[str, ...] = ()


@dataclass
class Findings:
    """The findings on a program; DRAM in bytes at its fullest, L1 in bytes per core at the fullest core."""

    calls: int = 0
    device_programs: int = 0
    dram_bytes: int = 0
    peak_l1_per_core: int = 0
    l1_depths: dict[str, int] = field(default_factory=dict)
    conversions: Counter[str] = field(default_factory=Counter)
    spec_mismatches: list[str] = field(default_factory=list)
    unsafe: list[str] = field(default_factory=list)
    host_ops: int = 0
    miscount: str | None = None
    refusal: str | None = None
    per_call: list[dict[str, Any]] = field(default_factory=list)


class Checker:
    """Checks programs one after another; a call like one seen before is run, but not traced again."""

    def __init__(self, card: Card, target: Target):
        self.card, self.target = card, target
        self.l1_end = l1_end(card)
        self._traces: dict[Hashable, Trace] = {}

    def check(self, text: str, progress: Callable[[int, int, str], None]) -> Findings:
        """Run a program in order, up to the first call that TTNN refuses.

        `progress` hears, before each step, its number, how many there are, and its line of program text.
        """
        run = _Run(self, Findings())
        line = ""
        try:
            program = parse_program(text)
            run.found.unsafe.extend(lint(program, self.target))
            steps = run.steps(program)
            for number, (node, step) in enumerate(steps):
                line = print_node(node).partition("\n")[0]
                progress(number, len(steps), line)
                step()
            run.note_kept()
        except TtcError as refusal:
            run.found.refusal = f"{refusal} (in: {line})" if line else str(refusal)
        found = run.found
        del run
        if found.refusal is not None:
            gc.collect()  # what was raised may be in a cycle with the frames that hold tensors
        return found

    def trace(self, call: Call, operands: Sequence[Tensor], l1_taken: int) -> tuple[tuple[Tensor, ...], Trace]:
        """Run a call, traced if it is the first of its kind with this much L1 taken."""
        if isinstance(call, Deallocate):
            return self.card.bind(call)(operands), Trace()
        key = (kind_of(call), l1_taken)
        if key in self._traces:
            return self.card.bind(call)(operands), self._traces[key]
        results, notes, l1 = self.card.traced(call, operands)
        names = (n["params"]["name"] for n in notes if n["node_type"] == "function_start")
        ops = Counter(name for name in names if DEVICE_OP.fullmatch(name))
        self._traces[key] = Trace(
            programs=sum(n["node_type"] == "program_execution" for n in notes),
            device_ops=ops,
            dram=self.card.dram_banks * peak_dram_per_bank(notes),
            l1=l1,
            unsafe=(*unsound_slices(notes), *unfilled_padding(call, ops)),
        )
        return results, self._traces[key]


class _Run:
    """One program's tensors and findings."""

    def __init__(self, checker: Checker, found: Findings):
        self.checker, self.card, self.found = checker, checker.card, found
        self.tensors = Tensors(checker.card)
        self._banks = checker.card.dram_banks
        self._others = checker.card.dram_allocated()  # bytes of DRAM that are none of this program's

    def note_kept(self) -> None:
        """Add the DRAM that TTNN has kept for itself during the program to the program's."""
        self.found.dram_bytes += max(0, self.card.dram_allocated() - self._dram())

    def _dram(self) -> int:
        """Return the bytes of DRAM that the program's tensors take, and others that were there before."""
        return self._others + self._banks * self.tensors.dram

    def steps(self, graph: Graph) -> list[tuple[Node, Callable[[], None]]]:
        """List the steps of a session, in order, each with the line it comes from."""
        order = plan(graph)
        makers = self._makers = {value: node for node in graph.nodes for value in node.results}

        def uploads(values: tuple[Value, ...]) -> list[tuple[Node, Callable[[], None]]]:
            return [(makers[value], lambda value=value: self._make(value)) for value in values]

        def runs(steps: tuple[Step, ...], counted: bool) -> list[tuple[Node, Callable[[], None]]]:
            times = 1 if counted else 0
            return [(graph.nodes[s.index], lambda s=s: self._run(s, self.tensors, times)) for s in steps]

        once = uploads(order.constants) + runs(order.setup, counted=False)
        return once + uploads(tuple(value for _, value in order.inputs)) + runs(order.steps, counted=True)

    def _make(self, value: Value) -> None:
        self.tensors[value] = self.card.empty(spec_of(value))
        self._compare(value, self.tensors[value], "an empty tensor")
        self._note_memory(Trace())

    def _run(self, step: Step, tensors: Tensors, times: int, turn: int = 0) -> None:
        """Run one step that stands for `times`; what is done once, before the first run, is not counted (0)."""
        call = call_at(step.call, turn)
        if isinstance(call, Loop):
            results = self._loop(call, step, tensors, times)
        else:
            results = self._call(call, step, tensors, times)
        if len(results) != len(step.results):
            what = f"{call.mnemonic} returns {len(results)} tensors, predicted are {len(step.results)}"
            raise TtcError(what)
        for value, tensor in zip(step.results, results, strict=True):
            tensors[value] = tensor
            self._compare(value, tensor, call.mnemonic)
            self._note_address(value, tensor)
        tensors.release(step.releases)

    def _call(self, call: Call, step: Step, tensors: Tensors, times: int) -> tuple[Tensor, ...]:
        operands = [tensors[value] for value in call.operands()]
        if isinstance(call, HostOp):  # nothing to put to TTNN but where its results lie
            self.found.host_ops += times
            return tuple(map(self.card.empty, call.results))
        l1_taken = self.card.l1_allocated()
        results, trace = self.checker.trace(call, operands, l1_taken)
        self._note_memory(trace, l1_taken)
        if isinstance(call, Deallocate):
            tensors.free(call.tensor)
        self.found.unsafe.extend(fault for fault in trace.unsafe if fault not in self.found.unsafe)
        if times and not isinstance(call, Deallocate):
            self._count(step, call, trace, times)
        return results

    def _loop(self, loop: Loop, step: Step, tensors: Tensors, times: int) -> tuple[Tensor, ...]:
        """Run the first, the second and the last step of a loop; the second stands for all in between."""
        given = [tensors[value] for value in loop.operands()]
        last = loop.count - 1
        for turn, stands_for in {0: 1, min(1, last): max(last - 1, 1), last: 1}.items():
            inner = Tensors(self.card, tensors)
            for value, tensor in zip(loop.body.inputs, given, strict=True):
                inner[value] = tensor
            for part in step.inner:
                try:
                    self._run(part, inner, times * stands_for, turn)
                except TtcError as refusal:
                    line = print_node(loop.body.nodes[part.index]).partition("\n")[0]
                    raise TtcError(f"{refusal} (in step {turn} of the loop: {line})") from None
            inner.release_all()
        positions = dict(zip(loop.operands(), given, strict=True))
        return tuple(positions[value] for value in loop.written)

    def _count(self, step: Step, call: Call, trace: Trace, times: int) -> None:
        found = self.found
        conversions = {name: n for name, n in trace.device_ops.items() if CONVERSION.fullmatch(name)}
        counted = Dispatch(trace.programs, sum(conversions.values()))
        predicted = call.dispatch(self.checker.target)
        if found.miscount is None and predicted != counted:
            found.miscount = miscount(step, predicted, counted)
        found.calls += times
        found.device_programs += trace.programs * times
        found.conversions.update({name: n * times for name, n in conversions.items()})
        entry = {"node": step.index, "call": call.mnemonic, "programs": trace.programs, "l1": trace.l1}
        if times > 1:
            entry["times"] = times
        found.per_call.append({**entry, "device_ops": dict(trace.device_ops)})

    def _note_memory(self, trace: Trace, l1_taken: int = 0) -> None:
        """Record the memory of a call: the call's own peak on top of the bytes taken before."""
        found = self.found
        found.dram_bytes = max(found.dram_bytes, self._dram() + trace.dram)
        found.peak_l1_per_core = max(found.peak_l1_per_core, l1_taken + trace.l1)

    def _note_address(self, value: Value, tensor: Tensor) -> None:
        """Record where a value of the program lies in L1; loops' bodies, whose names are their own, are left out."""
        address = self.card.l1_address(tensor)
        if address is not None and value in self._makers:
            self.found.l1_depths[value.name] = self.checker.l1_end - address

    def _compare(self, value: Value, tensor: Tensor, what: str) -> None:
        actual, padded = self.card.spec_of(tensor)
        fault = mismatch(spec_of(value), actual, padded)
        if fault:
            self.found.spec_mismatches.append(f"%{value.name} of {what}: {fault}")


def l1_end(card: Card) -> int:
    """Return the address at which L1 ends: TTNN gives the highest bytes of an empty one first."""
    tile = Spec(DType.bf16, (TILE, TILE), memory=L1)
    address = card.l1_address(card.empty(tile))
    return 0 if address is None else address + int(TILE * TILE * DType.bf16.bytes)


def miscount(step: Step, predicted: Dispatch, counted: Dispatch) -> str:
    """Describe a call whose device programs, or conversions among them, are not as many as predicted."""
    return (
        f"%{step.results[0].name} of {step.call.mnemonic}: {predicted.programs} device programs with "
        f"{predicted.conversions} conversions predicted, {counted.programs} with {counted.conversions} counted"
    )


def mismatch(predicted: Spec, actual: Spec, padded: tuple[int, ...]) -> str:
    """Describe where TTNN's tensor differs from the prediction; "" if nowhere. A shard counts where one is stated."""
    pairs = {
        "dtype": (predicted.dtype, actual.dtype),
        "shape": (list(predicted.shape), list(actual.shape)),
        "padded shape": (list(predicted.padded_shape), list(padded)),
        "layout": (predicted.layout.value, actual.layout.value),
        "buffer": (predicted.memory.buffer.value, actual.memory.buffer.value),
        "memory layout": (predicted.memory.sharding.value, actual.memory.sharding.value),
    }
    if predicted.memory.shard is not None:
        pairs["shard"] = (predicted.memory.shard, actual.memory.shard)
    faults = [f"{what} {ours} predicted, {theirs} found" for what, (ours, theirs) in pairs.items() if ours != theirs]
    return "; ".join(faults)


def peak_dram_per_bank(notes: list[dict]) -> int:
    """Find the most DRAM that a call's own buffers took at once, in bytes per bank."""
    taken = peak = 0
    for note in notes:
        if note["node_type"] in ("buffer_allocate", "buffer_deallocate") and note["params"]["type"] == "DRAM":
            size = int(note["params"]["max_size_per_bank"])
            taken += size if note["node_type"] == "buffer_allocate" else -size
            peak = max(peak, taken)
    return peak
