"""The checker on a stand-in of a card: a call whose device programs are not those predicted is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ttc.calls.target import TARGETS
from ttc.commands.check import describe, placement
from ttc.ir import L1, Spec
from ttc.runtime.check import CheckReport
from ttc.runtime.check.checker import Checker
from ttc.runtime.run.program import parse_program

PROGRAM = """graph {
  %x: bf16[64,64] tile dram = input(name="x")
  %a: bf16[64,64] tile dram = ttnn.relu(%x)
  %b: bf16[64,64] row_major dram = ttnn.to_layout(%a, ROW_MAJOR)
  %c: bf16[64,64] tile dram = ttnn.to_layout(%b, TILE)
  return "y"=%c
}"""


class StandIn:
    """A card on which each call runs the device ops that stand for it; a tensor is its spec."""

    dram_banks = 12

    def __init__(self, **ops: tuple[str, ...]):
        self.ops = {"relu": ("UnaryDeviceOperation",), "to_layout": ("UntilizeDeviceOperation",), **ops}

    def empty(self, spec: Spec) -> Any:
        return spec

    def bind(self, call: Any) -> Any:
        return lambda *operands: (call.infer(),)

    def traced(self, call: Any, operands: Sequence[Any]) -> tuple[tuple[Any, ...], list[dict], int]:
        ops = self.ops[call.mnemonic.removeprefix("ttnn.")]
        started = [{"node_type": "function_start", "params": {"name": name}, "arguments": []} for name in ops]
        return (call.infer(),), [*started, *({"node_type": "program_execution"} for _ in ops)], 0

    def dram_allocated(self) -> int:
        return 0

    def l1_allocated(self) -> int:
        return 0

    def dram_buffer(self, tensor: Any) -> None:
        return None

    def l1_address(self, tensor: Any) -> None:
        return None

    def spec_of(self, tensor: Any) -> tuple[Spec, tuple[int, ...]]:
        return tensor, tensor.padded_shape


def checked(**ops: tuple[str, ...]) -> str | None:
    found = Checker(StandIn(**ops), TARGETS["n150"]).check(PROGRAM, lambda step, steps, line: None)
    assert (found.refusal, found.spec_mismatches) == (None, [])
    return found.miscount


@pytest.mark.parametrize(
    ("ops", "miscount"),
    [
        ({}, None),
        (
            {"relu": ("UnaryDeviceOperation", "CopyDeviceOperation")},
            "%a of ttnn.relu: 1 device programs with 0 conversions predicted, 2 with 1 counted",
        ),
        (
            {"to_layout": ("ReshapeDeviceOperation",)},  # the first of two
            "%b of ttnn.to_layout: 1 device programs with 1 conversions predicted, 1 with 0 counted",
        ),
        (
            {"relu": ()},
            "%a of ttnn.relu: 1 device programs with 0 conversions predicted, 0 with 0 counted",
        ),
    ],
)
def test_the_first_call_that_counts_otherwise_is_named(ops: dict[str, tuple[str, ...]], miscount: str | None):
    assert checked(**ops) == miscount


def test_a_miscount_is_a_fault():
    report = CheckReport(miscount="%a of ttnn.relu: one too many")
    assert not report.ok
    assert report.to_dict()["miscount"] == report.miscount
    assert describe(report, placement(report, {})).splitlines()[-2:] == [
        "not as predicted: %a of ttnn.relu: one too many",
        "NOT accepted by ttnn",
    ]


class InL1(StandIn):
    """A card with an L1 that ends at 9,000, which gives each new tensor the next 1,000 bytes."""

    def __init__(self):
        super().__init__()
        self.given: list[tuple[Any, int]] = []

    def l1_address(self, tensor: Any) -> int | None:
        if tensor.memory != L1:
            return None
        self.given.append((tensor, 9000 - 2048 - 1000 * len(self.given)))
        return self.given[-1][1]


def test_values_in_l1_are_told_by_their_depth():
    text = """graph {
  %x: bf16[32,32] tile dram = input(name="x")
  %a: bf16[32,32] tile l1 = ttnn.relu(%x, memory_config=MemoryConfig(buffer=L1))
  %b: bf16[32,32] tile dram = ttnn.relu(%a, memory_config=MemoryConfig())
  %c: bf16[32,32] tile l1 = ttnn.relu(%b, memory_config=MemoryConfig(buffer=L1))
  %y: bf16[32,32] tile dram = ttnn.relu(%c, memory_config=MemoryConfig())
  return "y"=%y
}"""
    found = Checker(InL1(), TARGETS["n150"]).check(text, lambda step, steps, line: None)
    assert found.l1_depths == {"a": 3048, "c": 4048}  # the first tensor of all found the end
    graph = parse_program(text)
    a, c = graph.nodes[1].results[0], graph.nodes[3].results[0]
    report = CheckReport(l1_depths=found.l1_depths)
    assert placement(report, {a: 3048, c: 4048}) == {"l1_buffers": 2, "l1_misplaced": 0}
    assert placement(report, {a: 3048, c: 2048}) == {"l1_buffers": 2, "l1_misplaced": 1}
    assert placement(report, {c: 2048}) == {"l1_buffers": 1, "l1_misplaced": 1}
    assert placement(CheckReport(l1_depths={"a": 3048}), {a: 1, c: 2}) == {"l1_buffers": 1, "l1_misplaced": 1}
    assert "1 of 2 buffers in L1 where they were planned" in describe(report, placement(report, {a: 3048, c: 2048}))
