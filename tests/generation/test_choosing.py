"""A step that chooses its token on the device, and the loop on the host that looks at the tokens now and then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.mock_cards import check
from ttc.compiled.chain import Chain
from ttc.compiled.executable import Executable
from ttc.generation.choosing import ChoosingStep
from ttc.generation.chosen import CHOSEN, LOOK, Choices, Generation
from ttc.generation.compiling import compile_steps
from ttc.ir import Graph

SPANS = ((2, 5), (7, 9))
VOCABULARY, CAPACITY, SIZE = 16, 64, 32


class Model(nn.Module):
    """A network whose hidden values depend on all tokens that the mask leaves, through a cache of one head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix = nn.Embedding(VOCABULARY, SIZE), nn.Linear(SIZE, SIZE)
        self.positions = nn.Embedding(CAPACITY, SIZE)

    def forward(self, inputs_embeds, attention_mask, position_ids, past_key_values, use_cache):
        x = inputs_embeds + self.positions(position_ids)
        keys, values = past_key_values.update(x[:, None], self.mix(x)[:, None], 0)
        weights = (x[:, None] @ keys.mT + attention_mask).softmax(-1)
        return type("Output", (), {"logits": (weights @ values)[:, 0] + x})


class Step(ChoosingStep):
    def __init__(self, spans: tuple[tuple[int, int], ...]):
        empty = torch.zeros(1, 1, 0, SIZE)
        super().__init__(Model(), [(empty, empty)], CAPACITY, torch.randn(VOCABULARY, SIZE), spans)

    def forward(self, input_ids, codebook, start, tokens):  # pyright: ignore[reportIncompatibleMethodOverride]
        embeds = self.model.embed(self.tokens_at(input_ids, start))
        return self.choose(self.last_hidden(embeds, start, tokens), start + tokens, codebook)


def wanted(step: Step, prompt: np.ndarray, count: int) -> list[int]:
    """Choose tokens from the whole sequence each time, by a mask of causality and no cache."""
    tokens = prompt.tolist()
    for place in range(count):
        n = len(tokens)
        x = step.model.embed(torch.tensor(tokens)) + step.model.positions.weight[:n]
        weights = (x @ x.T + torch.full((n, n), -torch.inf).triu(1)).softmax(-1)
        logits = step.head @ (weights @ step.model.mix(x) + x)[-1]
        first, size = SPANS[place % 2]
        tokens.append(first + int(logits[first : first + size].argmax()))
    return tokens[len(prompt) :]


def compiled_for(step: Step, *sizes: int) -> Executable:
    one = torch.ones(1, dtype=torch.long)

    def arguments(tokens: int) -> dict[str, torch.Tensor]:
        return {"input_ids": one.expand(1, tokens), "codebook": one}

    return compile_steps(step, list(map(arguments, sizes)), {"dtype": "fp32"}, "N", ("input_ids",))


@pytest.fixture(scope="module")
def compiled() -> tuple[Step, Chain]:
    torch.manual_seed(0)
    step = Step(SPANS).eval()
    return step, Chain.of({"step": compiled_for(step, 1, 8)}, {})


def test_all_programs_take_and_leave_caches_in_one_form(compiled: tuple[Step, Chain]):
    """The program of several tokens alone would have the caches in rows: each run of another would convert on the host.

    The step of one token, which runs most, has them as it would alone.
    """
    step, chain = compiled
    one, several = (states(bucket.program.graph) for bucket in chain.stages["step"].buckets)
    assert one == several
    (alone,) = compiled_for(step, 1).buckets
    assert one == states(alone.program.graph)
    (alone,) = compiled_for(step, 8).buckets
    assert several != states(alone.program.graph)
    assert all(check(bucket.program).ok for bucket in chain.stages["step"].buckets)


def states(graph: Graph) -> dict[str, tuple[str, str]]:
    left = dict(graph.outputs)
    return {name: (str(value.type), str(left[name].type)) for name, value in graph.states.items()}


