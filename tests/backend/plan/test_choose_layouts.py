"""Layouts: program text before and after, and the number of conversions against trying every assignment."""

import random
import time
from itertools import product

import pytest

from tests.mock_cards import check_many
from ttc.backend.plan.choose_layouts import choose_layouts
from ttc.calls.binary import Add
from ttc.calls.layout import ToLayout, ToMemoryConfig
from ttc.calls.shape import Reshape
from ttc.calls.target import TARGETS
from ttc.calls.unary import Relu
from ttc.ir import DRAM, L1, Builder, Const, DType, Graph, Input, Layout, Spec, Value, parse_graph, print_graph, verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
TILE, ROWS = Layout.TILE, Layout.ROW_MAJOR


def chosen(text: str) -> str:
    after = choose_layouts(verify(parse_graph(text)), N150)
    assert choose_layouts(verify(after), N150) is after
    return str(after)


def check(before: str, after: str) -> None:
    lines = [line.strip() for line in after.strip().splitlines()]
    assert [line.strip() for line in chosen(before).strip().splitlines()] == lines


def test_nothing_in_rows_is_left_alone():
    graph = parse_graph("""graph {
      %x: bf16[8,8] tile dram = input(name="x")
      %y: bf16[8,8] tile dram = ttnn.relu(%x)
      return "y"=%y
    }""")
    assert choose_layouts(graph, N150) is graph


def test_a_flexible_call_between_calls_in_rows_runs_in_rows():
    check(
        """graph {
          %x: bf16[8,8] row_major dram = input(name="x")
          %m: bf16[8,8] row_major dram = ttnn.to_memory_config(%x, MemoryConfig())
          %t: bf16[8,8] tile dram = ttnn.to_layout(%m, TILE)
          %r: bf16[8,8] tile dram = ttnn.relu(%t)
          %b: bf16[8,8] row_major dram = ttnn.to_layout(%r, ROW_MAJOR)
          %y: bf16[8,8] row_major dram = ttnn.to_memory_config(%b, MemoryConfig())
          return "y"=%y
        }""",
        """graph {
          %x: bf16[8,8] row_major dram = input(name="x")
          %m: bf16[8,8] row_major dram = ttnn.to_memory_config(%x, MemoryConfig())
          %r: bf16[8,8] row_major dram = ttnn.relu(%m)
          %y: bf16[8,8] row_major dram = ttnn.to_memory_config(%r, MemoryConfig())
          return "y"=%y
        }""",
    )


def in_rows(shape: str) -> str:
    """A call between two that read and write rows."""
    return f"""graph {{
      %x: i32[{shape}] row_major dram = input(name="x")
      %m: i32[{shape}] row_major dram = ttnn.to_memory_config(%x, MemoryConfig())
      %a: i32[{shape}] row_major dram = ttnn.add(%m, %m)
      %b: i32[{shape}] row_major dram = ttnn.minimum(%a, %m)
      %y: i32[{shape}] row_major dram = ttnn.to_memory_config(%b, MemoryConfig())
      return "y"=%y
    }}"""


def test_calls_whose_row_is_one_core_s_alone_run_in_tiles():
    long = chosen(in_rows("1,57600"))
    assert "tile dram = ttnn.add" in long
    assert long.count("to_layout") == 2


@pytest.mark.parametrize("shape", ["1,2000", "1,8191", "1800,32"])
def test_calls_of_shorter_rows_run_in_rows(shape: str):
    assert "to_layout" not in chosen(in_rows(shape))


def test_a_state_is_wanted_in_the_layout_that_it_is_left_in():
    """In rows it would be read for nothing, and converted where it is left."""
    graph = parse_graph("""graph {
      %s: bf16[8,8] tile dram = input(name="@state.s")
      %r: bf16[8,8] row_major dram = ttnn.to_layout(%s, ROW_MAJOR)
      %y: bf16[8,8] row_major dram = ttnn.to_memory_config(%r, MemoryConfig())
      %x: bf16[8,8] tile dram = input(name="x")
      %n: bf16[8,8] tile dram = ttnn.softmax(%x, 1)
      return "y"=%y, "@state.s"=%n
    }""")
    assert choose_layouts(graph, N150) is graph


