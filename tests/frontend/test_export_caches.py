"""Caches of transformers in what a model takes and returns."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import ttc
from ttc.errors import InputError
from ttc.frontend.export.caches import register_caches

transformers = pytest.importorskip("transformers")
SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def llama(**more: Any) -> nn.Module:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**SIZES, num_key_value_heads=2, **more)
    return transformers.LlamaModel(config).eval()


def test_a_model_returns_its_cache():
    model, ids = llama(), torch.arange(6)[None]
    compiled = ttc.compile(model, kwargs={"input_ids": ids}, dtype="fp32")
    found = compiled.run({"input_ids": ids.numpy()}, "emulator")
    assert [name for name in found if name.startswith("past")] == [
        f"past_key_values.layers.{layer}.{part}" for layer in (0, 1) for part in ("keys", "values")
    ]
    wanted = model(ids).past_key_values.layers[1].values.detach()
    np.testing.assert_allclose(found["past_key_values.layers.1.values"], wanted, atol=1e-5)


def test_the_way_back_is_a_cache():
    """What torch.compile's backend and modules' callers are given is of the model's own class, ready to go on."""
    register_caches()
    model, ids = llama(), torch.arange(6)[None]
    with torch.no_grad():
        cache = model(ids).past_key_values
        leaves, spec = pytree.tree_flatten(cache)
        again = pytree.tree_unflatten(leaves, spec)
        assert type(again) is type(cache)
        assert len(leaves) == 4
        wanted = model(torch.tensor([[7]]), past_key_values=cache).last_hidden_state
        found = model(torch.tensor([[7]]), past_key_values=again).last_hidden_state
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("layers", ["made by its config", "none yet"])
def test_a_cache_that_is_given_empty_is_empty_after_the_trace(layers: str):
    """Layers without tensors are no leaves: the trace must have layers of its own."""
    model, ids = llama(), torch.arange(6)[None]
    cache = transformers.DynamicCache(config=model.config if layers == "made by its config" else None)
    before = len(cache.layers)
    ttc.compile(model, kwargs={"input_ids": ids, "past_key_values": cache}, dtype="fp32")
    assert len(cache.layers) == before
    assert cache.get_seq_length() == 0
    assert not any(layer.is_initialized for layer in cache.layers)


def test_caches_that_are_built_share_nothing():
    """Which layers an encoder's keys are in is noted in a dict, of each cache its own."""
    register_caches()
    both = transformers.EncoderDecoderCache(transformers.DynamicCache(), transformers.DynamicCache())
    both.self_attention_cache.update(torch.ones(1, 1, 2, 4), torch.ones(1, 1, 2, 4), 0)
    leaves, spec = pytree.tree_flatten(both)
    one, other = pytree.tree_unflatten(leaves, spec), pytree.tree_unflatten(leaves, spec)
    one.is_updated[0] = True
    assert not other.is_updated
    assert not both.is_updated


def test_a_model_takes_a_cache():
    model, ids = llama(), torch.arange(6)[None]
    register_caches()
    with torch.no_grad():
        cache = model(ids).past_key_values
        arrays = {
            f"past_key_values.layers.{i}.{n}": getattr(cache.layers[i], n).numpy()
            for i in (0, 1)
            for n in ("keys", "values")
        }
        token = torch.tensor([[7]])
        compiled = ttc.compile(model, kwargs={"input_ids": token, "past_key_values": cache}, dtype="fp32")
        found = compiled.run({"input_ids": token.numpy(), **arrays}, "emulator")
        wanted = model(token, past_key_values=model(ids).past_key_values).last_hidden_state
    np.testing.assert_allclose(found["last_hidden_state"], wanted, atol=1e-5)


@pytest.mark.parametrize(("name", "layers"), [("T5", 8), ("Mamba", 4)])
def test_caches_of_other_kinds(name: str, layers: int):
    """An encoder-decoder's own and cross caches; the states of a recurrence, two a layer."""
    torch.manual_seed(0)
    ids = torch.arange(5)[None] + 2
    inputs = {"input_ids": ids}
    if name == "T5":
        config = transformers.T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
        inputs["decoder_input_ids"] = ids
    else:
        config = transformers.MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2, state_size=4)
    model = getattr(transformers, f"{name}Model")(config).eval()
    found = ttc.compile(model, kwargs=inputs, dtype="fp32").run({n: x.numpy() for n, x in inputs.items()}, "emulator")
    with torch.no_grad():
        wanted = [leaf for leaf in pytree.tree_leaves(model(**inputs)) if isinstance(leaf, torch.Tensor)]
    assert sum("layers" in output for output in found) == layers
    for x, y in zip(found.values(), wanted, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-4)


def test_an_object_that_is_no_cache_is_refused():
    class Other(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return {"y": type("Thing", (), {"x": x})()}

    with pytest.raises(InputError, match="known type"):
        ttc.compile(Other(), (torch.ones(2),))


def test_a_cache_of_a_models_own_file():
    """Classes derived from transformers' in a model's own file are caches too."""
    torch.manual_seed(0)
    config = transformers.MiniMaxConfig(**SIZES, num_key_value_heads=2, head_dim=8, num_local_experts=2)
    model, ids = transformers.MiniMaxModel(config).eval(), torch.arange(6)[None]
    found = ttc.compile(model, kwargs={"input_ids": ids}, dtype="fp32").run({"input_ids": ids.numpy()}, "emulator")
    with torch.no_grad():
        wanted = pytree.tree_leaves(model(ids))
    assert len(wanted) == len(found) > 1
    for x, y in zip(found.values(), wanted, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-4)
