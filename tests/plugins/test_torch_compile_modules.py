"""torch.compile(backend="ttc") over usual modules, with fixed and dynamic sizes, against the modules themselves."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ttc.plugins.torch_backend import ttc_backend


@pytest.fixture(autouse=True)
def _fresh():
    torch.manual_seed(0)
    torch.compiler.reset()
    with torch.no_grad():
        yield


def x(*sizes: int) -> torch.Tensor:
    return torch.randn(*sizes)


class Residual(nn.Module):
    """A block of a network of images."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 4, 1), nn.Dropout(0.2)
        )
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.pool(F.max_pool2d(x + self.inner(x), 2)).flatten(1))


class Branches(nn.Module):
    """A branch on data, which breaks the graph, and a print."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(8, 8)

    def forward(self, x):
        y = self.lin(x)
        if y.sum() > 0:
            y = y * 2
        torch._dynamo.graph_break()
        return y.relu() if (y > 1).any() else y - 1


class Structured(nn.Module):
    """Keyword arguments, flags, and a dict of tuples for a result."""

    def forward(self, x, *, scale: float = 1.0, flag: bool = False, mask: torch.Tensor | None = None):
        y = x * scale
        y = y + 1 if flag else y
        if mask is not None:
            y = y.masked_fill(mask, 0)
        return {
            "y": y,
            "parts": (y.sum(), [y.mean(-1), y.argmax(-1)]),
            "positive": y > 0,
            "none": None,
            "n": x.shape[0],
        }


class InPlace(nn.Module):
    """Ops in place on what it has made itself."""

    def forward(self, x):
        y = x.clone().add_(1)
        y[:, 0] = 0
        y[:, 1:3].mul_(2)
        return y.relu_().clamp_(max=3)


class Cross(nn.Module):
    """Attention to another sequence, with the weights of attention as a result."""

    def __init__(self):
        super().__init__()
        self.attention, self.norm = nn.MultiheadAttention(16, 4, batch_first=True), nn.LayerNorm(16)

    def forward(self, x, y):
        z, weights = self.attention(x, y, y)
        return self.norm(x + z), weights


class SelfAttention(nn.Module):
    """Attention to itself, weights averaged over heads."""

    def __init__(self, needed: bool, mean: bool = True):
        super().__init__()
        self.attention, self.options = nn.MultiheadAttention(16, 4, batch_first=True), (needed, mean)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=self.options[0], average_attn_weights=self.options[1])


def encoder(**options) -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


CASES = {
    "mlp": (
        lambda: nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Dropout(0.3), nn.Linear(16, 2)),
        [(x(3, 8),), (x(5, 8),)],
    ),
    "layer norm": (lambda: nn.LayerNorm(8, eps=1e-3), [(x(3, 8),), (x(4, 8),)]),
    "batch norm": (lambda: nn.BatchNorm1d(8, eps=1e-3), [(x(3, 8),), (x(4, 8),)]),
    "dropout": (lambda: nn.Dropout(0.3), [(x(3, 8),), (x(4, 8),)]),
    "group norm": (lambda: nn.GroupNorm(2, 4, eps=1e-3), [(x(2, 4, 6),), (x(3, 4, 5),)]),
    "instance norm": (lambda: nn.InstanceNorm1d(4, affine=True), [(x(2, 4, 6),), (x(3, 4, 5),)]),
    "rms norm": (lambda: nn.RMSNorm(8, eps=1e-3), [(x(3, 8),), (x(4, 8),)]),
    "activations": (
        lambda: nn.Sequential(nn.LeakyReLU(0.2), nn.ELU(0.7), nn.Hardtanh(-0.4, 0.8), nn.Softplus(2.0), nn.Softsign()),
        [(x(3, 8),), (x(4, 8),)],
    ),
    "cnn": (Residual, [(x(1, 4, 8, 8),), (x(2, 4, 8, 8),)]),
    "embedding": (lambda: nn.Sequential(nn.Embedding(10, 8), nn.Linear(8, 4)), [(torch.arange(6).reshape(2, 3),)]),
    "lstm": (lambda: nn.LSTM(6, 8, batch_first=True, bidirectional=True), [(x(2, 5, 6),)]),
    "gru": (lambda: nn.GRU(6, 8), [(x(5, 2, 6),)]),
    "encoder": (encoder, [(x(2, 6, 16),), (x(1, 7, 16),)]),
    "encoder, norms first": (lambda: encoder(norm_first=True, activation="gelu"), [(x(2, 6, 16),)]),
    "decoder": (lambda: nn.TransformerDecoderLayer(16, 4, 32, batch_first=True), [(x(2, 5, 16), x(2, 6, 16))]),
    "cross attention": (Cross, [(x(2, 5, 16), x(2, 6, 16)), (x(2, 4, 16), x(2, 7, 16))]),
    "self attention": (lambda: SelfAttention(False), [(x(2, 5, 16),)]),
    "self attention, mean weights": (lambda: SelfAttention(True), [(x(2, 5, 16),)]),
    "self attention, all weights": (lambda: SelfAttention(True, False), [(x(2, 5, 16),)]),
    "graph breaks": (Branches, [(x(3, 8),), (-x(3, 8).abs() * 9,), (x(4, 8),)]),
    "in place": (InPlace, [(x(3, 8),), (x(4, 8),)]),
}  # fmt: skip


def agree(found, wanted) -> None:
    assert type(found) is type(wanted)
    if isinstance(wanted, torch.Tensor):
        assert found.dtype is wanted.dtype
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    elif isinstance(wanted, dict):
        assert list(found) == list(wanted)
        agree(list(found.values()), list(wanted.values()))
    elif isinstance(wanted, (list, tuple)):
        assert len(found) == len(wanted)
        for part, other in zip(found, wanted, strict=True):
            agree(part, other)
    else:
        assert found == wanted


FIXED = ("cnn", "encoder", "cross attention", "graph breaks")
"""What is also compiled for fixed sizes."""


@pytest.mark.parametrize(("name", "dynamic"), [*((name, True) for name in CASES), *((name, False) for name in FIXED)])
def test_modules_give_what_they_give_without_ttc(name: str, dynamic: bool):
    make, calls = CASES[name]
    model = make().eval()
    function = torch.compile(model, backend=ttc_backend, dynamic=dynamic, options={"dtype": "fp32"})
    for call in calls:
        agree(function(*call), model(*call))


def test_keywords_and_structures():
    model, given = Structured(), x(3, 8)
    function = torch.compile(model, backend=ttc_backend, dynamic=True, options={"dtype": "fp32"})
    for keywords in ({}, {"scale": 2.5}, {"scale": 3.5, "flag": True}, {"mask": given > 0}):
        agree(function(given, **keywords), model(given, **keywords))
        agree(function(given[:2], scale=1.5), model(given[:2], scale=1.5))


def causal(n: int) -> torch.Tensor:
    return nn.Transformer.generate_square_subsequent_mask(n)


@pytest.mark.parametrize(
    "masks",
    [
        {"mask": causal(6)},
        {"mask": causal(6) != 0},
        {"src_key_padding_mask": torch.arange(6) >= torch.tensor([[4], [6]])},
        {"mask": causal(6) != 0, "src_key_padding_mask": torch.arange(6) >= torch.tensor([[4], [6]])},
    ],
    ids=["added", "causal", "padding", "both"],
)
def test_masks_of_the_fast_path_hide_what_they_hide(masks: dict[str, torch.Tensor]):
    model = encoder().eval()
    function = torch.compile(model, backend=ttc_backend, options={"dtype": "fp32"})
    given = x(2, 6, 16)
    found, wanted = function(given, **masks), model(given, **masks)
    seen = ~masks.get("src_key_padding_mask", torch.zeros(2, 6, dtype=torch.bool))
    torch.testing.assert_close(found[seen], wanted[seen], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found[seen], model(given)[seen], atol=1e-3)


def test_the_backend_takes_torch_s_dtypes_and_names_wrong_options():
    given = x(3, 8)
    function = torch.compile(nn.ReLU(), backend=ttc_backend, options={"dtype": torch.float32, "target": "p150"})
    torch.testing.assert_close(function(given), given.relu())
    for options, sentence in (
        ({"dtype": "f7"}, "no dtype is called 'f7'"),
        ({"target": "n7"}, "no target is called 'n7'"),
    ):
        with pytest.raises(Exception, match=sentence):
            torch.compile(nn.ReLU(), backend=ttc_backend, options=options)(given)
