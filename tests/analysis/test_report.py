"""The report: every number of a small program, counted by hand."""

import json

import pytest

from ttc import ops  # noqa: F401 (which parse_graph knows by name)
from ttc.analysis.report import report
from ttc.calls.target import TARGETS
from ttc.errors import TypeRuleError
from ttc.ir import parse_graph
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
PAGE = 2048

PROGRAM = """graph {
  %w: bf16[64,64] tile dram = const(ref="w")
  %u: bf16[64,64] tile dram = ttnn.relu(%w)
  %v: bf16[64,64] tile dram = ttnn.relu(%u)
  %x: bf16[64,64] tile dram = input(name="x")
  %a: bf16[64,64] tile l1 = ttnn.add(%x, %v, memory_config=MemoryConfig(buffer=L1))
  ttnn.deallocate(%x)
  %b: bf16[64,64] row_major l1 = ttnn.to_layout(%a, ROW_MAJOR)
  ttnn.deallocate(%a)
  %c: bf16[64,64] row_major dram = ttnn.relu(%b, memory_config=MemoryConfig())
  ttnn.deallocate(%b)
  %d: bf16[64,64] row_major dram = ttnn.relu(%c)
  ttnn.deallocate(%c)
  return "y"=%d
}"""


def test_every_number():
    found = report(parse_program(PROGRAM), N150)
    tensor = 4 * PAGE
    assert found.calls == 4
    assert found.setup_calls == 2
    assert found.calls_by_kind == {"ttnn.relu": 2, "ttnn.add": 1, "ttnn.to_layout": 1}
    assert (found.device_programs, found.layout_conversions, found.host_ops, found.flops) == (4, 1, 0, 0)
    assert found.dram_bytes == (2 + 1 + 2) * tensor
    assert found.minimum_dram_bytes == 3 * tensor
    # v, c and d while d is computed: w, and what v was made from, are gone before the run
    assert found.max_live_dram_bytes == 3 * tensor
    assert found.peak_dram_bytes == 2 * 12 * PAGE  # v and x, a page in each bank, while a is computed
    # a's four tiles and b's 64 rows of 128 bytes, each at most one on a core
    assert (found.max_live_l1_per_core, found.peak_l1_per_core) == (PAGE + 128, PAGE + 128)
    assert found.l1_with_circular_buffers > found.peak_l1_per_core
    assert found.predicted_seconds > 4 * 2.05e-6
    assert found.limit_seconds == 3 * tensor / 288e9


def test_the_least_time_is_the_slower_of_dram_and_the_matrix_engine():
    text = """graph {
      %a: bf16[1024,1024] tile l1 = input(name="a")
      %w: bf16[1024,1024] tile dram = const(ref="w")
      %y: bf16[1024,1024] tile l1 =
        ttnn.matmul(%a, %w, compute_kernel_config=ComputeKernelConfig(math_fidelity=FIDELITY))
      return "y"=%y
    }"""
    slow, fast = (report(parse_program(text.replace("FIDELITY", f)), N150).limit_seconds for f in ("HiFi4", "LoFi"))
    assert slow == 32**3 * 64 / 64 / 1e9
    assert fast == 3 * 2 * 1024**2 / 288e9


def test_json_and_text():
    found = report(parse_program(PROGRAM), N150)
    assert json.loads(json.dumps(found.to_dict()))["layout_conversions"] == 1
    assert str(found).splitlines()[:2] == [
        "4 calls on n150 (2 relu, 1 add, 1 to_layout), 2 before the first run",
        "4 device programs, 1 layout conversions, 0 host ops",
    ]


def test_only_programs_of_calls_have_one():
    graph = parse_graph('graph { %x: f32[4] = input(name="x")\n %y: f32[4] = relu(x=%x)\n return "y"=%y }')
    with pytest.raises(TypeRuleError, match="relu is not a TTNN call"):
        report(graph, N150)
