from ttc.ir import Graph
from ttc.runtime.run.plan import plan
from ttc.runtime.run.program import parse_program

TEXT = """graph {
  %x: bf16[32,32] tile dram = input(name="x")
  %unused: bf16[32,32] tile dram = input(name="unused")
  %w: bf16[32,32] tile dram = const(ref="w")
  %r: bf16[32,32] row_major dram = ttnn.to_layout(%w, ROW_MAJOR)
  %t: bf16[32,32] tile dram = ttnn.to_layout(%r, TILE)
  ttnn.deallocate(%r)
  %l: bf16[32,32] tile l1 = ttnn.to_memory_config(%t, MemoryConfig(buffer=L1))
  %a: bf16[32,32] tile dram = ttnn.matmul(%x, %t)
  ttnn.deallocate(%x)
  %b: bf16[32,32] tile dram = ttnn.matmul(%a, %l, memory_config=MemoryConfig())
  ttnn.deallocate(%t)
  ttnn.deallocate(%a)
  ttnn.deallocate(%l)
  return "y"=%b, "t"=%t
}
"""


def names(values) -> list[str]:
    return [value.name for value in values]


def program() -> Graph:
    return parse_program(TEXT)


def test_what_depends_on_constants_alone_is_done_once():
    found = plan(program())
    assert names(found.constants) == ["w"]
    assert [names(step.results) for step in found.setup] == [["r"], ["t"]]


def test_what_lies_in_l1_is_made_anew_in_every_run():
    assert names(plan(program()).steps[0].results) == ["l"]


def test_only_what_calls_read_is_uploaded():
    assert [name for name, _ in plan(program()).inputs] == ["x"]


def test_deallocations_of_what_is_kept_and_of_inputs_are_left_out():
    mnemonics = [step.call.mnemonic.removeprefix("ttnn.") for step in plan(program()).steps]
    assert mnemonics == ["to_memory_config", "matmul", "matmul", "deallocate", "deallocate"]


def test_everything_is_released_after_its_last_use_but_outputs_and_what_is_kept():
    found = plan(program())
    assert [names(step.releases) for step in found.setup] == [["w"], ["r"]]
    assert [names(step.releases) for step in found.steps] == [[], ["x"], [], ["a"], ["l"]]


def test_steps_know_their_node():
    graph = program()
    assert all(graph.nodes[step.index].op is step.call for step in plan(graph).steps)


def test_a_result_that_nobody_reads_is_released_at_once():
    graph = parse_program(TEXT.replace('"y"=%b, ', ""))
    assert names(plan(graph).steps[2].releases) == ["b"]
