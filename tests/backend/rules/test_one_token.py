"""One token of one sequence: heads on one core, from the row that they are cut from to the row of all of them."""

from __future__ import annotations

import pytest
import torch

from tests.backend.rules.stepping import random_inputs, stepped
from tests.cards import EACH_CARD
from tests.passes.check import retyped
from tests.samples.states import ONE_TOKEN
from ttc.calls.target import TARGETS
from ttc.pipeline import Options
from ttc.validation.accuracy import pcc

CREATE = "ttnn.experimental.nlp_create_qkv_heads_decode"
CONCAT = "ttnn.experimental.nlp_concat_heads_decode"
SPLIT = "ttnn.transformer.split_query_key_value_and_split_heads"
TURN = "is_decode_mode=true"

STEP = "\n".join(ONE_TOKEN.splitlines()[1:-1])


def text_of(*changes: tuple[str, str], target: str = "n150", dtype: str = "bf16") -> str:
    """The program of the changed step, which the real library takes; two tokens of it give the numbers of the ops."""
    text = STEP
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    graph = retyped(text)
    inputs = random_inputs(graph)
    steps = [{**inputs, "qkv": inputs["qkv"] * place / 17, "start": torch.tensor([place])} for place in (3, 17)]
    program, pairs = stepped(graph, Options(TARGETS[target], dtype), steps)
    assert all(pcc(found.numpy(), wanted.numpy()) > 0.999 for found, wanted in pairs)
    return program


@pytest.mark.parametrize("target", EACH_CARD)
def test_heads_stay_on_one_core(target: str):
    text = text_of(target=target)
    assert (text.count(CREATE), text.count(TURN), text.count(CONCAT)) == (1, 2, 1)
    assert SPLIT not in text
    assert "ttnn.permute" not in text
    assert text.count("paged_update_cache(") == 2


def test_queries_and_keys_that_are_not_turned():
    text = text_of(("q=%qr", "q=%q"), ("a=%kr", "a=%k"))
    assert (text.count(CREATE), text.count(TURN), text.count(CONCAT)) == (1, 0, 1)


NEAR = {
    "turned by pairs": [("sin=%sin)", "sin=%sin, pairs=true)")],
    "an angle for each head": [("f32[1,1,1,64]", "f32[1,2,1,64]"), ("q=%qr", "q=%q"),
     ("%qr: f32[1,4,1,64] = rotary(x=%q, cos=%cos, sin=%sin)\n", "")],
    "keys of another row": [("a=%kr", "a=%other"), ("%line:", "%o: f32[1,2,1,64] = input(name=\"o\")\n"
     "%other: f32[1,2,1,64] = rotary(x=%o, cos=%cos, sin=%sin)\n%line:")],
    "values that are not written": [("v=%values", "v=%v0")],
    "columns in another order": [("starts=[0, 0, 256], ends=[1, 1, 384]", "starts=[0, 0, 384], ends=[1, 1, 512]"),
     ("%v1: f32[1,1,128] = slice(x=%qkv, starts=[0, 0, 384], ends=[1, 1, 512])",
      "%v1: f32[1,1,128] = slice(x=%qkv, starts=[0, 0, 256], ends=[1, 1, 384])")],
    "causality": [("scale=0.125", "scale=0.125, causal=true")],
}  # fmt: skip


@pytest.mark.parametrize("changes", NEAR.values(), ids=NEAR)
def test_what_is_cut_as_for_many_tokens(changes: list[tuple[str, str]]):
    assert CREATE not in text_of(*changes)


def test_fp32_has_no_call_for_one_query():
    assert CREATE not in text_of(dtype="fp32")


def test_two_sequences_are_cut_as_for_many_tokens():
    pairs = [
        ("[1,2,64,64]", "[2,2,64,64]"),
        ("f32[1,1,512] = input", "f32[2,1,512] = input"),
        ("ends=[1,", "ends=[2,"),
        ("shape=[1, 4", "shape=[2, 4"),
        ("shape=[1, 2", "shape=[2, 2"),
        ("shape=[1, 1, 256]", "shape=[2, 1, 256]"),
    ]
    assert CREATE not in text_of(*pairs)
