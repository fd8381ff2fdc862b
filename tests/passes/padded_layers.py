"""Layers of networks over time, [batch, channels, time] -> the same with another time, as PyTorch has them.

Each function makes one by random choices; `KINDS` lists them. A layer may use a style vector and a key mask.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS, STYLE = 8, 3


class Layer(nn.Module):
    """`function(x, *parts)`; with `takes`, also of "style" [batch, STYLE] or "keep" [batch, time].

    `keeps` says that the result is as long as x.
    """

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module, takes: str = "", keeps: bool = True):
        super().__init__()
        self.function, self.takes, self.keeps = function, takes, keeps
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor, style: Tensor, keep: Tensor) -> Tensor:
        given = {"style": style, "keep": keep}
        return self.function(x, *([given[self.takes]] if self.takes else []), *self.parts)


class Choices(random.Random):
    """What a layer chooses from; `aligned` says whether time is still as long as the input's."""

    aligned = True


def rows(x: Tensor) -> Tensor:
    """[batch, channels, time] as [batch, time, channels], and back."""
    return x.transpose(1, 2)


# ---------------------------------------------------------------- convolutions


def conv(n: Choices) -> Layer:
    kernel, dilation, stride = n.choice((1, 3, 5)), n.choice((1, 2, 3)), n.choice((1, 1, 2))
    mode = n.choice(("zeros", "zeros", "reflect", "replicate"))
    groups = n.choice((1, 1, CHANNELS))
    pads = dilation * (kernel - 1) // 2
    part = nn.Conv1d(CHANNELS, CHANNELS, kernel, stride, pads, dilation, groups, padding_mode=mode)
    return Layer(lambda x, part: part(x), part, keeps=stride == 1)


def causal(n: Choices) -> Layer:
    kernel, dilation = n.choice((2, 3)), n.choice((1, 2, 4))
    pads = n.choice(((dilation * (kernel - 1), 0), (0, dilation * (kernel - 1))))
    part = nn.Conv1d(CHANNELS, CHANNELS, kernel, dilation=dilation)
    return Layer(lambda x, part: part(F.pad(x, pads)), part)


def open_ended(n: Choices) -> Layer:
    """Windows that the end cuts off, or that reach over it on both sides."""
    pads = n.choice((0, 2))
    part = nn.Conv1d(CHANNELS, CHANNELS, 3, padding=pads)
    return Layer(lambda x, part: part(x), part, keeps=False)


def transposed(n: Choices) -> Layer:
    kernel, stride = n.choice((2, 3, 4)), n.choice((1, 2))
    cut = n.choice((0, 1)) if kernel > 2 else 0
    more = n.choice((0, stride - 1))
    part = nn.ConvTranspose1d(CHANNELS, CHANNELS, kernel, stride, cut, more, groups=n.choice((1, CHANNELS)))
    return Layer(lambda x, part: part(x), part, keeps=False)


def gated(n: Choices) -> Layer:
    """A WaveNet layer, conditioned on the style."""
    dilation = n.choice((1, 2, 4))
    part = nn.Conv1d(CHANNELS, 2 * CHANNELS, 3, padding=dilation, dilation=dilation)

    def run(x, style, part, wide):
        a, b = (part(x) + wide(style)[:, :, None]).chunk(2, 1)
        return x + torch.tanh(a) * torch.sigmoid(b)

    return Layer(run, part, nn.Linear(STYLE, 2 * CHANNELS), takes="style")


def padded(n: Choices) -> Layer:
    pads = n.choice(((1, 2), (0, 2), (2, 0)))
    mode = n.choice(("reflect", "replicate", "constant"))
    value = n.choice((0.0, 0.5)) if mode == "constant" else None
    return Layer(lambda x: F.pad(x, pads, mode, value), keeps=False)


# ---------------------------------------------------------------- norms


def instance_norm(n: Choices) -> Layer:
    return Layer(lambda x, part: part(x), nn.InstanceNorm1d(CHANNELS, affine=n.choice((False, True))))


def group_norm(n: Choices) -> Layer:
    return Layer(lambda x, part: part(x), nn.GroupNorm(n.choice((1, 2, CHANNELS)), CHANNELS))


def layer_norm(n: Choices) -> Layer:
    """Over channels, over time, or over both."""
    over = n.choice(("channels", "time", "both"))
    if over == "channels":
        return Layer(lambda x, part: rows(part(rows(x))), nn.LayerNorm(CHANNELS))
    return Layer(lambda x: F.layer_norm(x, x.shape[2:] if over == "time" else x.shape[1:]))


