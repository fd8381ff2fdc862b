"""The order of calls: program text before and after, near misses, and what is saved."""

import pytest

from ttc.backend.plan.delay_calls import delay_calls
from ttc.calls.target import TARGETS
from ttc.ir import Graph, verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]

TWO_STREAMS = """graph {
  %x: bf16[2048,1024] tile dram = input(name="x")
  %t: bf16[32,1024] tile dram = input(name="t")
  %w: bf16[1024,1024] tile dram = const(ref="w")
  %n: bf16[2048,1024] tile dram = ttnn.layer_norm(%x)
  %u: bf16[32,1024] tile dram = ttnn.layer_norm(%t)
  %v: bf16[32,1024] tile dram = ttnn.linear(%u, %w)
  %y: bf16[2048,1024] tile dram = ttnn.linear(%n, %w)
  %z: bf16[2048,1024] tile dram = ttnn.add(%x, %y)
  return "z"=%z, "v"=%v
}"""


def order(graph: Graph) -> list[str]:
    return [node.results[0].name for node in graph.nodes if node.op.mnemonic.startswith("ttnn.")]


def test_a_call_of_one_stream_waits_for_the_calls_of_the_other():
    graph = parse_program(TWO_STREAMS)
    after = verify(delay_calls(graph, N150))
    assert (order(graph), order(after)) == (["n", "u", "v", "y", "z"], ["u", "v", "n", "y", "z"])
    assert delay_calls(after, N150) is after


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("ttnn.add(%x, %y)", "ttnn.add(%y, 1.0)", "the operand, as large as the result, would live for the call alone"),
        ('"v"=%v', '"v"=%v, "n"=%n', "an output lives to the end"),
        ("2048,", "64,", "the result is small"),
        ("ttnn.linear(%n, %w)", "ttnn.linear(%x, %w)", "no call reads the result"),
    ],
)
def test_near_misses(old: str, new: str, why: str):
    graph = parse_program(TWO_STREAMS.replace(old, new))
    assert delay_calls(graph, N150) is graph, why


def test_a_view_goes_with_the_call_whose_result_is_viewed():
    text = TWO_STREAMS.replace(
        "  %u:", "  %r: bf16[1,2048,1024] tile dram = ttnn.reshape(%n, [1, 2048, 1024])\n  %u:"
    ).replace("ttnn.linear(%n, %w)", "ttnn.linear(%r, %w)")
    text = text.replace("%y: bf16[2048,", "%y: bf16[1,2048,").replace("%z: bf16[2048,", "%z: bf16[1,2048,")
    assert order(verify(delay_calls(parse_program(text), N150))) == ["u", "v", "n", "r", "y", "z"]


GROWN = """graph {
  %x: bf16[2048,1024] tile dram = input(name="x")
  %s: bf16[2048,512] tile dram = input(name="s")
  %t: bf16[32,1024] tile dram = input(name="t")
  %w: bf16[1024,1024] tile dram = const(ref="w")
  %a: bf16[512,1024] tile dram = const(ref="a")
  %m: bf16[2048,512] tile dram = ttnn.relu(%s)
  %n: bf16[2048,1024] tile dram = ttnn.linear(%m, %a)
  %o: bf16[2048,512] tile dram = ttnn.add(%m, 1.0)
  %u: bf16[32,1024] tile dram = ttnn.layer_norm(%t)
  %y: bf16[2048,1024] tile dram = ttnn.add(%x, %n)
  return "y"=%y, "u"=%u, "o"=%o
}"""


def test_operands_that_live_on_for_a_call_may_be_smaller_than_the_result():
    assert order(verify(delay_calls(parse_program(GROWN), N150))) == ["m", "o", "u", "n", "y"]
    wide = GROWN.replace("[2048,512]", "[2048,1024]").replace("[512,1024]", "[1024,1024]")
    assert delay_calls(graph := parse_program(wide), N150) is graph
    both = parse_program(wide.replace("ttnn.add(%x, %n)", "ttnn.add(%m, %n)"))  # the operand lives as long anyway
    assert order(verify(delay_calls(both, N150))) == ["m", "o", "u", "n", "y"]


def test_a_call_stays_before_what_overwrites_the_operand():
    graph = verify(parse_program(GROWN.replace("ttnn.add(%m, 1.0)", "ttnn.add(%m, 1.0, output_tensor=%m)")))
    assert delay_calls(graph, N150) is graph


@pytest.mark.parametrize(("reader", "moved"), [("v", True), ("z", False)])
def test_no_call_comes_where_another_value_is_in_l1(reader: str, moved: bool):
    """The value is read before the call's new place, or behind."""
    held = "  %h: bf16[2048,1024] tile l1 = ttnn.relu(%x, memory_config=MemoryConfig(buffer=L1))\n  %u:"
    read = f"  %e: bf16[2048,1024] tile dram = ttnn.relu(%h, memory_config=MemoryConfig())\n  %{reader}:"
    text = TWO_STREAMS.replace("  %u:", held).replace(f"  %{reader}:", read).replace('"v"=%v', '"v"=%v, "e"=%e')
    graph = verify(parse_program(text))
    assert (order(graph).index("n") < order(delay_calls(graph, N150)).index("n")) is moved


def test_no_call_comes_right_before_the_last_reader_of_a_value_in_l1():
    held = "  %h: bf16[2048,1024] tile l1 = ttnn.relu(%x, memory_config=MemoryConfig(buffer=L1))\n  %u:"
    text = GROWN.replace("  %u:", held).replace("ttnn.add(%x, %n)", "ttnn.add(%h, %n, memory_config=MemoryConfig())")
    graph = verify(parse_program(text))
    assert delay_calls(graph, N150) is graph


def test_two_results_that_wait_for_one_call_stay_as_they_are():
    text = TWO_STREAMS.replace("  %u:", "  %m: bf16[2048,1024] tile dram = ttnn.relu(%x)\n  %u:").replace(
        "ttnn.linear(%n, %w)", "ttnn.add(%n, %m)"
    )
    after = verify(delay_calls(parse_program(text), N150))
    assert order(after) == ["u", "v", "n", "m", "y", "z"]
    assert delay_calls(after, N150) is after