@pytest.mark.parametrize("length", [1, 7, 8, 9, 20])
@torch.no_grad()
def test_chosen_tokens_are_those_of_the_whole_sequence(compiled: tuple[Step, Chain], length: int):
    """Prompts of one piece and of several, full and not, one after the other in one session's rows."""
    step, chain = compiled
    prompt, most = np.arange(length) % VOCABULARY, CAPACITY - length
    with chain.session("emulator") as session:
        generation = Generation(session, "step", Choices(SPANS, VOCABULARY), 8)
        generation.tokens(np.array([3, 1, 4]), 9)
        found = generation.tokens(prompt, most + 1)  # the last one is chosen, and has no row
    assert found.tolist() == wanted(step, prompt, most + 1)
    assert len(set(found.tolist())) > 3
    assert {bool(token < 7) for token in found[::2]} == {True}
    assert {bool(token < 7) for token in found[1::2]} == {False}


class Counting:
    """A runner whose step chooses the number of the token's row, and remembers how it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], int, int, tuple[str, ...]]] = []

    def run(self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = ()) -> dict[str, Any]:
        ids, start = inputs["input_ids"][0].tolist(), inputs["start"][0]
        self.calls.append((ids, start, inputs.get("codebook", [-1])[0], tuple(keep)))
        logits = np.arange(3 + (len(ids) == 1), dtype=np.float32)[None]
        return {"sequence": np.arange(100)[None], "logits": logits}


BOTH = ("sequence", "logits")


def test_a_prompt_is_taken_in_pieces():
    runner = Counting()
    found = Generation(runner, "step", Choices(((0, 100),), 100), 4).tokens(np.arange(10), 3, start=5)
    assert found.tolist() == [15, 16, 17]
    assert runner.calls == [
        ([0, 1, 2, 3], 5, -1, BOTH),
        ([4, 5, 6, 7], 9, -1, BOTH),
        ([8, 9], 13, -1, BOTH),
        ([CHOSEN], 15, -1, BOTH),
        ([CHOSEN], 16, -1, ("logits",)),
    ]


@pytest.mark.parametrize(("end", "steps"), [(7, LOOK), (LOOK + 3, LOOK), (LOOK + 4, 2 * LOOK), (99, 40), (4, LOOK)])
def test_the_end_is_looked_at_now_and_then(end: int, steps: int):
    """The first token is at row 4."""
    runner = Counting()
    found = Generation(runner, "step", Choices(((0, 100),), 100, end), 4).tokens(np.arange(4), 40)
    assert found.tolist() == list(range(4, min(end, 44)))
    assert len(runner.calls) == steps
    looked = [place for place, (*_, keep) in enumerate(runner.calls, 1) if "sequence" not in keep]
    assert looked == [place for place in range(1, steps + 1) if place % LOOK == 0 or place == 40]


def test_without_an_end_tokens_are_looked_at_once():
    runner = Counting()
    Generation(runner, "step", Choices(((0, 100),), 100), 4).tokens(np.arange(4), 40)
    assert [place for place, (*_, keep) in enumerate(runner.calls, 1) if "sequence" not in keep] == [40]


def test_a_sampler_is_given_the_logits_of_the_codebook_whose_turn_it_is():
    runner, seen = Counting(), []

    def last(logits: np.ndarray) -> int:
        seen.append(logits.tolist())
        return 2 + len(seen) // 3 * 3

    found = Generation(runner, "step", Choices(((1, 2), (4, 1)), 6, end=5), 4).tokens(np.arange(2), 5, last)
    no = -np.inf
    assert seen == [[no, 0, 1, no, no, no], [no, no, no, no, 2, no], [no, 0, 1, no, no, no]]
    assert found.tolist() == [2, 2]
    assert [(ids, start, turn) for ids, start, turn, _ in runner.calls] == [([0, 1], 0, 0), ([2], 2, 1), ([2], 3, 0)]
    assert {keep for *_, keep in runner.calls} == {("sequence",)}
