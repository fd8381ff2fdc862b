"""Keys and values in blocks that sequences share: the tokens are those of the cache that one generation has alone."""

from __future__ import annotations

import gc
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

import ttc
import ttc.generation
from tests.cards import swept
from tests.generation.models import VOCABULARY, causal, with_encoder
from tests.mock_cards import assert_accepted
from ttc.compiled.chain import Chain
from ttc.errors import InputError, TtcError
from ttc.generation.blocks import Blocks
from ttc.generation.paged import Places, paged_attention
from ttc.generation.serving import Served, Serving
from ttc.ir import DType

SIZE, COUNT, BATCH, NEW = 32, 9, 3, 6
CAPACITY = 8 * SIZE
GREEDY = {"max_new_tokens": NEW, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}


@cache
def programs(name: str = "llama", **how: Any) -> tuple[Any, Chain]:
    """Return a model, and its programs over a pool of nine blocks."""
    model = causal(name)
    sizes = {"capacity": CAPACITY, "batch": BATCH, "tokens": (2 * SIZE,), "blocks": COUNT}
    return model, ttc.generation.programs(model, **{**sizes, **how})


@cache
def without_blocks() -> Chain:
    return ttc.generation.programs(causal("llama"), capacity=CAPACITY, tokens=(2 * SIZE,))


@cache
def alone() -> Any:
    """Return the model with a cache of one sequence's own."""
    return ttc.generation.on_device(causal("llama"), without_blocks(), "emulator")


def prompt(length: int, seed: int = 0) -> list[int]:
    return torch.randint(
        1, VOCABULARY, (length,), generator=torch.Generator().manual_seed(100 * seed + length)
    ).tolist()


def wanted(tokens: list[int], new: int = NEW) -> list[int]:
    """The tokens after a prompt, greedily, with a cache of the sequence's own."""
    found = alone().generate(torch.tensor([tokens]), **{**GREEDY, "max_new_tokens": new})
    return found[0, len(tokens) :].tolist()


def chosen(serving: Serving, sequences: list[Served], new: int = NEW) -> list[list[int]]:
    """The tokens of sequences that go on together, greedily."""
    found = [[int(sequence.logits.argmax())] for sequence in sequences]
    for _ in range(new - 1):
        serving.step({sequence: tokens[-1] for sequence, tokens in zip(sequences, found, strict=True)})
        for sequence, tokens in zip(sequences, found, strict=True):
            tokens.append(int(sequence.logits.argmax()))
    return found


def serving(name: str = "llama", **how: Any) -> Serving:
    return ttc.generation.serve(programs(name, **how)[1], "emulator")


def test_sequences_of_different_lengths_share_a_pool():
    server, prompts = serving(), [prompt(5), prompt(40), prompt(70)]
    sequences = [server.begin(tokens) for tokens in prompts]
    assert [len(sequence.held) for sequence in sequences] == [1, 2, 3]
    assert chosen(server, sequences) == [wanted(tokens) for tokens in prompts]


