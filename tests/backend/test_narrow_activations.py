"""Activations in bfp8: text before and after, near misses, numbers, and the real library's word."""

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from tests.mock_cards import check, check_many
from ttc.backend.narrow_activations import narrow_activations
from ttc.calls.pool import AvgPool2d
from ttc.calls.target import TARGETS
from ttc.errors import InputError
from ttc.ir import DType, Graph, print_graph, verify
from ttc.runtime.run.program import parse_program
from ttc.validation.accuracy import pcc

N150 = TARGETS["n150"]

CHAIN = """graph {
  %x: bf16[1,1,64,64] tile dram = input(name="x")
  %w: bfp8[64,64] tile dram = const(ref="w")
  %a: bf16[1,1,64,64] tile dram = ttnn.linear(%x, %w, compute_kernel_config=ComputeKernelConfig(math_fidelity=HiFi2), core_grid=CoreGrid(y=2, x=2))
  %b: bf16[1,1,64,64] tile dram = ttnn.relu(%a)
  %c: bf16[1,1,64,64] tile dram = ttnn.add(%a, %b)
  %y: bf16[1,1,64,64] tile dram = ttnn.linear(%c, %w, compute_kernel_config=ComputeKernelConfig(math_fidelity=HiFi2), core_grid=CoreGrid(y=2, x=2))
  return "y"=%y
}
"""  # noqa: E501


def narrowed(text: str) -> dict[str, str]:
    """The dtype of each value that the program computes, by name; the real library takes the program."""
    after = verify(narrow_activations(parse_program(text), N150, DType.bfp8))
    (report,) = check_many([print_graph(after)], N150)
    assert report.ok, report
    return dtypes(after)


def dtypes(graph: Graph) -> dict[str, str]:
    return {value.name: str(value.dtype) for node in graph.nodes for value in node.results}


def test_products_sums_and_functions_hand_on_blocks():
    found = narrowed(CHAIN)
    assert [found[name] for name in "abcy"] == ["bfp8", "bfp8", "bfp8", "bf16"]


@pytest.mark.parametrize(
    ("old", "new", "wide"),
    [
        ("ttnn.relu(%a)", "ttnn.softmax(%a, 3)", "ab"),  # reads bf16, and writes it
        ('"y"=%y', '"y"=%y, "a"=%a', "ab"),  # leaves the program
        ('"y"=%y', '"y"=%y, "b"=%b', "ab"),  # and so does what has its operand's dtype
        ("ttnn.add(%a, %b)", "ttnn.add(%a, 1.0)", "ac"),  # one tensor
        ("ttnn.add(%a, %b)", "ttnn.subtract(%a, %b)", "abc"),  # states no dtype
        ("ttnn.linear(%c, %w,", "ttnn.linear(%x, %c,", "c"),  # the right side of a product
    ],
)
def test_what_another_call_reads_stays(old: str, new: str, wide: str):
    found = narrowed(CHAIN.replace(old, new))
    assert {name for name in "abc" if found.get(name) == "bf16"} == set(wide)


def test_right_sides_stay_where_the_same_value_is_the_left_one():
    graph = parse_program(CHAIN.replace("ttnn.linear(%c, %w,", "ttnn.linear(%c, %c,"))
    assert dtypes(narrow_activations(graph, N150, DType.bfp8))["c"] == "bf16"


def test_fp32_values_stay():
    found = narrowed(CHAIN.replace("bf16", "f32").replace("bfp8", "f32").replace("HiFi2", "HiFi3"))
    assert {found[name] for name in "abcy"} == {"f32"}


def test_the_fidelity_follows_what_is_stored_but_not_a_stated_one():
    plain = CHAIN.replace("bfp8", "bf16").replace("math_fidelity=HiFi2", "")
    after = print_graph(narrow_activations(parse_program(plain), N150, DType.bfp8))
    assert [line.count("HiFi2") for line in after.splitlines() if "linear" in line] == [0, 1]
    stated = CHAIN.replace("bfp8", "bf16").replace("HiFi2", "LoFi")
    after = print_graph(narrow_activations(parse_program(stated), N150, DType.bfp8))
    assert (after.count("LoFi"), after.count("HiFi2")) == (2, 0)


class Block(nn.Module):
    """The beginning of a residual network: a pool, two convolutions and a sum."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x):
        x = self.pool(self.first(x).relu())
        return (x + self.second(x)).relu().mean((2, 3))


def test_an_average_reads_bfp8_and_hands_on_bf16():
    net = nn.Sequential(
        nn.Conv2d(32, 32, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 32)
    ).eval()
    compiled = ttc.compile(net, torch.zeros(4, 32, 7, 7), activations="bfp8")
    (line,) = (line for line in str(compiled.build.program.graph).splitlines() if "ttnn.avg_pool2d" in line)
    assert "bf16[1,1,4,32]" in line
    (given,) = (node.op for node in compiled.build.program.graph.nodes if isinstance(node.op, AvgPool2d))
    assert given.input_tensor.dtype is DType.bfp8


@pytest.mark.parametrize("target", ["n150", "p150"])
@pytest.mark.parametrize("dtype", ["bf16", "bfp8"])
def test_a_network_is_taken_and_as_exact_as_its_format(dtype: str, target: str):
    torch.manual_seed(0)
    block, x = Block().eval(), torch.randn(1, 32, 32, 32)
    compiled = ttc.compile(block, x, dtype=dtype, activations="bfp8", target=target)
    text = str(compiled.build.program.graph)
    assert all("bfp8[1," in line for line in text.splitlines() if "ttnn.max_pool2d" in line or "ttnn.conv2d" in line)
    report = check(compiled.build.program)
    assert report.ok, report
    with torch.no_grad():
        wanted = block(x).numpy()
    (found,) = compiled.run(x.numpy(), "emulator").values()
    (wide,) = ttc.compile(block, x, dtype=dtype, target=target).run(x.numpy(), "emulator").values()
    assert pcc(found, wanted) > 0.999
    assert not np.array_equal(found, wide)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"activations": "bfp4"}, "activations can be in bfp8, not in 'bfp4'"),
        ({"activations": 8}, "activations can be in bfp8, not in 8"),
        ({"activations": "bfp8", "dtype": "fp32"}, "of which a program in fp32 has none"),
    ],
)
def test_bad_words_are_refused(how: dict, words: str):
    with pytest.raises(InputError, match=words):
        ttc.compile(nn.Linear(32, 32), torch.zeros(1, 32), **how)
