"""Modules that change their buffers or inputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PLACES, HEADS, WIDTH = 64, 2, 16


class Counter(nn.Module):
    """Counts its runs in int64, from 3."""

    n: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.tensor(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        before = self.n.clone()
        self.n += 1
        return torch.where(self.n > 20, x, -x), before


class Average(nn.Module):
    """The distance from an exponential moving average, so slow that bf16 would not move."""

    mean: Tensor

    def __init__(self, decay: float = 0.998):
        super().__init__()
        self.decay = decay
        self.register_buffer("mean", torch.full((4,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        self.mean.mul_(self.decay).add_(x.mean(0) * (1 - self.decay))
        return x * 2 - self.mean


class Attends(nn.Module):
    """A step of attention over all steps so far, whose keys and values lie in a cache; `write` puts one in place."""

    position: Tensor
    keys: Tensor
    values: Tensor

    def __init__(self, write: str = "index_copy"):
        super().__init__()
        self.write = write
        self.project = nn.Linear(HEADS * WIDTH, 3 * HEADS * WIDTH)
        self.register_buffer("position", torch.zeros(1, dtype=torch.int64))
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(1, HEADS, PLACES, WIDTH))

    def put(self, cache: Tensor, item: Tensor) -> None:
        match self.write:
            case "index_copy":
                cache.index_copy_(2, self.position, item)
            case "assign":
                cache[:, :, self.position] = item
            case "where":
                here = (torch.arange(PLACES) == self.position)[:, None]
                cache.copy_(torch.where(here, item, cache))
            case "scatter":
                cache.scatter_(2, self.position.expand(1, HEADS, 1, WIDTH), item)
            case "shift":
                cache.copy_(torch.cat([cache[:, :, 1:], item], 2))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project(x).view(1, 1, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4).unbind()
        self.put(self.keys, k)
        self.put(self.values, v)
        seen = torch.arange(PLACES) <= self.position
        if self.write == "shift":
            seen = torch.arange(PLACES).flip(0) <= self.position
        scores = q @ self.keys.transpose(-1, -2) / math.sqrt(WIDTH)
        weights = scores.masked_fill(~seen, -1e4).softmax(-1)
        self.position += 1
        return (weights @ self.values).transpose(1, 2).reshape(1, 1, HEADS * WIDTH)


class Normalises(nn.Module):
    """Batch norm by the batch's own statistics, which it keeps running averages of."""

    mean: Tensor
    var: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("var", torch.ones(6))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.mean, self.var, training=True, momentum=0.1)


class Delays(nn.Module):
    """Gives what came two runs ago; buffers take each other's place, an input's, and a number."""

    last: Tensor
    before: Tensor
    ran: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("last", torch.full((2, 3), -1.0))
        self.register_buffer("before", torch.full((2, 3), -2.0))
        self.register_buffer("ran", torch.zeros(2, dtype=torch.bool))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found, ran = self.before.clone(), self.ran.clone()
        self.before.copy_(self.last)
        self.last.copy_(x)
        self.ran.fill_(True)
        return found, ran


class Changes(nn.Module):
    """Changes its first argument, and one in a dict whose result has the argument's name."""

    def forward(self, x: Tensor, kept: dict[str, Tensor]) -> dict[str, Tensor]:
        x.add_(kept["y"])
        kept["y"].mul_(2)
        return {"x": x * 3}


class Shared(nn.Module):
    """Two buffers in one memory: one tensor, a part of the other, or those of one module under two names."""

    a: Tensor
    b: Tensor

    def __init__(self, part: bool = False, twice: bool = False):
        super().__init__()
        self.twice = twice
        self.register_buffer("a", torch.zeros(2, 3))
        self.register_buffer("b", self.a[0] if part else self.a)
        if twice:
            self.a, self.b = torch.zeros(1), torch.zeros(1)
            self.first = self.second = Counter()

    def forward(self, x: Tensor) -> Tensor:
        if self.twice:
            return self.first(x)[0] + self.second(x)[0]
        self.a += x
        return self.b * 2


class Keeps(nn.Module):
    """Buffers, made by `make`, that `step` changes."""

    def __init__(self, step: Callable[[Any, Tensor], object], buffers: dict[str, Tensor], persistent: bool = True):
        super().__init__()
        self.step, self.flag = step, True
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=persistent)

    def forward(self, x: Tensor) -> object:
        return self.step(self, x)


def _views(m: Any, x: Tensor) -> Tensor:
    m.a[0].add_(x)
    m.a.view(6)[4:] = 7
    m.a.t()[0] *= 2
    return m.a.sum(0)


def _kinds(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    m.flags.logical_not_()
    m.i16 += 2
    m.f16 += 1
    m.f64 += x.sum()
    m.bf16 *= 2
    m.u8 += 100
    return m.flags.clone(), m.i16 * 2, m.f16 + 0, m.f64 * 1, m.u8.clone(), x.clone()


def _under_a_flag(m: Any, x: Tensor) -> Tensor:
    if m.flag:
        m.a += x
    return m.a * 2


def _given_back(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    before = m.a.clone()
    m.a += x
    return m.a, before, m.a


def _anew(m: Any, x: Tensor) -> Tensor:
    m.a = m.a + x
    return m.a * 1


def _alike(m: Any, x: Tensor) -> Tensor:
    before = m.b.clone()
    m.a.add_(x)
    m.b.copy_(m.a)
    return before


def _input_in_both(m: Any, x: Tensor) -> Tensor:
    before = m.a + m.b
    m.a.copy_(x)
    m.b.copy_(x)
    return before


def _exchanged(m: Any, x: Tensor) -> Tensor:
    before = m.a.clone()
    m.a.copy_(m.b)
    m.b.copy_(before + x)
    return m.a - m.b


def _unread(m: Any, x: Tensor) -> Tensor:
    m.a += 1
    return x * 1


def _two() -> dict[str, Tensor]:
    return {"a": torch.zeros(3), "b": torch.ones(3)}


ODD: dict[str, Callable[[], nn.Module]] = {
    "views": lambda: Keeps(_views, {"a": torch.zeros(2, 3)}),
    "kinds": lambda: Keeps(
        _kinds,
        {
            "flags": torch.tensor([True, False]),
            "i16": torch.tensor([5], dtype=torch.int16),
            "f16": torch.tensor([0.5], dtype=torch.float16),
            "f64": torch.tensor([0.5], dtype=torch.float64),
            "bf16": torch.tensor([0.5], dtype=torch.bfloat16),
            "u8": torch.tensor([120], dtype=torch.uint8),
        },
    ),
    "under a flag of Python's": lambda: Keeps(_under_a_flag, {"a": torch.zeros(3)}),
    "outputs too": lambda: Keeps(_given_back, {"a": torch.zeros(3)}),
    "assigned": lambda: Keeps(_anew, {"a": torch.zeros(3)}),
    "in no file": lambda: Keeps(_anew, {"a": torch.zeros(3)}, persistent=False),
    "two with one value": lambda: Keeps(_alike, _two()),
    "two with the input": lambda: Keeps(_input_in_both, _two()),
    "exchanged": lambda: Keeps(_exchanged, _two()),
    "never read": lambda: Keeps(_unread, {"a": torch.zeros(3)}),
    "without elements": lambda: Keeps(_unread, {"a": torch.zeros(0, 3)}),
}
"""Modules that keep state in odd ways, for one input of 3 numbers."""
