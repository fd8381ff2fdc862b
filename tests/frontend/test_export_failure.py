"""A failed export is told with the model's own line, and with what helps."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from ttc.errors import InputError
from ttc.frontend.export import export
from ttc.frontend.export.tracing import REPORTING, quiet

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


def _report_and_fail():
    print("torch's report", file=sys.stderr)
    raise ValueError("torch gave up")


def test_reports_of_torch_are_silent_while_a_model_is_exported(capsys: pytest.CaptureFixture):
    loggers = [logging.getLogger(name) for name in REPORTING]
    with quiet():
        assert all(logger.disabled for logger in loggers)
    with pytest.raises(ValueError, match="torch gave up"), quiet():
        _report_and_fail()
    assert not any(logger.disabled for logger in loggers)
    assert capsys.readouterr().err == ""


def test_shapes_that_do_not_fit_are_told_once(capfd: pytest.CaptureFixture):
    with pytest.raises(InputError, match="Output size is too small"):
        export(nn.MaxPool2d(3), (torch.zeros(1, 2, 2, 2),))
    assert capfd.readouterr().err == ""
