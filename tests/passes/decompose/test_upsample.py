"""Linear upsampling of signals by blocks: the same numbers, and no matrix that grows with the square of the length."""

from __future__ import annotations

import pytest

from tests.passes.check import agree, body, graph_of, near_miss
from ttc.passes.decompose.decompose import decompose
from ttc.passes.runner import run

SIGNAL = """
    %x: f32[2,3,{size}] = input(name="x")
    %y: f32[2,3,{long}] = upsample(x=%x, scales=[{scale}], mode="linear")
    return "y"=%y
"""


def signal(size: int, scale: int) -> str:
    return SIGNAL.format(size=size, scale=scale, long=size * scale)


@pytest.mark.parametrize("scale", [32, 33, 300])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_each_element_becomes_a_block(size: int, scale: int):
    """Even scales have no element in the middle of a block, odd ones have; both edges are held."""
    before = graph_of(signal(size, scale))
    after = run((decompose,), before, twice=True)
    assert "upsample" not in body(after)
    agree(before, after)


@pytest.mark.parametrize(
    ("old", "new"), [("scales=[32]", "scales=[31]"), (', mode="linear"', ""), ('mode="linear"', 'mode="nearest"')]
)
def test_small_scales_and_repetition_stay(old: str, new: str):
    near_miss(signal(7, 32), old, new, "concat", decompose)


def test_images_stay():
    text = """
        %x: f32[1,2,3,3] = input(name="x")
        %y: f32[1,2,96,96] = upsample(x=%x, scales=[32, 32], mode="linear")
        return "y"=%y
    """
    assert "upsample" in body(run((decompose,), graph_of(text), twice=True))


def test_no_table_follows_the_length():
    """A matrix of 1,000 by 300,000 would be refused; the weights of one block are 300 each."""
    after = run((decompose,), graph_of(signal(1000, 300)), twice=True)
    assert max(value.type.numel for value in after.values() if value.op.mnemonic in ("literal", "const")) == 300
