"""A failed export is told with the model's own line, and with what helps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from ttc.errors import InputError
from ttc.frontend.export import export

X = torch.ones(3)


@dataclass
class Cache:
    """What no pytree knows."""

    keys: torch.Tensor


class Branches(nn.Module):
    def forward(self, x):
        if x.sum() > 0:  # the branch
            return x
        return -x


class Sizes(nn.Module):
    def forward(self, x):
        return x[: int(x.max().item())]  # the size


class Raises(nn.Module):
    def forward(self, x):
        raise ValueError("my own words")


class ReturnsCache(nn.Module):
    def forward(self, x):
        return x, Cache(x)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Branches(), r"test_export_failure\.py:\d+, in forward: if x\.sum\(\) > 0:.*use torch\.where"),
        (Sizes(), r"test_export_failure\.py:\d+, in forward: return x\[: int.*a Python number for a size"),
        (Raises(), r"ValueError: my own words \(at .*test_export_failure\.py:\d+, in forward: raise ValueError"),
        (ReturnsCache(), r"Cache.*use_cache=False"),
        (nn.Linear(4, 2), "Linear: RuntimeError: .* same reduction dim"),  # no line of torch's own is told
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_models_own_line_and_what_helps(model: nn.Module, said: str):
    with pytest.raises(InputError, match=said) as caught:
        export(model.eval(), (X,))
    text = str(caught.value)
    assert "\n" not in text
    assert "/torch/" not in text
    assert ("test_export_failure.py" in text) == isinstance(model, (Branches, Sizes, Raises))
