"""Where padding safety puts masks and where not: one for all that read a value, none beside the model's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.passes.padded_models import check, module, padded, steps, time_last


def masks(model: nn.Module, *extra, first=steps) -> list[str]:
    found = padded(model, first, *extra)
    check(model, found, 9, first, *extra)
    return [str(mask) for mask in found.masks]


def test_what_mixes_no_positions_gets_none():
    model = module(lambda x, a, b: b(torch.relu(a(x))) + x, nn.Linear(4, 8), nn.Linear(8, 4))
    assert masks(model) == []


def test_windows_that_end_before_the_end_need_none():
    causal = module(lambda x, c: c(F.pad(time_last(x), (2, 0))), nn.Conv1d(4, 8, 3))
    assert masks(causal) == []
    assert masks(module(lambda x, c: c(time_last(x)), nn.ConvTranspose1d(4, 8, 2, 2))) == []
    assert masks(module(lambda x: F.max_pool1d(time_last(x), 2))) == []


def test_a_convolution_over_the_end_gets_one_and_says_why():
    model = module(lambda x, c: c(time_last(x)), nn.Conv1d(4, 8, 3, padding=1))
    assert masks(model) == ["%transpose, 0 beyond T: a convolution reads over the end of the length (%conv1d)"]


def test_one_mask_serves_all_that_read_a_value():
    model = module(
        lambda x, a, b: a(time_last(x)) + b(time_last(x)), nn.Conv1d(4, 8, 3, padding=1), nn.Conv1d(4, 8, 5, padding=2)
    )
    assert len(masks(model)) == 1


def test_inf_and_nan_are_cleaned_where_they_come_in():
    """Keys and values are both finite once x is; and the scores need a mask."""
    model = module(
        lambda x, k, v: F.scaled_dot_product_attention(x[:, None], k(x)[:, None], v(x)[:, None]),
        nn.Linear(4, 4),
        nn.Linear(4, 4),
    )
    found = masks(model)
    assert found[0].startswith("%x, 0 beyond T: inf or NaN")
    assert len(found) == 2


def valid(length: int) -> torch.Tensor:
    return torch.ones(2, length, dtype=torch.bool)


def lengths(length: int) -> torch.Tensor:
    return torch.tensor([length, length - 2])


def _filled_between(x, keep, a, b):
    x = a(time_last(x).masked_fill(~keep, 0)).relu().masked_fill(~keep, 0)
    x = b(x).masked_fill(~keep, 0)
    return x.sum(-1) / keep.sum(-1), x


def _multiplied_between(x, keep, a, b):
    x = b(a(time_last(x) * keep).relu() * keep) * keep
    return x.sum(-1), x


def _convolutions():
    return nn.Conv1d(4, 4, 3, padding=1), nn.Conv1d(4, 4, 3, padding=1)


def test_a_mask_of_the_models_own_is_enough():
    assert masks(module(lambda x, m, a, b: _filled_between(x, m[:, None], a, b), *_convolutions()), valid) == []
    model = module(
        lambda x, m: F.scaled_dot_product_attention(
            *[x.masked_fill(~m[..., None], 0)[:, None]] * 3, attn_mask=m[:, None, None]
        )
    )
    assert masks(model, valid) == []


def test_lengths_of_the_models_own_are_enough_once_they_are_certain():
    def keep(x, n):
        return (torch.arange(x.shape[1])[None] < n[:, None])[:, None]

    model = module(lambda x, n, a, b: _filled_between(x, keep(x, n), a, b), *_convolutions())
    assert masks(model, lengths) == ["%lt, 0 beyond T: the model's own mask, which others rely on (%lt)"]


def test_a_product_with_a_mask_is_enough_for_what_is_finite():
    model = module(lambda x, m, a, b: _multiplied_between(x, m[:, None].float(), a, b), *_convolutions())
    assert len(masks(model, valid)) == 1


def test_added_masks_of_the_lowest_number_become_infinite():
    model = module(
        lambda x, m: (x @ time_last(x) + (1 - m[:, None].float()) * torch.finfo(torch.float32).min).softmax(-1) @ x
    )
    assert masks(model, valid) == [
        "%x, 0 beyond T: inf or NaN would reach a valid element (%x)",
        "%mul_0, -inf beyond T: a softmax over the length (%softmax)",
    ]


# ---------------------------------------------------------------- networks that mask by themselves


def tokens(length: int) -> torch.Tensor:
    return torch.arange(2 * length).reshape(2, length) % 19 + 1


class Encoder(nn.Module):
    """A transformer over tokens, its keys masked, and a mean over those that are there."""

    def __init__(self, whole: bool):
        super().__init__()
        self.whole = whole
        self.table = nn.Embedding(20, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x, keep):
        y = self.layers(self.table(x) if x.ndim == 2 else x, src_key_padding_mask=~keep)
        shares = keep[..., None].float()
        return y if self.whole else F.normalize((y * shares).sum(1) / shares.sum(1).clamp(min=1e-9), dim=1)


@pytest.mark.parametrize("whole", [True, False])
def test_a_transformer_with_a_key_mask_gains_none(whole):
    assert masks(Encoder(whole).eval(), valid, first=tokens) == []


def test_of_floats_it_gains_one_as_they_may_be_nan():
    """Keys beyond the length have no share, but NaN times no share is NaN."""
    found = masks(Encoder(True).eval(), valid, first=lambda length: torch.randn(2, length, 8))
    assert found == ["%x, 0 beyond T: inf or NaN would reach a valid element (%x)"]


class Prior(nn.Module):
    """A text encoder as VITS (Kim et al. 2021) has it: convolutions between products with a mask, scores of -1e4."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.q, self.k, self.v, self.o = (nn.Conv1d(8, 8, 1) for _ in range(4))
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(2))
        self.wide, self.narrow = nn.Conv1d(8, 16, 3, padding=1), nn.Conv1d(16, 8, 3, padding=1)
        self.out = nn.Conv1d(8, 16, 1)

    def forward(self, tokens, own):
        """`own` is a mask, or lengths."""
        keep = torch.arange(tokens.shape[1])[None] < own[:, None] if own.ndim == 1 else own
        keep = keep[:, None].float()
        x = (self.table(tokens) * 8**0.5).transpose(1, 2) * keep
        x = self.norms[0]((x + self._attended(x, keep)).transpose(1, 2)).transpose(1, 2)
        y = self.narrow(torch.relu(self.wide(x * keep)) * keep) * keep
        x = self.norms[1]((x + y).transpose(1, 2)).transpose(1, 2) * keep
        return (*(self.out(x) * keep).chunk(2, 1), x)

    def _attended(self, x, keep):
        q, k, v = (part(x).unflatten(1, (2, 4)).transpose(2, 3) for part in (self.q, self.k, self.v))
        scores = (q / 2 @ k.transpose(2, 3)).masked_fill((keep[:, :, None] * keep[..., None]) == 0, -1e4)
        return self.o((scores.softmax(-1) @ v).transpose(2, 3).flatten(1, 2))


