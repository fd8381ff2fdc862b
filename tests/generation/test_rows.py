"""A prompt's keys and values are written as whole tiles: no other row of a cache is touched, and tokens stay right."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

import ttc.generation
from tests.cards import swept
from tests.generation.models import VOCABULARY, causal
from tests.mock_cards import assert_accepted
from ttc.analysis.cost import traffic
from ttc.calls.target import target_named
from ttc.compiled.chain import Chain
from ttc.errors import InputError
from ttc.generation.rows import by_tiles

CAPACITY, BATCH, NEW = 96, 2, 6
GREEDY = {"max_new_tokens": NEW, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
FILL = "paged_fill_cache("


@cache
def compiled() -> tuple[Any, Any]:
    """Return a model, and the model compiled for two sequences, in fp32; 64 tokens do not fit behind row 32."""
    model = causal("llama")
    how = {"capacity": CAPACITY, "batch": BATCH, "tokens": (64,), "dtype": "fp32"}
    return model, ttc.generation.compile(model, **how, device="emulator")


def prompt(length: int, padding: int = 3) -> dict[str, torch.Tensor]:
    ids = torch.randint(1, VOCABULARY, (BATCH, length), generator=torch.Generator().manual_seed(length))
    mask = torch.ones_like(ids)
    mask[0, :padding] = 0
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.parametrize("length", [5, 32, 33, 64, 65, 90])
def test_tokens_of_prompts_that_end_anywhere(length: int):
    model, other = compiled()
    inputs = prompt(length)
    torch.testing.assert_close(other.generate(**inputs, **GREEDY), model.generate(**inputs, **GREEDY))


@pytest.mark.parametrize(("first", "more"), [(11, 5), (20, 40), (31, 2), (33, 2), (34, 50)])
def test_a_chat_goes_on_inside_a_tile(first: int, more: int):
    """The tokens of the tile are taken again; the padding of the step lies beyond the cache, and is left out."""
    model, other = compiled()
    how = {**GREEDY, "max_new_tokens": 3, "return_dict_in_generate": True}
    before = other.generate(**prompt(first), **how)
    whole = torch.cat([before.sequences, prompt(more, 0)["input_ids"]], 1)
    mask = torch.cat([prompt(first)["attention_mask"], torch.ones(BATCH, 3 + more, dtype=torch.long)], 1)
    inputs = {"input_ids": whole, "attention_mask": mask}
    found = other.generate(**inputs, **GREEDY, past_key_values=before.past_key_values)
    torch.testing.assert_close(found, model.generate(**inputs, **GREEDY))


def test_the_same_sequences_go_on():
    _, other = compiled()
    before = other.generate(**prompt(5), **GREEDY, return_dict_in_generate=True)
    with pytest.raises(InputError, match="the cache holds 2 sequences, and 1 are given"):
        other(input_ids=torch.ones(1, 2, dtype=torch.long), past_key_values=before.past_key_values)


def programs(**how: Any) -> Chain:
    return ttc.generation.programs(causal("llama"), **{"capacity": CAPACITY, "tokens": (64,), **how})


@pytest.mark.parametrize("how", [swept({}), {"cache_dtype": "bfp8", "batch": BATCH}], ids=["bf16", "bfp8"])
def test_a_prompt_writes_its_own_rows(how: dict[str, Any]):
    chain = programs(**how)
    assert_accepted(chain)
    _, many = (bucket.program.graph for bucket in chain.stages["step"].buckets)
    assert str(many).count(FILL) == 4
    target, states = target_named("n150"), set(many.states.values())
    readers = [node for node in many.nodes if not states.isdisjoint(node.op.operands())]
    assert {node.op.mnemonic for node in readers} == {"ttnn.reshape"}, "views of the caches"
    assert not [moved for node in readers for moved in traffic(node, target)]
    for node in many.nodes:
        if FILL[:-1] in node.op.mnemonic:
            rows, _, pool = (size for _, size in traffic(node, target))
            assert pool == rows, "as many bytes as the prompt's rows have"


@pytest.mark.parametrize(
    "how", [swept({"tokens": (40,)}), {"capacity": 80}], ids=["no whole tiles", "a cache of parts"]
)
def test_rows_that_are_written_otherwise(how: dict[str, Any]):
    for bucket in programs(**how).stages["step"].buckets:
        assert FILL not in str(bucket.program.graph)


def test_whole_tiles_are_multiples_of_32():
    assert [tokens for tokens in (1, 2, 31, 32, 33, 64) if by_tiles(tokens, 96)] == [32, 64]
    assert [capacity for capacity in (31, 32, 48, 64) if by_tiles(32, capacity)] == [32, 64]