def adaptive_norm(n: Choices) -> Layer:
    """Scale and shift follow the style: instance norm over time, or layer norm over channels."""
    kind = n.choice(("instance", "layer"))
    norm = nn.InstanceNorm1d(CHANNELS, affine=n.choice((False, True)))

    def run(x, style, wide, norm):
        scale, shift = wide(style)[:, :, None].chunk(2, 1)
        y = norm(x) if kind == "instance" else rows(F.layer_norm(rows(x), (CHANNELS,), eps=1e-5))
        return (1 + scale) * y + shift

    return Layer(run, nn.Linear(STYLE, 2 * CHANNELS), norm, takes="style")


def residual(n: Choices) -> Layer:
    """Adaptive norm, snake, dilated convolution, and what came in."""
    dilation = n.choice((1, 3))
    norm = nn.InstanceNorm1d(CHANNELS, affine=True)
    part = nn.Conv1d(CHANNELS, CHANNELS, 3, padding=dilation, dilation=dilation)

    def run(x, style, wide, norm, part):
        scale, shift = wide(style)[:, :, None].chunk(2, 1)
        y = (1 + scale) * norm(x) + shift
        y = y + torch.sin(2 * y) ** 2 / 2
        return (x + part(y)) * 0.75

    return Layer(run, nn.Linear(STYLE, 2 * CHANNELS), norm, part, takes="style")


# ---------------------------------------------------------------- what mixes all of time


def recurrence(n: Choices) -> Layer:
    kind, both = n.choice((nn.LSTM, nn.LSTM, nn.GRU, nn.GRU, nn.RNN)), n.choice((True, True, False))
    first = n.choice((True, False))
    hidden = CHANNELS // 2 if both else CHANNELS
    part = kind(CHANNELS, hidden, n.choice((1, 1, 2)), batch_first=first, bidirectional=both)
    return Layer(
        lambda x, part: rows(part(rows(x))[0]) if first else part(x.permute(2, 0, 1))[0].permute(1, 2, 0), part
    )


