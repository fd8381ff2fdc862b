"""Modules that change their buffers or inputs."""

from __future__ import annotations

import math

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
