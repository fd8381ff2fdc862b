"""Tokens that a program knows: as many as the smallest table has rows in which they are looked up."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

import ttc.generation
from tests.generation.models import causal, with_encoder
from ttc.compiled.chain import Chain
from ttc.errors import InputError
from ttc.generation.compiling import ENCODER, STEP
from ttc.generation.vocabulary import vocabulary_of


@cache
def programs(name: str) -> tuple[Any, Chain]:
    model = with_encoder(name)
    largest = torch.ones(1, 8, dtype=torch.long)
    return model, ttc.generation.programs(model, capacity=8, tokens=(), inputs=largest)


def test_tokens_are_looked_up_in_a_table():
    model, chain = programs("t5")
    rows = model.get_input_embeddings().weight.shape[0]
    assert vocabulary_of(chain.stages[STEP], "input_ids") == rows
    assert vocabulary_of(chain.stages[ENCODER], "inputs") == rows
    assert vocabulary_of(chain.stages[ENCODER], "encoder_mask") is None
    assert vocabulary_of(chain.stages[STEP], "inputs") is None


def test_an_encoder_knows_its_tokens():
    model, chain = programs("t5")
    rows = model.get_input_embeddings().weight.shape[0]
    other = ttc.generation.on_device(model, chain, "emulator")
    for token in (rows, -1):
        with pytest.raises(InputError, match=f"there is no token {token}: tokens are 0 to {rows - 1}"):
            other.generate(torch.tensor([[1, token]]), max_new_tokens=2)


def test_positions_are_no_tokens():
    """GPT-2 looks positions up, too, in a table with fewer rows."""
    model = causal("gpt2")
    step = ttc.generation.programs(model, capacity=32, tokens=()).stages[STEP]
    assert vocabulary_of(step, "input_ids") == model.config.vocab_size
    assert vocabulary_of(step, "position_ids") == model.config.n_positions != model.config.vocab_size
