"""The lives of buffers: views, inputs, constants and outputs."""

from ttc.analysis.liveness import Liveness
from ttc.runtime.run.program import parse_program


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


def lives(text: str) -> dict[str, tuple]:
    found = Liveness(parse_program("graph {" + text + "}")).lives
    return {life.value.name: (life.start, life.end, life.reads, life.kept, life.output) for life in found}


X = '%x: bf16[32,32] tile dram = input(name="x")\n'
W = '%w: bf16[32,32] tile dram = const(ref="w")\n'


def test_what_depends_on_constants_alone_is_kept():
    found = lives(X + W + """%a: bf16[32,32] tile dram = ttnn.relu(%w)
        %y: bf16[32,32] tile dram = ttnn.add(%x, %a)
        return "y"=%y""")  # fmt: skip
    assert found == {  # w itself is gone before the first run
        "x": (0, 3, 1, False, False),
        "a": (0, 4, 1, True, False),
        "y": (3, 4, 0, False, True),
    }


def test_but_not_in_l1():
    found = lives(X + W + """%a: bf16[32,32] tile l1 = ttnn.relu(%w, memory_config=MemoryConfig(buffer=L1))
        %b: bf16[32,32] tile dram = ttnn.relu(%a, memory_config=MemoryConfig())
        %y: bf16[32,32] tile dram = ttnn.add(%x, %b)
        return "y"=%y""")  # fmt: skip
    assert found["w"] == (0, 5, 1, True, False)
    assert found["a"] == (2, 3, 1, False, False)
    assert found["b"] == (3, 4, 1, False, False)


def test_a_kept_output_exists_from_the_first_to_the_last():
    assert lives(X + W + 'return "w"=%w, "x"=%x') == {"x": (0, 2, 0, False, True), "w": (0, 2, 0, True, True)}


def test_a_view_of_an_output_keeps_its_base():
    found = lives(X + """%a: bf16[32,32] tile dram = ttnn.relu(%x)
        %v: bf16[1,32,32] tile dram = ttnn.reshape(%a, [1, 32, 32])
        %b: bf16[32,32] tile dram = ttnn.relu(%x)
        return "v"=%v""")  # fmt: skip
    assert found == {
        "x": (0, 3, 2, False, False),
        "a": (1, 4, 1, False, True),
        "b": (3, 3, 0, False, False),
    }


def test_what_is_on_the_host_takes_no_room_there():
    found = lives(X + """%h: bf16[32,32] row_major host = const(ref="h")
        %y: bf16[32,32] tile dram = ttnn.relu(%x)
        return "y"=%y""")  # fmt: skip
    assert "h" not in found


def test_several_results_live_on_their_own():
    found = lives("""%x: bf16[4,64] tile dram = input(name="x")
        %v: bf16[4,2] tile dram, %i: u16[4,2] tile dram = ttnn.topk(%x, 2, 1)
        %a: bf16[4,2] tile dram = ttnn.relu(%v)
        %b: bf16[4,2] tile dram = ttnn.relu(%a)
        return "i"=%i""")
    assert {name: life[:3] for name, life in found.items()} == {
        "x": (0, 1, 1),
        "v": (1, 2, 1),
        "i": (1, 4, 0),
        "a": (2, 3, 1),
        "b": (3, 3, 0),
    }
