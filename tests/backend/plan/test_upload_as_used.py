"""Uploads in the dtype that is wanted: program text before and after."""

import pytest

from tests.backend.plan.check import N150, rewrites
from ttc.backend.plan.upload_as_used import upload_as_used
from ttc.runtime.run.program import parse_program


def test_an_input_only_read_as_indices_is_uploaded_as_indices():
    rewrites(
        upload_as_used,
        """graph {
          %i: i32[8] tile dram = input(name="i")
          %r: i32[8] row_major dram = ttnn.to_layout(%i, ROW_MAJOR)
          %u: u32[8] row_major dram = ttnn.typecast(%r, u32)
          %v: u32[8] tile dram = ttnn.typecast(%i, u32)
          %y: u32[8] row_major dram = ttnn.to_memory_config(%u, MemoryConfig())
          %z: u32[8] tile dram = ttnn.to_memory_config(%v, MemoryConfig())
          return "y"=%y, "z"=%z
        }""",
        """graph {
          %i: u32[8] tile dram = input(name="i")
          %r: u32[8] row_major dram = ttnn.to_layout(%i, ROW_MAJOR)
          %y: u32[8] row_major dram = ttnn.to_memory_config(%r, MemoryConfig())
          %z: u32[8] tile dram = ttnn.to_memory_config(%i, MemoryConfig())
          return "y"=%y, "z"=%z
        }""",
    )


@pytest.mark.parametrize(
    "body",
    [
        # read as it is, too
        """%u: u32[8] tile dram = ttnn.typecast(%i, u32)
           %y: i32[8] tile dram = ttnn.to_memory_config(%i, MemoryConfig())
           return "u"=%u, "y"=%y""",
        # an output, too
        """%u: u32[8] tile dram = ttnn.typecast(%i, u32)
           return "u"=%u, "i"=%i""",
        # two dtypes
        """%u: u32[8] tile dram = ttnn.typecast(%i, u32)
           %f: f32[8] tile dram = ttnn.typecast(%i, f32)
           return "u"=%u, "f"=%f""",
        # a block format rounds whole groups
        """%u: bfp8[8] tile dram = ttnn.typecast(%i, bfp8)
           return "u"=%u""",
    ],
)
def test_other_inputs_stay(body: str):
    graph = parse_program(f'graph {{ %i: i32[8] tile dram = input(name="i")\n {body} }}')
    assert upload_as_used(graph, N150) is graph


def test_a_constant_only_read_as_indices_is_stored_as_indices():
    rewrites(
        upload_as_used,
        """graph {
          %w: i32[8] tile dram = const(ref="w")
          %r: i32[8] row_major dram = ttnn.to_layout(%w, ROW_MAJOR)
          %u: u32[8] row_major dram = ttnn.typecast(%r, u32)
          %v: f32[8] tile dram = const(ref="v")
          %f: bf16[8] tile dram = ttnn.typecast(%v, bf16)
          return "u"=%u, "f"=%f
        }""",
        """graph {
          %w: u32[8] tile dram = const(ref="w")
          %r: u32[8] row_major dram = ttnn.to_layout(%w, ROW_MAJOR)
          %v: bf16[8] tile dram = const(ref="v")
          return "u"=%r, "f"=%v
        }""",
    )


def test_a_cast_that_rounds_before_it_widens_stays():
    graph = parse_program("""graph {
      %w: bf16[8] tile dram = const(ref="w")
      %y: f32[8] tile dram = ttnn.typecast(%w, f32)
      return "y"=%y
    }""")
    assert upload_as_used(graph, N150) is graph
