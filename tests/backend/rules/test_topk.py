"""The largest elements that TTNN searches for in one core's L1, and one tile of them more."""

from __future__ import annotations

import pytest

from tests.mock_cards import check
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.ir.text import parse_graph
from ttc.pipeline import Build, Options, compile_graph

FITTING = {
    ("n150", "fp32", 2048): 54,
    ("p150", "fp32", 2048): 57,
    ("n150", "bf16", 4096): 111,
    ("n150", "bf16", 70000): 59,
}
"""The most tiles of results by card, dtype and size: indices are u16, or u32 of more than 65,536 elements."""


def compiled(count: int, size: int, card: str, dtype: str) -> Build:
    text = f"""graph {{
      %x: f32[1,{size}] = input(name="x")
      %v: f32[1,{count}], %i: i64[1,{count}] = topk(x=%x, k={count}, dim=1)
      return "v"=%v
    }}"""
    return compile_graph(parse_graph(text), Options(TARGETS[card], dtype))


@pytest.mark.parametrize(("card", "dtype", "size"), FITTING)
def test_as_many_as_one_core_holds(card: str, dtype: str, size: int):
    tiles = FITTING[card, dtype, size]
    assert check(compiled(32 * tiles, size, card, dtype).program).ok
    with pytest.raises(
        Refused, match=rf"the {32 * tiles + 1} largest of f32\[1,{size}\] take .* bytes of one core's L1"
    ):
        compiled(32 * tiles + 1, size, card, dtype)