def test_inputs_and_constants_are_uploaded_as_wanted():
    check(
        """graph {
          %x: bf16[8,8] tile dram = input(name="x")
          %w: bf16[8,8] tile dram = const(ref="w")
          %b: bf16[8,8] row_major dram = ttnn.to_layout(%x, ROW_MAJOR)
          %y: bf16[8,8] row_major dram = ttnn.to_memory_config(%b, MemoryConfig())
          %v: bf16[8,8] row_major dram = ttnn.to_layout(%w, ROW_MAJOR)
          %z: bf16[8,8] row_major dram = ttnn.to_memory_config(%v, MemoryConfig())
          %u: bf16[8,8] tile dram = ttnn.to_memory_config(%w, MemoryConfig())
          return "y"=%y, "z"=%z, "u"=%u
        }""",
        """graph {
          %x: bf16[8,8] row_major dram = input(name="x")
          %w: bf16[8,8] tile dram = const(ref="w")
          %y: bf16[8,8] row_major dram = ttnn.to_memory_config(%x, MemoryConfig())
          %w_0: bf16[8,8] row_major dram = const(ref="w")
          %z: bf16[8,8] row_major dram = ttnn.to_memory_config(%w_0, MemoryConfig())
          %u: bf16[8,8] tile dram = ttnn.to_memory_config(%w, MemoryConfig())
          return "y"=%y, "z"=%z, "u"=%u
        }""",
    )


def test_a_value_read_in_both_layouts_is_converted_once():
    check(
        """graph {
          %x: bf16[8,8] tile dram = input(name="x")
          %m: bf16[8,8] tile dram = ttnn.to_memory_config(%x, MemoryConfig())
          %a: bf16[8,8] row_major dram = ttnn.to_layout(%m, ROW_MAJOR)
          %p: bf16[8,8] row_major dram = ttnn.to_memory_config(%a, MemoryConfig())
          %r: bf16[8,8] tile dram = ttnn.relu(%m)
          %b: bf16[8,8] row_major dram = ttnn.to_layout(%r, ROW_MAJOR)
          %q: bf16[8,8] row_major dram = ttnn.to_memory_config(%b, MemoryConfig())
          return "p"=%p, "q"=%q
        }""",
        """graph {
          %x: bf16[8,8] tile dram = input(name="x")
          %m: bf16[8,8] tile dram = ttnn.to_memory_config(%x, MemoryConfig())
          %a: bf16[8,8] row_major dram = ttnn.to_layout(%m, ROW_MAJOR)
          %p: bf16[8,8] row_major dram = ttnn.to_memory_config(%a, MemoryConfig())
          %r: bf16[8,8] row_major dram = ttnn.relu(%a)
          %q: bf16[8,8] row_major dram = ttnn.to_memory_config(%r, MemoryConfig())
          return "p"=%p, "q"=%q
        }""",
    )


LINES = """graph {{
  %x: bf16[2,3,32,64] tile dram = input(name="x")
  %s: bf16[{split}] tile dram = ttnn.reshape(%x, [{split}])
  %p: bf16[{turned}] tile dram = ttnn.permute(%s, [{dims}])
  return "y"=%p
}}"""


def test_lines_of_an_input_change_places_in_rows():
    """Splitting the height is a view in rows, whatever reads the permute's result."""
    text = LINES.format(split="2,3,4,8,64", turned="2,8,3,4,64", dims="0, 3, 1, 2, 4")
    after = chosen(text)
    assert after.count("row_major") == 3
    assert "to_layout" not in after
    tiled = text.replace('return "y"=%p', '%z: bf16[2,8,3,4,1] tile dram = ttnn.sum(%p, [4], true)\n  return "y"=%z')
    assert chosen(tiled).count("ttnn.to_layout") == 1


