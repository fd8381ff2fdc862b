"""Scalars along a dimension: whatever torch takes dimension 0 or -1 of a scalar for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ttc

ZERO = torch.tensor(0)
FUNCTIONS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mean": lambda x, d: x.mean(d),
    "mean kept": lambda x, d: x.mean(d, keepdim=True),
    "sum": lambda x, d: x.sum(d),
    "nansum": lambda x, d: x.nansum(d),
    "prod": lambda x, d: x.prod(d),
    "var": lambda x, d: x.var(d, unbiased=False),
    "std": lambda x, d: x.std(d, unbiased=False),
    "norm": lambda x, d: torch.linalg.vector_norm(x, dim=d),
    "normalize": lambda x, d: F.normalize(x, dim=d),
    "amax": lambda x, d: x.amax(d),
    "min": lambda x, d: x.min(d)[0],
    "argmax": lambda x, d: x.argmax(d),
    "argsort": lambda x, d: x.argsort(d),
    "sort": lambda x, d: x.sort(d)[0],
    "topk": lambda x, d: x.topk(1, d)[0],
    "median": lambda x, d: x.median(d)[0],
    "all": lambda x, d: x.all(d),
    "any": lambda x, d: x.any(d),
    "softmax": lambda x, d: x.softmax(d),
    "log_softmax": lambda x, d: x.log_softmax(d),
    "logsumexp": lambda x, d: x.logsumexp(d),
    "cumsum": lambda x, d: x.cumsum(d),
    "cumprod": lambda x, d: x.cumprod(d),
    "flip": lambda x, d: x.flip(d),
    "squeeze": lambda x, d: x.squeeze(d),
    "unsqueeze": lambda x, d: x.unsqueeze(d),
    "transpose": lambda x, d: x.transpose(d, d),
    "index_select": lambda x, d: x.index_select(d, ZERO[None]),
    "gather": lambda x, d: x.gather(d, ZERO),
    "stack": lambda x, d: torch.stack([x, x], d),
}


class Along(nn.Module):
    def __init__(self, name: str, dim: int):
        super().__init__()
        self.name, self.dim = name, dim

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS[self.name](x, self.dim)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_as_torch(name: str):
    for dim in (0, -1):
        module, x = Along(name, dim), torch.tensor(-2.5)
        found, wanted = ttc.compile(module, (x,), dtype="fp32")(x), module(x)
        assert found.shape == wanted.shape
        assert found.dtype == wanted.dtype
        torch.testing.assert_close(found, wanted)
