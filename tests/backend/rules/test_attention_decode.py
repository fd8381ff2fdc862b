"""Attention of one query becomes TTNN's call for it, where the call takes it."""

from __future__ import annotations

import pytest

from tests.mock_cards import check
from ttc.calls.target import TARGETS
from ttc.ir.text import parse_graph
from ttc.pipeline import Options, compile_graph

DECODE = "ttnn.transformer.scaled_dot_product_attention_decode"


def calls(q: str, k: str, rest: str = "", dtype: str = "bf16") -> list[str]:
    program = compile_graph(parse_graph(text(q, k, rest)), Options(TARGETS["n150"], dtype)).program
    assert check(program).ok
    return [node.op.mnemonic for node in program.graph.nodes]


def text(q: str, k: str, rest: str) -> str:
    mask = '  %m: bool[1,1,1,64] = input(name="m")\n' if "mask" in rest else ""
    return f"""graph {{
  %q: f32[{q}] = input(name="q")
  %k: f32[{k}] = input(name="k")
{mask}  %y: f32[{q}] = attention(q=%q, k=%k, v=%k{rest})
  return "y"=%y
}}
"""


@pytest.mark.parametrize(("q", "k"), [("1,4,1,32", "1,2,64,32"), ("3,2,1,64", "3,2,32,64"), ("1,64,1,32", "1,2,64,32")])
def test_one_query_over_whole_tiles_of_keys(q: str, k: str):
    assert DECODE in calls(q, k)


def test_queries_are_turned_and_not_reshaped():
    """Of one query both are the same; TTNN reshapes rows of tiles with a program that takes three times as long."""
    found = calls("3,2,1,64", "3,2,32,64")
    before = found[: found.index(DECODE)]
    assert before.count("ttnn.permute") == 1
    assert before.count("ttnn.reshape") == 1  # of the outer dimensions, a view


def test_a_mask_is_spread_over_the_heads_by_one_sum():
    found = calls("1,4,1,32", "1,2,64,32", ", mask=%m")
    assert DECODE in found
    assert found.count("ttnn.add") == 1
    assert "ttnn.expand" not in found


NEAR = [
    ("1,4,2,32", "1,2,64,32", "", "bf16"),  # two queries
    ("1,4,1,32", "1,2,65,32", "", "bf16"),  # keys that end inside a tile
    ("1,4,1,40", "1,2,64,40", "", "bf16"),  # a head that ends inside a tile
    ("1,66,1,32", "1,2,64,32", "", "bf16"),  # three rows of tiles of heads
    ("1,4,1,32", "1,2,64,32", ", causal=true", "bf16"),  # the first key alone
    ("1,4,1,32", "1,2,64,32", "", "fp32"),
    ("65,1,1,32", "65,1,32,32", "", "bf16"),  # more sequences than cores
]


@pytest.mark.parametrize(("q", "k", "rest", "dtype"), NEAR)
def test_what_the_call_does_not_take(q: str, k: str, rest: str, dtype: str):
    assert DECODE not in calls(q, k, rest, dtype)
