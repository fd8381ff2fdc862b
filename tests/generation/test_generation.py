"""`generate` of transformers gives the same tokens with compiled programs underneath."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM, JambaConfig, JambaForCausalLM
from transformers.generation.streamers import BaseStreamer

import ttc.generation
from tests.cards import swept
from tests.generation.models import FRAMES, MEL_BINS, VOCABULARY, WINDOW, causal, with_encoder
from tests.mock_cards import assert_accepted
from ttc.compiled.chain import Chain
from ttc.errors import InputError

CAPACITY, BATCH, LONGEST = 64, 3, 8
PADDING = (5, 2, 0)
NEW = 40
GREEDY = {"max_new_tokens": NEW, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}

CAUSAL = ["gemma3", *map(swept, ("llama", "qwen2", "gpt2", "opt"))]
"""Grouped queries and a sliding window in one model; the others in the sweep."""


@cache
def compiled(name: str) -> tuple[Any, Any]:
    """Return a causal model, and the model compiled for three sequences."""
    model = causal(name)
    return model, ttc.generation.compile(
        model, capacity=CAPACITY, batch=BATCH, tokens=(LONGEST,), dtype="fp32", device="emulator"
    )


def prompt(batch: int = BATCH, length: int = 11) -> dict[str, torch.Tensor]:
    """Return tokens with padding on the left, in more than one piece of the largest step."""
    ids = torch.randint(1, VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    for row, padding in enumerate(PADDING[:batch]):
        mask[row, : min(padding, length - 1)] = 0
    return {"input_ids": ids, "attention_mask": mask}


def same(model: Any, other: Any, inputs: dict[str, torch.Tensor], **how: Any) -> None:
    wanted = model.generate(**inputs, **{**GREEDY, **how})
    assert wanted.unique().numel() > 8, "tokens that hardly vary show nothing"
    torch.testing.assert_close(other.generate(**inputs, **{**GREEDY, **how}), wanted)


@pytest.mark.parametrize("name", CAUSAL)
def test_greedy_tokens_of_a_padded_batch(name: str):
    assert WINDOW + max(PADDING) < NEW + 11  # the window moves on
    same(*compiled(name), prompt())


@pytest.mark.parametrize("name", CAUSAL)
def test_a_smaller_batch_and_one_more_generation(name: str):
    """Rows of the generation before are in the cache, and beyond the end of the tokens."""
    same(*compiled(name), prompt(1, 5))
    same(*compiled(name), prompt(2, LONGEST))


@pytest.mark.parametrize("name", CAUSAL)
def test_sampling_draws_as_the_model_does(name: str):
    model, other = compiled(name)
    drawn = []
    for each in (model, other):
        torch.manual_seed(3)
        drawn.append(each.generate(**prompt(), **{**GREEDY, "do_sample": True, "top_k": 20, "temperature": 0.8}))
    torch.testing.assert_close(*drawn)


def test_a_chat_goes_on_from_the_cache():
    model, other = compiled("gemma3")
    first = other.generate(**prompt(1), **{**GREEDY, "max_new_tokens": 5}, return_dict_in_generate=True)
    more = torch.cat([first.sequences, torch.tensor([[7, 8, 9]])], 1)
    mask = torch.cat([prompt(1)["attention_mask"], torch.ones(1, 8, dtype=torch.long)], 1)
    inputs = {"input_ids": more, "attention_mask": mask}
    wanted = model.generate(**inputs, **GREEDY)
    found = other.generate(**inputs, **GREEDY, past_key_values=first.past_key_values)
    torch.testing.assert_close(found, wanted)


def test_tokens_stream_as_they_come():
    class Seen(BaseStreamer):
        def __init__(self) -> None:
            self.tokens: list[int] = []

        def put(self, value: torch.Tensor) -> None:
            self.tokens += value.flatten().tolist()

        def end(self) -> None:
            self.tokens.append(-1)

    _, other = compiled("gemma3")
    seen = Seen()
    whole = other.generate(**prompt(1), **GREEDY, streamer=seen)
    assert seen.tokens == [*whole[0].tolist(), -1]


def test_the_model_that_was_compiled_stays_as_it_is():
    model, other = compiled("gemma3")
    ids = prompt(1)["input_ids"]
    assert model(ids).logits.shape == (1, 11, VOCABULARY)
    assert other(ids, logits_to_keep=1).logits.shape == (1, 1, VOCABULARY)
    assert type(other) is type(model)


@pytest.mark.parametrize("name", ["t5", *map(swept, ("bart", "whisper"))])
def test_models_with_encoders(name: str):
    model = with_encoder(name)
    largest, inputs = encoder_inputs(name)
    other = ttc.generation.compile(
        model, capacity=CAPACITY, batch=2, tokens=(LONGEST,), inputs=largest, dtype="fp32", device="emulator"
    )
    how = {} if name == "whisper" else {"eos_token_id": None}
    for given in inputs:
        drawn = []
        for each in (model, other):
            torch.manual_seed(3)
            several = {"num_return_sequences": 2 // len(next(iter(given.values())))}
            drawn.append(each.generate(**given, **several, max_new_tokens=NEW, do_sample=True, temperature=3.0, **how))
        assert drawn[0].unique().numel() > 8
        torch.testing.assert_close(drawn[1], drawn[0])


def encoder_inputs(name: str) -> tuple[torch.Tensor, list[dict[str, torch.Tensor]]]:
    """Return the largest inputs of an encoder, and inputs of two sequences and of one."""
    generator = torch.Generator().manual_seed(2)
    if name == "whisper":
        sounds = torch.randn(2, MEL_BINS, FRAMES, generator=generator)
        return torch.zeros_like(sounds), [{"input_features": sounds}, {"input_features": sounds[:1]}]
    ids = torch.randint(3, VOCABULARY, (2, 20), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, 15:] = 0
    return torch.zeros(2, 24, dtype=torch.long), [
        {"input_ids": ids, "attention_mask": mask},
        {"input_ids": ids[:1, :7], "attention_mask": mask[:1, :7]},
    ]


@cache
def in_bf16() -> tuple[Any, Chain]:
    """Return a model and its programs for one sequence, in bf16."""
    model = causal("gemma3")
    return model, ttc.generation.programs(model, capacity=32, tokens=(LONGEST,))


def test_saved_programs_are_loaded_without_compiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model, programs = in_bf16()
    programs.save(tmp_path)
    monkeypatch.setattr(ttc, "compile", None)
    other = ttc.generation.load(model, tmp_path, device="emulator")
    ids = prompt(1, LONGEST)["input_ids"]
    wanted = model(ids).logits[0, -1].detach().numpy()
    found = other(ids, logits_to_keep=1).logits[0, 0].numpy()
    assert np.corrcoef(found, wanted)[0, 1] > 0.999


def test_the_real_library_accepts_steps():
    assert_accepted(in_bf16()[1])
    (one, _) = in_bf16()[1].stages["step"].buckets
    writes = [node for node in one.program.graph.nodes if node.op.mnemonic.endswith("paged_update_cache")]
    assert len(writes) == 4, "a token's keys and values are written in place"


@pytest.mark.parametrize("name", [swept(name) for name in ("gemma3", "llama", "gpt2")])
def test_weights_without_data(name: str):
    with torch.device("meta"):
        model = causal(name)
    chain = ttc.generation.programs(model, capacity=CAPACITY, batch=BATCH, tokens=(LONGEST,), target="p150")
    assert chain.stages["step"].weights.fake
    assert_accepted(chain)


@pytest.mark.sweep
@pytest.mark.parametrize("target", ["n150", "p150"])
@pytest.mark.parametrize("name", ["t5", "bart", "whisper"])
def test_the_real_library_accepts_models_with_encoders(name: str, target: str):
    largest, _ = encoder_inputs(name)
    assert_accepted(
        ttc.generation.programs(with_encoder(name), capacity=CAPACITY, batch=2, inputs=largest, target=target)
    )


REFUSED = [
    ({"max_new_tokens": CAPACITY}, "prompt and new tokens take 74 rows, the cache has 64"),
    ({"num_beams": 2}, "greedy or samples; beam_search would move rows"),
    ({"prompt_lookup_num_tokens": 2}, "greedy or samples; assisted_generation"),
    ({"output_attentions": True, "return_dict_in_generate": True}, "takes no output_attentions"),
    ({"use_cache": False}, "use_cache=False has no meaning"),
    ({"cache_implementation": "quantized"}, 'compiled, by cache_dtype="bfp8"'),
    ({"guidance_scale": 1.5}, "guidance_scale generates twice at a time"),
]


@pytest.mark.parametrize(("how", "message"), REFUSED, ids=[next(iter(how)) for how, _ in REFUSED])
def test_what_generate_cannot_do_is_refused(how: dict[str, Any], message: str):
    _, other = compiled("gemma3")
    with pytest.raises(InputError, match=message):
        other.generate(**prompt(1), **{**GREEDY, **how})


CALLS = [
    ({"input_ids": torch.ones(1, 4, dtype=torch.long)}, "ask for logits_to_keep=1"),
    ({"inputs_embeds": torch.zeros(1, 1, 128)}, "takes no inputs_embeds"),
    ({"input_ids": torch.tensor([[VOCABULARY]])}, f"there is no token {VOCABULARY}: tokens are 0 to {VOCABULARY - 1}"),
    ({"input_ids": torch.tensor([[-1]])}, "there is no token -1"),
    ({"input_ids": torch.ones(4, 1, dtype=torch.long)}, r"take 1 to 3 sequences, and ids are \[4, 1\]"),
    ({"input_ids": torch.ones(0, 1, dtype=torch.long)}, r"ids are \[0, 1\]"),
    ({"input_ids": torch.ones(1, 65, dtype=torch.long), "logits_to_keep": 1}, "64 rows: 0 tokens are in it, 65 more"),
    (
        {"input_ids": torch.ones(1, 1, dtype=torch.long), "attention_mask": torch.ones(1, 3)},
        r"attention_mask is \[1, 3\], the rows that tokens attend to are \[1, 1\]",
    ),
]


@pytest.mark.parametrize(("given", "message"), CALLS, ids=[message[:20] for _, message in CALLS])
def test_what_a_call_cannot_do_is_refused(given: dict[str, Any], message: str):
    _, other = compiled("gemma3")
    with pytest.raises(InputError, match=message):
        other(**given)


def test_outputs_of_an_encoder_are_kept_until_they_are_used_and_missing_inputs_are_named():
    model = with_encoder("t5")
    largest, (first, second) = encoder_inputs("t5")
    how = {"capacity": 16, "batch": 2, "tokens": (16,), "inputs": largest, "dtype": "fp32", "device": "emulator"}
    other = ttc.generation.compile(model, **how)
    held = [(given, other.get_encoder()(**given)) for given in (first, second)]
    for given, encoded in held:
        assert encoded.last_hidden_state.shape[:2] == given["input_ids"].shape
        wanted = model.generate(**given, max_new_tokens=8, eos_token_id=None)
        torch.testing.assert_close(other.generate(encoder_outputs=encoded, max_new_tokens=8, eos_token_id=None), wanted)
    with pytest.raises(InputError, match=r"the encoder takes inputs of up to \[2, 24\], got \[1, 25\]"):
        other.generate(torch.ones(1, 25, dtype=torch.long))
    with pytest.raises(InputError, match="takes decoder_input_ids beside the encoder's inputs"):
        other(**second)
    with pytest.raises(InputError, match="takes input_ids or input_features, or encoder_outputs"):
        other(decoder_input_ids=second["input_ids"])


def test_a_cache_that_was_written_over_is_refused():
    _, other = compiled("gemma3")
    first = other.generate(**prompt(1), **GREEDY, return_dict_in_generate=True).past_key_values
    other.generate(**prompt(1), **GREEDY)
    with pytest.raises(InputError, match="written over by a later generation"):
        other(input_ids=torch.ones(1, 1, dtype=torch.long), past_key_values=first)
    with pytest.raises(InputError, match="no beam search"):
        first.reorder_cache(torch.tensor([0]))


def test_a_cache_forgets_its_last_rows():
    _, other = compiled("gemma3")
    cache = other.generate(**prompt(1), **GREEDY, return_dict_in_generate=True).past_key_values
    assert cache.get_seq_length() == 11 + NEW - 1
    cache.crop(6)
    assert cache.get_seq_length() == 11 + NEW - 7


NEO = GPTNeoConfig(vocab_size=97, hidden_size=32, num_layers=1, num_heads=2, attention_types=[[["local"], 1]])
JAMBA = JambaConfig(
    vocab_size=97, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=2, use_mamba_kernels=False, attn_layer_period=2, attn_layer_offset=1, num_experts=1,
)  # fmt: skip

MISUSE = [
    (lambda: torch.nn.Linear(2, 2), {}, "Linear has no generate"),
    (lambda: JambaForCausalLM(JAMBA), {}, "layer 0 of JambaForCausalLM keeps a LinearAttentionLayer, not keys"),
    (lambda: GPTNeoForCausalLM(NEO), {}, "GPTNeoForCausalLM takes no cache of a fixed size"),
    (lambda: causal("gpt2"), {"capacity": 0}, "capacity takes positive whole numbers, not 0"),
    (lambda: causal("gpt2"), {"batch": True}, "batch takes positive whole numbers, not True"),
    (lambda: causal("gpt2"), {"tokens": (8, -1)}, "tokens takes positive whole numbers, not -1"),
    (lambda: causal("gpt2"), {"inputs": torch.zeros(1, 2)}, "has no encoder that takes inputs"),
    (lambda: with_encoder("t5"), {}, "has an encoder: give inputs"),
    (lambda: with_encoder("t5"), {"inputs": {"input_ids": torch.zeros(1, 2)}}, "inputs takes a tensor, .* not dict"),
]


@pytest.mark.parametrize(("build", "how", "message"), MISUSE, ids=[message[:24] for *_, message in MISUSE])
def test_misuse_is_named(build: Any, how: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        ttc.generation.programs(build(), **{"capacity": CAPACITY, **how})
