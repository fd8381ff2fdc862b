"""Keys and values that are kept in bfp8: every program takes them so, and the real library the programs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import ttc.generation
from tests.mock_cards import assert_accepted
from ttc.errors import InputError
from ttc.ir import DType

LENGTH, NEW = 11, 12


def llama(**other: Any) -> Any:
    torch.manual_seed(0)
    sizes = {"hidden_size": 128, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=2, vocab_size=256, **other)).eval()


@pytest.mark.parametrize("batch", [1, 3])
def test_caches_in_bfp8_give_nearly_the_same_logits(batch: int):
    model = llama()
    programs = ttc.generation.programs(model, capacity=32, batch=batch, tokens=(8,), cache_dtype="bfp8")
    assert_accepted(programs)
    for bucket in programs.stages["step"].buckets:
        assert {state.dtype for state in bucket.program.graph.states.values()} == {DType.bfp8}
    (one, _) = programs.stages["step"].buckets
    assert "typecast(%state" not in str(one.program.graph), "a step of one token reads the caches as they are kept"
    ids = torch.randint(1, 256, (batch, LENGTH), generator=torch.Generator().manual_seed(1))
    other = ttc.generation.on_device(model, programs, "emulator")
    tokens = other.generate(ids, max_new_tokens=NEW, do_sample=False, eos_token_id=None, pad_token_id=0)
    found, wanted = (m(tokens, logits_to_keep=1).logits[:, 0] for m in (other, model))
    assert torch.corrcoef(torch.stack([found.flatten(), wanted.flatten()]))[0, 1] > 0.999


def test_caches_in_bf16_are_those_of_the_program():
    programs = ttc.generation.programs(llama(), capacity=32, tokens=(), cache_dtype="bf16")
    (bucket,) = programs.stages["step"].buckets
    assert {state.dtype for state in bucket.program.graph.states.values()} == {DType.bf16}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"cache_dtype": "bfp4"}, "cache_dtype takes bf16 or bfp8, not 'bfp4'"),
        ({"cache_dtype": 8}, "cache_dtype takes bf16 or bfp8, not 8"),
        ({"cache_dtype": ["bfp8"]}, r"cache_dtype takes bf16 or bfp8, not \['bfp8'\]"),
        ({"cache_dtype": "bfp8", "dtype": "fp32"}, "a program in fp32 keeps keys and values in fp32, not in bfp8"),
        ({"cache_dtype": "bf16", "dtype": torch.float32}, "a program in fp32 keeps keys and values in fp32"),
    ],
)
def test_misuse_is_named(how: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        ttc.generation.programs(llama(), capacity=32, **how)