@pytest.mark.parametrize(
    "near",
    [
        {"split": "2,3,4,8,64", "turned": "3,2,4,8,64", "dims": "1, 0, 2, 3, 4"},  # lines stay in their planes
        {"split": "2,3,4,8,64", "turned": "2,3,4,64,8", "dims": "0, 1, 2, 4, 3"},  # elements of a line change places
        {"split": "2,3,64,32", "turned": "2,64,3,32", "dims": "0, 2, 1, 3"},  # the reshape cuts lines
    ],
)
def test_other_permutes_of_an_input_stay_in_tiles(near: dict[str, str]):
    assert "row_major" not in chosen(LINES.format(**near))


def test_lines_of_what_a_call_gives_stay_in_tiles():
    text = LINES.format(split="2,3,4,8,64", turned="2,8,3,4,64", dims="0, 3, 1, 2, 4")
    relu = "%r: bf16[2,3,32,64] tile dram = ttnn.relu(%x)\n  %s: "
    assert "row_major" not in chosen(text.replace("%s: ", relu, 1).replace("reshape(%x", "reshape(%r"))


def test_block_formats_stay_in_tiles():
    check(
        """graph {
          %x: bfp8[8,8] tile dram = input(name="x")
          %r: bfp8[8,8] tile dram = ttnn.relu(%x)
          %t: bf16[8,8] tile dram = ttnn.typecast(%r, bf16)
          %b: bf16[8,8] row_major dram = ttnn.to_layout(%t, ROW_MAJOR)
          %y: bf16[8,8] row_major dram = ttnn.to_memory_config(%b, MemoryConfig())
          return "y"=%y
        }""",
        """graph {
          %x: bfp8[8,8] tile dram = input(name="x")
          %r: bfp8[8,8] tile dram = ttnn.relu(%x)
          %t: bf16[8,8] tile dram = ttnn.typecast(%r, bf16)
          %b: bf16[8,8] row_major dram = ttnn.to_layout(%t, ROW_MAJOR)
          %y: bf16[8,8] row_major dram = ttnn.to_memory_config(%b, MemoryConfig())
          return "y"=%y
        }""",
    )


def test_a_move_to_other_memory_survives_the_conversion_it_came_with():
    check(
        """graph {
          %x: bf16[8,8] tile dram = input(name="x")
          %m: bf16[8,8] tile l1 = ttnn.to_memory_config(%x, MemoryConfig(buffer=L1))
          %a: bf16[8,8] row_major l1 = ttnn.to_layout(%m, ROW_MAJOR)
          %r: bf16[8,8] row_major l1 = ttnn.relu(%a)
          %y: bf16[8,8] tile dram = ttnn.to_layout(%r, TILE, memory_config=MemoryConfig())
          return "y"=%y
        }""",
        """graph {
          %x: bf16[8,8] tile dram = input(name="x")
          %m: bf16[8,8] tile l1 = ttnn.to_memory_config(%x, MemoryConfig(buffer=L1))
          %r: bf16[8,8] tile l1 = ttnn.relu(%m)
          %y: bf16[8,8] tile dram = ttnn.to_memory_config(%r, MemoryConfig())
          return "y"=%y
        }""",
    )


def random_program(seed: int) -> Graph:
    """Flexible and fixed calls on random operands, converted greedily as lowering rules do."""
    dice = random.Random(seed)
    builder = Builder()
    values: list[Value] = [builder(Input(Spec(DType.bf16, (size, 40)), f"x{size}")) for size in (3, 40)]
    values.append(builder(Const(Spec(DType.bf16, (3, 40)), "w")))

    def operand(layout: Layout, like: Value | None = None) -> Value:
        value = dice.choice([v for v in values if like is None or v.shape == like.shape])
        return value if value.type.layout is layout else builder(ToLayout(value, layout))

    for _ in range(9):
        layout, kind = dice.choice((TILE, ROWS)), dice.randrange(4)
        a = operand(layout)
        if kind == 0:
            values.append(builder(ToMemoryConfig(a, dice.choice((DRAM, L1)))))
        elif kind == 1:
            values.append(builder(Relu(a)))
        else:
            values.append(builder(Add(a, operand(layout, a))))
    return builder.finish((f"y{i}", value) for i, value in enumerate(values[-3:]))


