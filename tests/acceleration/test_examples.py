"""Models of transformers whose modules run on the device give what the same models give when compiled whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

import ttc
from tests.acceleration.models import EXAMPLES, built
from ttc.validation.accuracy import pcc

LEAST = 0.999


def floats(output: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(output) if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def agree(found: Any, wanted: Any) -> None:
    assert type(found) is type(wanted)
    pairs = list(zip(floats(found), floats(wanted), strict=True))
    assert pairs
    for one, other in pairs:
        assert one.std() > 1e-3, "numbers that hardly vary show nothing"
        assert pcc(one.numpy(), other.numpy()) >= LEAST


@pytest.mark.parametrize("name", EXAMPLES)
def test_modules_give_what_the_whole_gives(name: str):
    model, call = built(name)
    with torch.no_grad():
        whole = ttc.compile(model, kwargs=call)(**call)
        agree(whole, model(**call))
        with ttc.accelerate(model, set(EXAMPLES[name].replace), device="emulator") as acceleration:
            agree(model(**call), whole)
    names = {kind if isinstance(kind, str) else kind.__name__ for kind in EXAMPLES[name].replace}
    ran = {row[1] for row in acceleration.tables["modules"].rows if row[2] == "device"}
    assert ran
    assert ran <= names
    assert not acceleration.tables["in_torch"].rows


def test_by_default_a_model_is_taken_whole():
    model, call = built("resnet")
    with torch.no_grad(), ttc.accelerate(model, device="emulator") as acceleration:
        found = model(**call)
        torch.testing.assert_close(found.logits, ttc.compile(model, kwargs=call)(**call).logits)
    assert {row[0] for row in acceleration.tables["modules"].rows} == {""}


def test_generation_takes_the_largest_that_take_no_cache():
    model, _ = built("llama")
    prompt = torch.tensor([[5, 6, 7, 8, 9]])
    how: dict[str, Any] = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    wanted = model.generate(prompt, **how)
    with ttc.accelerate(model, device="emulator", dtype="fp32") as acceleration:
        torch.testing.assert_close(model.generate(prompt, **how), wanted)
    split = {row[0]: row[3] for row in acceleration.tables["in_torch"].rows}
    assert set(split) == {"", "model", "model.layers.0", "model.layers.0.self_attn"}
    assert all("past_key_values is of the class DynamicCache" in reason for reason in split.values())
    ran = {row[0]: row[3] for row in acceleration.tables["modules"].rows if row[2] == "device"}
    assert ran["model.layers.0.mlp"] == ran["model.layers.0.self_attn.q_proj"] == 4
    compiled = {row[3] for row in acceleration.tables["modules"].rows if row[2] == "compile"}
    assert compiled <= {1, 2}, "one program for the prompt, one for a token"


@torch.no_grad()
def test_a_cache_that_the_device_makes_is_one_to_go_on_with():
    model, call = built("llama")
    ids, more = call["input_ids"], torch.tensor([[3], [4]])
    wanted = model(ids)
    after = model(more, past_key_values=wanted.past_key_values)
    with ttc.accelerate(model, device="emulator", dtype="fp32") as acceleration:
        found = model(ids)
        assert {row[0] for row in acceleration.tables["modules"].rows} == {""}
    assert type(found.past_key_values) is type(wanted.past_key_values)
    torch.testing.assert_close(found.logits, wanted.logits, rtol=1e-3, atol=1e-3)
    logits = model(more, past_key_values=found.past_key_values).logits
    torch.testing.assert_close(logits, after.logits, rtol=1e-3, atol=1e-3)