@pytest.mark.parametrize("length", [1, 2, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 2 * SIZE + 1, 3 * SIZE - 2])
def test_at_the_edges_of_blocks(length: int):
    server, tokens = serving(), prompt(length)
    sequence = server.begin(tokens)
    assert len(sequence.held) == -(-length // SIZE)
    assert chosen(server, [sequence]) == [wanted(tokens)]
    assert len(sequence.held) == -(-(length + NEW - 1) // SIZE)


def test_blocks_of_an_ended_sequence_are_taken_by_another():
    server = serving()
    first, stays = server.begin(prompt(3 * SIZE)), server.begin(prompt(20))
    before = list(first.held)
    server.end(first)
    second = server.begin(prompt(7 * SIZE + 1, 1))
    assert set(before) < set(second.held), "the pool has 9 blocks, one of which stays"
    assert chosen(server, [second], 3) == [wanted(prompt(7 * SIZE + 1, 1), 3)]
    assert chosen(server, [stays]) == [wanted(prompt(20))]
    server.end(second)
    third = server.begin(prompt(50, 2))
    assert chosen(server, [third, stays], 3)[0] == wanted(prompt(50, 2), 3)


def test_sequences_come_and_go_between_steps():
    server = serving()
    early, late = server.begin(prompt(33)), None
    tokens = chosen(server, [early], 3)[0]
    late = server.begin(prompt(12))
    server.step({early: tokens[-1]})
    more, other = chosen(server, [early, late], 3)
    assert tokens + more == wanted(prompt(33), 6)
    assert other == wanted(prompt(12), 3)


@pytest.mark.parametrize(("first", "more"), [(40, 30), (32, 10), (31, 2), (10, 90)])
def test_more_tokens_of_a_sequence(first: int, more: int):
    """Inside a block one by one, then by blocks."""
    server, tokens = serving(), prompt(first + more)
    sequence = server.begin(tokens[:first])
    server.extend(sequence, tokens[first:])
    assert chosen(server, [sequence], 3) == [wanted(tokens, 3)]


def test_rows_that_are_forgotten_are_written_again():
    server, tokens = serving(), prompt(40)
    sequence = server.begin(tokens)
    server.extend(sequence, [1, 2, 3])
    server.forget(sequence, 4)
    server.extend(sequence, tokens[-1:])
    assert chosen(server, [sequence], 3) == [wanted(tokens, 3)]


@pytest.mark.parametrize("count", [-1, 41])
def test_rows_that_are_not_there_cannot_be_forgotten(count: int):
    server = serving()
    sequence = server.begin(prompt(40))
    with pytest.raises(InputError, match=f"a sequence of 40 rows cannot forget {count}"):
        server.forget(sequence, count)
    server.forget(sequence, 40)


def test_generate_leaves_padding_out():
    model, chain = programs()
    compiled = ttc.generation.on_device(model, chain, "emulator")
    lengths, width = (5, 40, 33), 40
    prompts = [prompt(length) for length in lengths]
    ids = torch.tensor([[0] * (width - len(tokens)) + tokens for tokens in prompts])
    mask = torch.tensor([[0] * (width - length) + [1] * length for length in lengths])
    found = compiled.generate(ids, attention_mask=mask, **GREEDY)[:, width:].tolist()
    assert found == [wanted(tokens) for tokens in prompts]


def test_two_chats_take_turns_and_a_dropped_one_gives_its_blocks_back():
    model, chain = programs()
    compiled = ttc.generation.on_device(model, chain, "emulator")
    chats = [prompt(40), prompt(33)]
    how = {**GREEDY, "max_new_tokens": 3, "return_dict_in_generate": True}
    caches = []
    turns = [compiled.generate(torch.tensor([tokens]), **how) for tokens in chats]
    while turns:
        caches.append(turns[0].past_key_values)
        ids = torch.cat([turns.pop(0).sequences, torch.tensor([[7, 8, 9]])], 1)
        found = compiled.generate(ids, past_key_values=caches[-1], **GREEDY)
        assert found[0, ids.shape[1] :].tolist() == wanted(ids[0].tolist())
    blocks = caches[0]._serving.blocks
    assert blocks.free == COUNT - 4
    caches[0].crop(2)
    assert caches[0].get_seq_length() == caches[0].sequences[0].length == 40 + 3 + 3 + NEW - 3
    del caches
    gc.collect()
    assert blocks.free == COUNT


def test_a_window_moves_over_blocks():
    model, chain = programs("gemma3")
    assert_accepted(chain)
    server, tokens = ttc.generation.serve(chain, "emulator"), prompt(40)
    sequence = server.begin(tokens)
    for token in [3, 14, 15, 92]:
        server.step({sequence: token})
        tokens = [*tokens, token]
        logits = model(torch.tensor([tokens])).logits[0, -1].detach().numpy()
        assert np.corrcoef(sequence.logits, logits)[0, 1] > 0.998


@pytest.mark.parametrize("name", [swept("qwen2"), swept("gpt2")])
def test_other_models(name: str):
    model, chain = programs(name)
    assert_accepted(chain)
    server, tokens = ttc.generation.serve(chain, "emulator"), prompt(40)
    sequence = server.begin(tokens)
    server.step({sequence: 5})
    logits = model(torch.tensor([[*tokens, 5]])).logits[0, -1].detach().numpy()
    assert np.corrcoef(sequence.logits, logits)[0, 1] > 0.998


@pytest.mark.parametrize("target", ["n150", swept("p150")])
def test_a_pool_in_bfp8(target: str):
    how = {"cache_dtype": "bfp8", "target": target}
    model, chain = programs("llama", **how)
    assert_accepted(chain)
    for bucket in chain.stages["step"].buckets:
        assert {state.dtype for state in bucket.program.graph.states.values()} == {DType.bfp8}
        assert "typecast(%state" not in str(bucket.program.graph)
    server, tokens = ttc.generation.serve(chain, "emulator"), prompt(40)
    sequence = server.begin(tokens)
    server.step({sequence: 5})
    logits = model(torch.tensor([[*tokens, 5]])).logits[0, -1].detach().numpy()
    assert np.corrcoef(sequence.logits, logits)[0, 1] > 0.998


def test_the_real_library_takes_programs_over_blocks():
    one, many = programs()[1].stages["step"].buckets
    assert_accepted(programs()[1])
    count = {
        name: [str(bucket.program.graph).count(f".{name}(") for bucket in (one, many)]
        for name in ("paged_update_cache", "paged_fill_cache", "chunked_scaled_dot_product_attention",
                     "paged_scaled_dot_product_attention_decode")
    }  # fmt: skip
    assert list(count.values()) == [[4, 0], [0, 4], [0, 2], [2, 0]]


def test_saved_programs_are_served_without_compiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    programs()[1].save(tmp_path)
    monkeypatch.setattr(ttc, "compile", None)
    server = ttc.generation.serve(tmp_path, "emulator")
    assert chosen(server, [server.begin(prompt(10))], 2) == [wanted(prompt(10), 2)]
    compiled = ttc.generation.load(programs()[0], tmp_path, device="emulator")
    ids = torch.tensor([prompt(10)])
    assert compiled.generate(ids, **GREEDY)[0, 10:].tolist() == wanted(prompt(10))


def test_blocks_are_taken_and_given_back():
    blocks, held = Blocks(4, 32), list[int]()
    blocks.extend(held, 32)
    assert (held, blocks.free) == ([0], 3)
    blocks.extend(held, 33)
    assert held == [0, 1]
    blocks.extend(held, 1)
    assert held == [0, 1], "blocks that are held are enough"
    with pytest.raises(InputError, match="129 tokens take 3 more blocks of 32 rows, and 2 of 4 are free"):
        blocks.extend(held, 129)
    assert (held, blocks.free) == ([0, 1], 2)
    blocks.release(held, 1)
    assert (held, blocks.free) == ([0], 3)
    other = list[int]()
    blocks.extend(other, 96)
    assert other == [2, 3, 1], "what was given back is taken last"


def test_too_few_blocks_leave_everything_as_it_was():
    server = serving()
    one, two = server.begin(prompt(6 * SIZE)), server.begin(prompt(2 * SIZE))
    with pytest.raises(InputError, match="64 tokens take 2 more blocks of 32 rows, and 1 of 9 are free: end a seq"):
        server.begin(prompt(2 * SIZE))
    assert server.blocks.free == 1
    with pytest.raises(InputError, match="1 more blocks of 32 rows, and 0 of 9 are free"):
        server.step({one: 1, two: 1})
    assert (server.blocks.free, one.length, len(one.held)) == (1, 6 * SIZE, 6)
    assert chosen(server, [two], 2) == [wanted(prompt(2 * SIZE), 2)]


CALLS = [
    (lambda s, a: s.step({}), "a step takes 1 to 3 sequences, not 0"),
    (lambda s, a: s.step({Served(): 1 for _ in range(4)}), "a step takes 1 to 3 sequences, not 4"),
    (lambda s, a: s.step({a: 1.5}), "tokens are a list of whole numbers"),
    (lambda s, a: s.begin([]), r"tokens are a list of whole numbers, one or more, not \[\]"),
    (lambda s, a: s.begin([[1]]), "tokens are a list of whole numbers"),
    (lambda s, a: s.begin([0.5]), "tokens are a list of whole numbers"),
    (lambda s, a: s.begin([1, VOCABULARY]), f"there is no token {VOCABULARY}: tokens are 0 to {VOCABULARY - 1}"),
    (lambda s, a: s.extend(a, [-1]), "there is no token -1"),
    (lambda s, a: s.step({a: VOCABULARY + 7}), f"there is no token {VOCABULARY + 7}"),
    (lambda s, a: s.extend(a, [1] * 254), "a sequence has up to 256 rows, 257 are wanted"),
    (lambda s, a: (s.end(a), s.step({a: 1})), "the sequence has ended: its blocks may be another's"),
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[message[:24] for _, message in CALLS])
def test_what_a_session_cannot_do_is_refused(call: Any, message: str):
    server = serving()
    sequence = server.begin([1, 2, 3])
    with pytest.raises(InputError, match=message):
        call(server, sequence)
    assert server.blocks.free in (COUNT - 1, COUNT)


MISUSE = [
    ({"blocks": 0}, "blocks takes positive whole numbers, not 0"),
    ({"blocks": True}, "blocks takes positive whole numbers, not True"),
    ({"block_size": "32"}, "block_size takes positive whole numbers, not '32'"),
    ({"block_size": 48}, "block_size takes multiples of 32, the rows of a tile, not 48"),
    ({"blocks": 7}, "a page table of 8 blocks of 32 rows: blocks takes at least so many, not 7"),
    ({"capacity": 257}, "a page table of 16 blocks of 32 rows"),
    ({"tokens": (32, 40)}, r"tokens takes multiples of block_size \(32\), not 40"),
    ({"tokens": ()}, "no number of tokens is at most the capacity of 256: prompts need one"),
    ({"inputs": torch.zeros(1, 2)}, "with an encoder keeps its caches whole: compile without blocks"),
    ({"model": with_encoder}, "with an encoder keeps its caches whole: compile without blocks"),
    ({"model": torch.nn.Linear}, "has no generate"),
    ({"dtype": "fp32"}, "attention to a pool of blocks computes in bf16 alone"),
]


@pytest.mark.parametrize(("how", "message"), MISUSE, ids=[message[:30] for _, message in MISUSE])
def test_misuse_is_named(how: dict[str, Any], message: str):
    model = {torch.nn.Linear: lambda: torch.nn.Linear(1, 1), with_encoder: lambda: with_encoder("t5")}
    given = {"capacity": CAPACITY, "batch": BATCH, "tokens": (32,), "blocks": COUNT, **how}
    made = model.get(given.pop("model", None), lambda: causal("llama"))()
    with pytest.raises(TtcError, match=message):
        ttc.generation.programs(made, **given)


def test_programs_without_blocks_are_not_served():
    with pytest.raises(InputError, match="to serve sequences"):
        ttc.generation.serve(without_blocks(), "emulator")


def test_capped_scores_are_refused():
    q = torch.zeros(1, 1, 1, 32)
    with paged_attention(Places(torch.zeros(1, 8), torch.zeros(1), None)):
        attend: Any = ALL_ATTENTION_FUNCTIONS.get_interface("sdpa", len)
        for other in ({"softcap": 50.0}, {"s_aux": q}):
            with pytest.raises(InputError, match="Linear caps scores or has sinks"):
                attend(torch.nn.Linear(1, 1), q, q, q, None, **other)
