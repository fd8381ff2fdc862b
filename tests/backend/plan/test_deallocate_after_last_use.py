"""Buffers are given back after their last use."""

from ttc.backend.plan.deallocate_after_last_use import deallocate_after_last_use
from ttc.calls.target import TARGETS
from ttc.ir import verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]


def check(before: str, after: str) -> None:
    found = deallocate_after_last_use(verify(parse_program(before)), N150)
    assert [line.strip() for line in str(verify(found)).splitlines()] == [line.strip() for line in after.splitlines()]
    assert deallocate_after_last_use(found, N150) is found


def test_inputs_and_intermediate_values_go_constants_and_outputs_stay():
    check(
        """graph {
          %x: bf16[32,32] tile dram = input(name="x")
          %z: bf16[32,32] tile dram = input(name="z")
          %w: bf16[32,32] tile dram = const(ref="w")
          %a: bf16[32,32] tile dram = ttnn.add(%x, %w)
          %b: bf16[32,32] tile dram = ttnn.add(%a, %x)
          %c: bf16[32,32] tile dram = ttnn.add(%a, %b)
          return "b"=%b, "z"=%z, "c"=%c
        }""",
        """graph {
          %x: bf16[32,32] tile dram = input(name="x")
          %z: bf16[32,32] tile dram = input(name="z")
          %w: bf16[32,32] tile dram = const(ref="w")
          %a: bf16[32,32] tile dram = ttnn.add(%x, %w)
          %b: bf16[32,32] tile dram = ttnn.add(%a, %x)
          ttnn.deallocate(%x)
          %c: bf16[32,32] tile dram = ttnn.add(%a, %b)
          ttnn.deallocate(%a)
          return "b"=%b, "z"=%z, "c"=%c
        }""",
    )


def test_what_nobody_reads_goes_at_once():
    check(
        """graph {
          %x: bf16[32,32] tile dram = input(name="x")
          %z: bf16[32,32] tile dram = input(name="z")
          %y: bf16[32,32] tile dram = ttnn.relu(%z)
          return "y"=%y
        }""",
        """graph {
          %x: bf16[32,32] tile dram = input(name="x")
          ttnn.deallocate(%x)
          %z: bf16[32,32] tile dram = input(name="z")
          %y: bf16[32,32] tile dram = ttnn.relu(%z)
          ttnn.deallocate(%z)
          return "y"=%y
        }""",
    )
