"""Masks of torch's own transformers: applied as they are given, causal or not, told or not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ttc

WIDTH, SIZE = 8, 6
CAUSAL = nn.Transformer.generate_square_subsequent_mask(SIZE)
MASKS = {
    "causal": CAUSAL,
    "booleans": CAUSAL < 0,
    "no causal one": CAUSAL.flip(0).flip(1),
    "numbers": torch.linspace(-1, 1, SIZE * SIZE).reshape(SIZE, SIZE),
    "of heads": CAUSAL.expand(4, SIZE, SIZE),
}


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, 2, 16, batch_first=True, dropout=0)
        self.layers = nn.TransformerEncoder(layer, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.layers(x, mask)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerDecoderLayer(WIDTH, 2, 16, batch_first=True, dropout=0)
        self.layers = nn.TransformerDecoder(layer, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.layers(x, x.flip(1)[:, :4], mask)


class OfItself(Encoder):
    """Makes the mask of the length, as language models do."""

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x, nn.Transformer.generate_square_subsequent_mask(x.shape[1]))


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("kind", [Encoder, Decoder])
def test_masks_are_applied_as_they_are_given(kind: type[nn.Module], mask: Tensor):
    torch.manual_seed(0)
    model, x = kind().eval(), torch.randn(2, SIZE, WIDTH)
    compiled = ttc.compile(model, (x, CAUSAL.clone() if mask is CAUSAL else torch.zeros_like(mask)), dtype="fp32")
    torch.testing.assert_close(compiled(x, mask), model(x, mask), rtol=1e-4, atol=1e-5)


def test_a_mask_that_is_made_of_the_length_is_so_at_all_lengths():
    torch.manual_seed(0)
    model, x = OfItself().eval(), torch.randn(1, 8, WIDTH)
    compiled = ttc.compile(model, (x,), dynamic_shapes=({1: "T"},), lengths={"T": [SIZE, 8]}, dtype="fp32")
    for size in (1, 5, 8):
        torch.testing.assert_close(compiled(x[:, :size]), model(x[:, :size]), rtol=1e-4, atol=1e-5)


def test_torch_looks_into_masks_again_when_a_module_was_traced():
    from torch.nn.modules.transformer import _detect_is_causal_mask

    ttc.compile(Encoder().eval(), (torch.randn(1, SIZE, WIDTH), CAUSAL))
    assert _detect_is_causal_mask(CAUSAL, None, SIZE)