BENEATH = "%masked_fill_0, -inf beyond T: a softmax over the length (%softmax)"
"""Beneath the model's own -1e4, which may be all that a row of scores has."""


def test_an_encoder_that_multiplies_with_its_mask_gains_one_for_its_scores():
    model = module(lambda tokens, own, prior: tuple(map(time_last, prior(tokens, own))), Prior())
    assert masks(model, valid, first=tokens) == [BENEATH]


def test_of_lengths_of_its_own_the_mask_is_made_certain():
    model = module(lambda tokens, own, prior: tuple(map(time_last, prior(tokens, own))), Prior())
    assert masks(model, lengths, first=tokens) == [
        "%lt, 0 beyond T: the model's own mask, which others rely on (%lt)",
        BENEATH,
    ]


def test_relative_positions_gain_one_for_all_layers():
    """T5 (Raffel et al. 2020): scores of distances are added, with those of a mask, and roots are of squares."""
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        vocab_size=20, d_model=16, d_kv=4, num_heads=2, d_ff=16, num_layers=2, relative_attention_num_buckets=8
    )
    torch.manual_seed(0)
    model = module(
        lambda tokens, keep, t5: t5(input_ids=tokens, attention_mask=keep.long()).last_hidden_state,
        transformers.T5EncoderModel(config),
    )
    assert masks(model, valid, first=tokens) == [
        "%where_0, -inf beyond T: attention over the length (%scaled_dot_product_attention)"
    ]
