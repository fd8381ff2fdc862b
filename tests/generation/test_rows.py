"""A prompt's keys and values are written as whole tiles: no other row of a cache is touched, and tokens stay right."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import ttc.generation
from tests.cards import swept
from tests.generation.models import VOCABULARY, causal
from tests.mock_cards import assert_accepted
from ttc.analysis.cost import traffic
from ttc.analysis.report import report
from ttc.calls.attention import ScaledDotProductAttention
from ttc.calls.target import target_named
from ttc.compiled.chain import Chain, ChainSession
from ttc.errors import InputError
from ttc.generation.compiling import sizes_of
from ttc.generation.rows import by_tiles
from ttc.ir import Graph
from ttc.runtime.run.buckets import choose

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


def test_rows_that_inference_mode_wrote_are_written_again_outside():
    model, other = compiled()
    wanted = model.generate(**prompt(5), **GREEDY)
    for scope in (torch.inference_mode, torch.no_grad):
        with scope():
            torch.testing.assert_close(other.generate(**prompt(5), **GREEDY), wanted)


def test_the_same_sequences_go_on():
    _, other = compiled()
    before = other.generate(**prompt(5), **GREEDY, return_dict_in_generate=True)
    with pytest.raises(InputError, match="the cache holds 2 sequences, and 1 are given"):
        other(input_ids=torch.ones(1, 2, dtype=torch.long), past_key_values=before.past_key_values)


@cache
def programs(**how: Any) -> Chain:
    return ttc.generation.programs(causal("llama"), **{"capacity": CAPACITY, "tokens": (64,), **how})


@pytest.mark.parametrize("how", [swept({}), {"cache_dtype": "bfp8", "batch": BATCH}], ids=["bf16", "bfp8"])
def test_a_prompt_writes_its_own_rows(how: dict[str, Any]):
    chain = programs(**how)
    assert_accepted(chain)
    _, first, many = (bucket.program.graph for bucket in chain.stages["step"].buckets)
    assert str(many).count(FILL) == str(first).count(FILL) == 4
    target, states = target_named("n150"), set(many.states.values())
    readers = [node for node in many.nodes if not states.isdisjoint(node.op.operands())]
    assert {node.op.mnemonic for node in readers} == {"ttnn.reshape"}, "views of the caches"
    assert not [moved for node in readers for moved in traffic(node, target)]
    for node in many.nodes:
        if FILL[:-1] in node.op.mnemonic:
            rows, _, pool = (size for _, size in traffic(node, target))
            assert pool == rows, "as many bytes as the prompt's rows have"


def keys(graph: Graph) -> set[int]:
    """The numbers of keys that the attentions of a program go over."""
    fused = [node.op for node in graph.nodes if isinstance(node.op, ScaledDotProductAttention)]
    return {op.input_tensor_k.shape[2] for op in fused}


def test_a_first_piece_attends_to_its_own_rows():
    one, *many = programs().stages["step"].buckets
    assert [dict(bucket.sizes) for bucket in (one, *many)] == [
        {"tokens": 1, "rows": CAPACITY}, {"tokens": 64, "rows": 64}, {"tokens": 64, "rows": CAPACITY},
    ]  # fmt: skip
    assert [keys(bucket.program.graph) for bucket in many] == [{64}, {CAPACITY}]
    (first, all_rows) = (report(bucket.program.graph, target_named("n150")).dram_bytes for bucket in many)
    assert first < all_rows


@pytest.mark.parametrize(
    ("length", "rows"),
    [(1, [CAPACITY]), (2, [2]), (64, [64]), (65, [64, CAPACITY]), (90, [64, 90])],
    ids=["one token", "two", "a piece", "a piece and one token", "two pieces"],
)
def test_pieces_of_a_prompt_see_the_rows_up_to_their_own(length: int, rows: list[int], monkeypatch: pytest.MonkeyPatch):
    _, other = compiled()
    given: list[int] = []
    run = ChainSession.run

    def spied(self: Any, stage: str, inputs: dict[str, Any], *args: Any) -> Any:
        given.append(inputs["attention_mask"].shape[1])
        return run(self, stage, inputs, *args)

    monkeypatch.setattr(ChainSession, "run", spied)
    other(**prompt(length, 0), logits_to_keep=1)
    assert given == rows


def test_the_program_of_a_piece():
    buckets = programs().stages["step"].buckets
    for sizes, found in (((1, 96), 0), ((1, 64), 0), ((2, 64), 1), ((64, 64), 1), ((64, 65), 2), ((2, 65), 2)):
        lengths = {name: np.array([size]) for name, size in zip(("tokens", "rows"), sizes, strict=True)}
        assert choose(buckets, lengths) == found, sizes


@pytest.mark.parametrize(
    ("capacity", "tokens", "found"),
    [
        (96, (64,), [(1, 96), (64, 64), (64, 96)]),
        (64, (64,), [(1, 64), (64, 64)]),
        (96, (40,), [(1, 96), (40, 96)]),
        (80, (64,), [(1, 80), (64, 80)]),
        (96, (), [(1, 96)]),
    ],
    ids=["both", "a piece that fills the cache", "no whole tiles", "a cache of parts", "one token"],
)
def test_the_rows_that_programs_attend_to(capacity: int, tokens: tuple[int, ...], found: list[tuple[int, int]]):
    assert list(sizes_of(capacity, 1, tokens).attended) == found


@pytest.mark.parametrize(
    "how", [swept({"tokens": (40,)}), {"capacity": 80}], ids=["no whole tiles", "a cache of parts"]
)
def test_rows_that_are_written_otherwise(how: dict[str, Any]):
    for bucket in programs(**how).stages["step"].buckets:
        assert FILL not in str(bucket.program.graph)
        assert bucket.sizes["rows"] == how.get("capacity", CAPACITY)


def test_whole_tiles_are_multiples_of_32():
    assert [tokens for tokens in (1, 2, 31, 32, 33, 64) if by_tiles(tokens, 96)] == [32, 64]
    assert [capacity for capacity in (31, 32, 48, 64) if by_tiles(32, capacity)] == [32, 64]
