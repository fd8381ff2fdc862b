"""Batches of transformers models that are padded on the left: queries of the padding see no key at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ttc
from ttc.validation.accuracy import pcc

TOKENS = torch.tensor([[1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 8, 9, 10, 11], [0, 0, 0, 0, 0, 0, 12]])
SEEN = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 1]])
SIZES = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 96, "vocab_size": 32}


def model(kind: str, attention: str) -> torch.nn.Module:
    """A small seeded model with the library's attention of that name."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    if kind == "llama":
        config = transformers.LlamaConfig(**SIZES, num_key_value_heads=1, use_cache=False)
        found = transformers.LlamaModel(config)
    else:
        found = transformers.BertModel(transformers.BertConfig(**SIZES), add_pooling_layer=False)
    found.set_attn_implementation(attention)
    return found.eval()


@pytest.mark.parametrize(
    ("kind", "attention", "dtype"),
    [("bert", "sdpa", "bf16"), ("llama", "sdpa", "fp32"), ("llama", "sdpa", "bf16"), ("llama", "eager", "fp32")],
)
def test_every_position_of_a_left_padded_batch(kind: str, attention: str, dtype: str):
    """Those of the padding too: what torch gives there is zeros, or the mean of all values, by the form of the mask."""
    module = model(kind, attention)
    inputs = {"input_ids": TOKENS, "attention_mask": SEEN}
    with torch.no_grad():
        wanted = module(**inputs).last_hidden_state.numpy()
    found = ttc.compile(module, kwargs=inputs, dtype=dtype)(**inputs).last_hidden_state.numpy()
    if dtype == "fp32":
        np.testing.assert_allclose(found, wanted, atol=2e-5)
    for sample in range(len(TOKENS)):
        for padding in (False, True):
            rows = SEEN[sample].numpy() == (not padding)
            if rows.any():
                assert pcc(found[sample][rows], wanted[sample][rows]) > 0.999