def conversions(graph: Graph) -> tuple[int, int]:
    """How many there are, and the bytes they read and write."""
    made = [node for node in graph.nodes if isinstance(node.op, ToLayout)]
    return len(made), sum(node.op.tensor.type.stored_bytes + node.results[0].type.stored_bytes for node in made)


def fewest(graph: Graph) -> tuple[int, int]:
    """The least over every assignment of layouts, counted independently of the pass."""
    source: dict[Value, Value] = {}
    for node in graph.nodes:
        for value in node.results:
            source[value] = source[node.op.tensor] if isinstance(node.op, ToLayout) else value
    free = [n for n in graph.nodes if isinstance(n.op, (Input, Relu, Add))]
    best = (1 << 60, 0)
    for layouts in product((TILE, ROWS), repeat=len(free)):
        at = dict(zip((node.results[0] for node in free), layouts, strict=True))
        wanted = set()
        for node in graph.nodes:
            if isinstance(node.op, (ToLayout, Const, Input)):
                continue
            for value in node.op.operands():
                layout = at.get(node.results[0], value.type.layout)
                before = source[value]
                if not isinstance(before.op, Const) and at.get(before, before.type.layout) is not layout:
                    wanted.add(before)
        size = sum(
            Spec(v.dtype, v.shape, TILE).stored_bytes + Spec(v.dtype, v.shape, ROWS).stored_bytes for v in wanted
        )
        best = min(best, (len(wanted), size))
    return best


@pytest.mark.parametrize("seed", range(60))
def test_fewest_conversions_of_all_assignments(seed: int):
    before = random_program(seed)
    after = verify(choose_layouts(before, N150))
    assert conversions(after) == fewest(before)
    assert choose_layouts(after, N150) is after
    assert str(choose_layouts(random_program(seed), N150)) == str(after)


def test_long_programs_take_little_time():
    builder = Builder()
    x = builder(Input(Spec(DType.bf16, (64, 64)), "x"))
    for step in range(2500):
        y = builder(Relu(x))
        if step % 5 == 0:
            y = builder(ToLayout(builder(ToMemoryConfig(builder(ToLayout(y, ROWS)), DRAM)), TILE))
        x = builder(Add(x, y))
        if step % 5 == 2:
            x = builder(ToMemoryConfig(x, DRAM))
    graph = builder.finish({"y": x})
    start = time.process_time()
    after = choose_layouts(graph, N150)
    assert time.process_time() - start < 10
    assert conversions(after)[0] == 999


def pooled(shape: str, other: str, dtype: str = "bf16") -> Graph:
    return parse_program(f"""graph {{
      %x: {dtype}[{shape}] tile dram = input(name="x")
      %a: {dtype}[{shape}] tile dram = ttnn.softmax(%x, 2)
      %b: {dtype}[{other}] tile dram = ttnn.reshape(%a, [{other}])
      %y: {dtype}[{other}] tile dram = ttnn.softmax(%b, 2)
      return "y"=%y
    }}""")


def test_a_large_reshape_of_rows_that_fill_no_tiles_goes_through_rows():
    after = choose_layouts(pooled("1,784,2048", "16,49,2048"), N150)
    (reshape,) = [node.op for node in after.nodes if isinstance(node.op, Reshape)]
    assert reshape.is_view
    assert choose_layouts(after, N150) is after
    assert str(after).count("ttnn.to_layout") == 2
    (report,) = check_many([print_graph(after)], N150)
    assert report.ok, report


@pytest.mark.parametrize(
    ("shape", "other", "dtype"),
    [
        ("1,98,2048", "2,49,2048", "bf16"),  # a few rows: two conversions take longer
        ("1,1024,2048", "16,64,2048", "bf16"),  # a view in tiles
        ("1,784,2048", "16,98,1024", "bf16"),  # no view in rows either
        ("1,784,2048", "16,49,2048", "bfp8"),  # exists in tiles only
    ],
)
def test_other_reshapes_stay_in_tiles(shape: str, other: str, dtype: str):
    graph = pooled(shape, other, dtype)
    assert choose_layouts(graph, N150) is graph