def last_state(n: Choices) -> Layer:
    """A recurrence's last states, beside every step."""
    part = n.choice((nn.LSTM, nn.GRU))(CHANNELS, CHANNELS // 2, batch_first=True, bidirectional=True)

    def run(x, part):
        state = part(rows(x))[1]
        state = state[0] if isinstance(state, tuple) else state
        return x + state.transpose(0, 1).reshape(-1, CHANNELS)[:, :, None]

    return Layer(run, part)


def attention(n: Choices) -> Layer:
    """As a module, with a key mask of its own where the input's is as long."""
    first, weights = n.choice((True, False)), n.choice((True, False))
    part = nn.MultiheadAttention(CHANNELS, 2, batch_first=first)

    def run(x, *rest):
        steps = rows(x) if first else x.permute(2, 0, 1)
        *keep, part = rest
        y = part(steps, steps, steps, key_padding_mask=~keep[0] if keep else None, need_weights=weights)[0]
        return rows(y) if first else y.permute(1, 2, 0)

    return Layer(run, part, takes="keep" if n.aligned and n.choice((True, False)) else "")


def scores(n: Choices) -> Layer:
    """Attention as a function: all keys, those before, those that a mask names, or by added scores."""
    kind = n.choice(("all", "causal", "scores", "keep" if n.aligned else "all"))

    def run(x, *keep):
        heads = rows(x).unflatten(2, (2, CHANNELS // 2)).transpose(1, 2)
        mask = keep[0] if keep else x.mean(1) if kind == "scores" else None
        mask = None if mask is None else mask[:, None, None]
        y = F.scaled_dot_product_attention(heads, heads * 0.5, heads, mask, is_causal=kind == "causal")
        return rows(y.transpose(1, 2).flatten(2))

    return Layer(run, takes="keep" if kind == "keep" else "")


def relative(n: Choices) -> Layer:
    """Attention written out, with a score for each distance, as T5 and SpeechT5 have it."""
    reach = n.choice((2, 4))

    def run(x, table):
        places = torch.arange(x.shape[2])
        distance = (places[None] - places[:, None]).clamp(-reach, reach) + reach
        shares = (rows(x) @ x + table(distance)[..., 0]).softmax(-1)
        return rows(shares @ rows(x))

    return Layer(run, nn.Embedding(2 * reach + 1, 1))


def transformer(n: Choices) -> Layer:
    part = nn.TransformerEncoderLayer(CHANNELS, 2, 8, batch_first=True, norm_first=n.choice((False, True)))
    return Layer(lambda x, part: rows(part(rows(x))), part)


def statistics(n: Choices) -> Layer:
    """A mean or the like over time, with every step."""
    kinds = {
        "mean": lambda x: x.mean(2, keepdim=True),
        "deviation": lambda x: x.std(2, keepdim=True),
        "largest": lambda x: x.amax(2, keepdim=True),
        "pooled": lambda x: F.adaptive_avg_pool1d(x, 1),
        "sum": lambda x: x.sum(2, keepdim=True) / x.shape[2] ** 0.5,
    }
    kind = kinds[n.choice(list(kinds))]
    return Layer(lambda x: x - kind(x))


def squeezed(n: Choices) -> Layer:
    """Squeeze and excitation."""
    parts = nn.Linear(CHANNELS, 2), nn.Linear(2, CHANNELS)
    return Layer(lambda x, a, b: x * torch.sigmoid(b(torch.relu(a(x.mean(2)))))[:, :, None], *parts)


def attentive(n: Choices) -> Layer:
    """Pooling by shares that a softmax over time gives."""
    return Layer(lambda x, part: x + (part(x).softmax(2) * x).sum(2, keepdim=True), nn.Conv1d(CHANNELS, 1, 1))


def prefix_sum(n: Choices) -> Layer:
    kinds = {
        "mean": lambda x: x.cumsum(2) / torch.arange(1, x.shape[2] + 1),
        "phase": lambda x: torch.sin(x.cumsum(2)),
        "from the end": lambda x: torch.tanh(x.flip(2).cumsum(2).flip(2) * 0.125),
        "product": lambda x: torch.tanh(x).cumprod(2) + x,
    }
    return Layer(kinds[n.choice(list(kinds))])


# ---------------------------------------------------------------- rates, places, single steps


def pool(n: Choices) -> Layer:
    kernel, stride, pads = n.choice(((3, 1, 1), (2, 2, 0), (3, 2, 1), (3, 3, 0), (4, 2, 1)))
    if n.choice((True, False)):
        ceil = n.choice((False, True)) and kernel == stride + 2 * pads
        return Layer(lambda x: F.max_pool1d(x, kernel, stride, pads, ceil_mode=ceil), keeps=False)
    counted = n.choice((True, False))
    return Layer(lambda x: F.avg_pool1d(x, kernel, stride, pads, count_include_pad=counted), keeps=False)


def upsample(n: Choices) -> Layer:
    scale, mode = n.choice((2, 3)), n.choice(("nearest", "linear"))
    return Layer(lambda x: F.interpolate(x, scale_factor=scale, mode=mode), keeps=False)


def repeated(n: Choices) -> Layer:
    return Layer(lambda x: x.repeat_interleave(2, 2)[:, :, 1:], keeps=False)


def shuffled(n: Choices) -> Layer:
    """Channels become time: the halves of a wider convolution alternate."""
    part = nn.Conv1d(CHANNELS, 2 * CHANNELS, 1)
    return Layer(lambda x, part: part(x).unflatten(1, (CHANNELS, 2)).transpose(2, 3).flatten(2), part, keeps=False)


def positions(n: Choices) -> Layer:
    """Sines of positions, or rows of a table."""
    if n.choice((True, False)):
        return Layer(lambda x, table: x + table(torch.arange(x.shape[2])).T, nn.Embedding(512, CHANNELS))
    rates = torch.arange(1, CHANNELS + 1) / 8
    return Layer(lambda x: x + torch.sin(torch.arange(x.shape[2]) * rates[:, None].to(x)))


def spectral(n: Choices) -> Layer:
    """A spectrum of each channel, and the signal of it, which ends with the last frame or with time."""
    whole = n.choice((False, True))
    window = torch.tensor([0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25])

    def run(x):
        options = {"n_fft": 8, "hop_length": 2, "window": window.to(x)}
        spectrum = torch.stft(x.flatten(0, 1), return_complex=True, **options)
        y = torch.istft(spectrum / (1 + spectrum.abs()), length=x.shape[2] if whole else None, **options)
        return y.unflatten(0, (-1, CHANNELS))

    return Layer(run, keeps=whole)


def turned(n: Choices) -> Layer:
    return Layer(lambda x: x.flip(2))


def shifted(n: Choices) -> Layer:
    by = n.choice((1, 2, -1))
    return Layer(lambda x: x + x.roll(by, 2))


def doubled(n: Choices) -> Layer:
    """x after x, halved again by a stride."""
    return Layer(lambda x: torch.cat([x, x], 2)[:, :, ::2])


def joined(n: Choices) -> Layer:
    """A step before the first, or after the last."""
    places = n.choice(("before", "after"))

    def run(x):
        step = x.mean(2, keepdim=True)
        return torch.cat([step, x] if places == "before" else [x, step], 2)

    return Layer(run, keeps=False)


def differences(n: Choices) -> Layer:
    """Each step with the one before, and all with the last."""
    return Layer(lambda x: F.pad(x[:, :, 1:] - x[:, :, :-1], (1, 0)) + x[:, :, -1:])


def exponential(n: Choices) -> Layer:
    """What may overflow in the padding."""
    return Layer(lambda x: 1 / (torch.exp(torch.tanh(x)) + 0.125) + torch.log1p(x**2))


# ---------------------------------------------------------------- what is infinite or NaN where x is zero


def away(x: Tensor) -> Tensor:
    """x, but farther from zero where it is not zero: functions with a pole there are as exact as others."""
    return x + 2 * x.sign()


POLES: dict[str, Callable[[Tensor], Tensor]] = {
    "logarithm": lambda x: away(x).square().log(),
    "reciprocal": lambda x: 1 / away(x),
    "reciprocal root": lambda x: away(x).square().rsqrt(),
    "negative power": lambda x: away(x).pow(-2),
    "quotient": lambda x: torch.tanh(x) / away(x),
    "share of a sum": lambda x: x / x.abs().sum(1, keepdim=True),
    "share of a sum over time": lambda x: x * 4 / x.abs().sum(2, keepdim=True),
    "unit vectors": lambda x: x / x.norm(dim=1, keepdim=True),
    "unit length over time": lambda x: x / x.square().mean(2, keepdim=True).sqrt(),
    "deviations": lambda x: x / (x.std(1, keepdim=True) + x.abs().amax(1, keepdim=True)),
    "variance over time": lambda x: x / (1 + x.var(2, keepdim=True, unbiased=False)).sqrt(),
    "root mean square": lambda x: rows(F.rms_norm(rows(away(x)), (CHANNELS,), eps=0.0)),
    "shares of differences": lambda x: F.pad((x[:, :, 1:] - x[:, :, :-1]).softmax(2), (0, 1)) * 4,
    "logarithms of shares": lambda x: x.log_softmax(1),
}
"""[batch, channels, time] to the same: finite for what is not zero, some of them not for what is."""

BEFORE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "shares over time": lambda x, y: rows((rows(x) @ x).softmax(-1) @ rows(y)),
    "shares over time, from the right": lambda x, y: y @ (rows(x) @ x).softmax(-2),
    "a product of channels": lambda x, y: (torch.tanh(y) @ rows(torch.tanh(x)) / x.shape[2]) @ x,
    "an outer product": lambda x, y: torch.einsum("bct,bcs,bds->bdt", torch.tanh(x), torch.tanh(y), x) / x.shape[2],
    "a prefix sum": lambda x, y: torch.tanh(y.cumsum(2) / 8) + x,
    "attention": lambda x, y: rows(
        F.scaled_dot_product_attention(rows(x)[:, None], rows(x)[:, None], rows(y)[:, None])[:, 0]
    ),
    "every step": lambda x, y: torch.tanh(y),
}
"""Products that take x and what became of it."""


def poles(n: Choices) -> Layer:
    """What has a pole at zero, before a product over time, over channels or over both."""
    function, product = POLES[n.choice(list(POLES))], BEFORE[n.choice(list(BEFORE))]
    return Layer(lambda x: product(torch.tanh(x), function(torch.tanh(x))))


KINDS: tuple[Callable[[Choices], Layer], ...] = (
    conv, causal, open_ended, transposed, gated, padded, instance_norm, group_norm, layer_norm, adaptive_norm,
    residual, recurrence, last_state, attention, scores, relative, transformer, statistics, squeezed, attentive,
    prefix_sum, pool, upsample, repeated, shuffled, positions, spectral, turned, shifted, doubled, joined, differences,
    exponential, poles, poles, poles,
)  # fmt: skip
