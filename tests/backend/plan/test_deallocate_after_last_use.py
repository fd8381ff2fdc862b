"""Buffers are given back after their last use."""

from tests.backend.plan.check import rewrites
from ttc.backend.plan.deallocate_after_last_use import deallocate_after_last_use


def test_inputs_and_intermediate_values_go_constants_and_outputs_stay():
    rewrites(
        deallocate_after_last_use,
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
    rewrites(
        deallocate_after_last_use,
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
