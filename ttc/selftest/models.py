"""The models of `ttc selftest`: built in code, or carried by the onnx package; weights are random and seeded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.errors import require
from ttc.selftest.rows import Trial

if TYPE_CHECKING:
    from torch import nn

    from ttc.compiled.compiled import Compiled

TOKENS, WORDS, WIDTH, HEADS, INNER, LAYERS = 32, 1000, 384, 12, 1536, 6
"""MiniLM-L6's sizes, but for its vocabulary of 30,522 words."""


def minilm_like(target: str) -> tuple[Compiled, dict[str, np.ndarray]]:
    """Compile an encoder of MiniLM-L6's sizes; return the program and its inputs, token numbers."""
    import torch

    import ttc

    torch.manual_seed(0)
    tokens = torch.randint(0, WORDS, (1, TOKENS))
    return ttc.compile(_encoder(), (tokens,), target=target), {"tokens": tokens.numpy()}


def light_resnet50(target: str) -> tuple[Compiled, dict[str, np.ndarray]]:
    """Compile the onnx package's ResNet-50 with random weights; return the program and an image of noise."""
    import ttc
    from ttc.models.light import seeded

    model = seeded("resnet50")
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224), np.float32)
    return ttc.compile(model, target=target), {model.graph.input[0].name: image}


MODELS: dict[str, Callable[[str], tuple[Any, dict[str, np.ndarray]]]] = {
    "model minilm-like": minilm_like,
    "model light_resnet50": light_resnet50,
}
"""Compilers of the models by name, each for a target by name."""


def model_trial(name: str, target: str) -> Trial:
    """Compile a model for a target; TtcError names a package that is missing for it."""
    require("compiling the models of the selftest")
    compiled, inputs = MODELS[name](target)
    build = compiled.build
    return Trial(name, build.program, build.weights, inputs, model=True)


def _encoder() -> nn.Module:
    """Build the encoder: token numbers [1, T] to unit vectors [1, 384]."""
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    class Layer(nn.Module):
        """Attention and a feed-forward net, each behind a norm of the sum."""

        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.up, self.down = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
            self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

        def forward(self, x: Tensor) -> Tensor:
            heads = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, 2))
            attended = functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
            x = self.first(x + self.out(attended))
            return self.second(x + self.down(functional.gelu(self.up(x))))

    class Encoder(nn.Module):
        """Embeddings with positions, layers, and the mean over tokens at length 1."""

        def __init__(self) -> None:
            super().__init__()
            self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Parameter(torch.randn(TOKENS, WIDTH))
            self.norm, self.layers = nn.LayerNorm(WIDTH), nn.Sequential(*(Layer() for _ in range(LAYERS)))

        def forward(self, tokens: Tensor) -> Tensor:
            x = self.layers(self.norm(self.words(tokens) + self.places))
            return functional.normalize(x.mean(1), dim=1)

    return Encoder().eval()
