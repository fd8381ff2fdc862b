"""Dense experts in a report: what all of them cost, and what those chosen alone would."""

from __future__ import annotations

import pytest

from ttc.analysis.experts import DenseExperts
from ttc.analysis.report import report
from ttc.calls.target import TARGETS
from ttc.runtime.run.program import parse_program

LAYER = """graph {
  %s: bf16[40,8] tile dram = input(name="s")
  %x: bf16[8,40,64] tile dram = input(name="x")
  %w: bf16[8,64,96] tile dram = const(ref="up")
  %v: bf16[8,96,64] tile dram = const(ref="down")
  %g: bf16[40,4] tile dram, %gi: u16[40,4] tile dram = ttnn.topk(%s, 4, 1, stable=true)
  %t: bf16[40,2] tile dram, %i: u16[40,2] tile dram = ttnn.topk(%s, 2, 1, stable=true)
  %h: bf16[8,40,96] tile dram = ttnn.matmul(%x, %w)
  %r: bf16[8,40,96] tile dram = ttnn.silu(%h)
  %y: bf16[8,40,64] tile dram = ttnn.matmul(%r, %v)
  return "g"=%g, "gi"=%gi, "t"=%t, "i"=%i, "y"=%y
}
"""


def layers(*changes: tuple[str, str]) -> tuple[DenseExperts, ...]:
    text = LAYER
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return report(parse_program(text), TARGETS["n150"]).dense_experts


def test_a_layer_by_hand():
    (layer,) = layers()
    weights = 8 * (64 * 96 + 96 * 64) * 2
    assert (layer.experts, layer.chosen, layer.tokens) == (8, 2, 40)
    assert (layer.weight_bytes, layer.chosen_weight_bytes) == (weights, weights)  # 40 tokens may choose all of them
    assert layer.flops == 2 * 8 * 64 * 64 * 96 * 2  # rows of whole tiles
    assert layer.chosen_flops == layer.flops // 4
    assert layer.predicted_seconds > 0


def test_one_token_chooses_few_experts():
    (layer,) = layers(("40,", "1,"))
    assert layer.chosen_weight_bytes * 4 == layer.weight_bytes


def test_a_report_says_so():
    found = report(parse_program(LAYER), TARGETS["n150"])
    assert "%h: all 8 experts on 40 tokens, 2 chosen for each; a layer 0.01 GFLOP and 0.2 MB of weights" in str(found)
    (layer,) = found.to_dict()["dense_experts"]
    assert (layer["experts"], layer["chosen_flops"] * 4) == (8, layer["flops"])
    other = LAYER.replace("[40,8] tile dram = input", "[40,16] tile dram = input")
    assert "experts" not in str(report(parse_program(other), TARGETS["n150"]))


@pytest.mark.parametrize(
    "changes",
    [
        [("[8,64,96] tile dram = const(ref=\"up\")", "[8,64,96] tile dram = input(name=\"up\")"),
         ("[8,96,64] tile dram = const(ref=\"down\")", "[8,96,64] tile dram = input(name=\"down\")")],  # gathered
        [("[40,8] tile dram = input", "[40,16] tile dram = input")],  # a choice of other things
        [("8,", "1,"), ("40,8]", "40,32]")],  # one matrix
    ],
)  # fmt: skip
def test_what_is_no_layer_of_experts(changes: list[tuple[str, str]]):
    assert not layers(*changes)


def test_of_several_choices_the_last_before_the_products_is_the_routers():
    text = LAYER.replace("%s, 2, 1", "%s, 5, 1").replace("[40,2]", "[40,5]")
    (layer,) = report(parse_program(text), TARGETS["n150"]).dense_experts
    assert layer.chosen == 5
