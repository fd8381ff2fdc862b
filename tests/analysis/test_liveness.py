"""The lives of buffers: views, inputs, constants and outputs."""

from ttc.analysis.liveness import Liveness
from ttc.runtime.program import parse_program


def test_lives():
    graph = parse_program("""graph {
      %w: bf16[32,32] tile dram = const(ref="w")
      %x: bf16[32,32] tile dram = input(name="x")
      %a: bf16[32,32] tile dram = ttnn.relu(%x)
      ttnn.deallocate(%x)
      %b: bf16[32,32] tile dram = ttnn.add(%a, %w)
      %c: bf16[32,32] tile dram = ttnn.add(%a, %a)
      %h: bf16[32,32] row_major host = const(ref="h")
      return "b"=%b
    }""")
    lives = {life.value.name: (life.start, life.end, life.reads) for life in Liveness(graph).lives}
    assert lives == {"w": (0, 7, 1), "x": (0, 2, 1), "a": (2, 5, 3), "b": (4, 7, 0), "c": (5, 5, 0)}


def test_a_view_lives_in_its_base():
    graph = parse_program("""graph {
      %x: bf16[2,32,32] tile dram = input(name="x")
      %a: bf16[2,32,32] tile dram = ttnn.relu(%x)
      %v: bf16[64,32] tile dram = ttnn.reshape(%a, [64, 32])
      %y: bf16[64,32] tile dram = ttnn.relu(%v)
      return "y"=%y
    }""")
    liveness = Liveness(graph)
    a, v = (node.results[0] for node in graph.nodes[1:3])
    assert liveness.base(v) is a
    assert [(life.value.name, life.end, life.reads) for life in liveness.lives] == [
        ("x", 1, 1),
        ("a", 3, 2),
        ("y", 4, 0),
    ]
