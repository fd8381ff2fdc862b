"""Rational quadratic splines of VITS (Durkan et al. 2019) as selects, while a module is traced.

Packages compute the spline where an input is within the tails and copy it elsewhere: tensors whose size depends on
data. Here the spline is computed of every input, of 0 in place of one that is beyond the tails, and a choice takes the
result or the input itself. The numbers are the packages' own, bit for bit. The spline within the tails is that of
transformers, in OpenVoice's package too, whose own asks whether all inputs are within them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

VITS, OPENVOICE = "transformers.models.vits.modeling_vits", "openvoice_cli.transforms"


@contextmanager
def static_splines() -> Iterator[None]:
    """Let splines have a static form; where neither package's module of them is imported there are none."""
    openvoice = sys.modules.get(OPENVOICE)
    vits = sys.modules.get(VITS) if openvoice is None else import_module(VITS)
    if vits is None:
        yield
        return
    chosen = _chosen(vits._rational_quadratic_spline)
    with ExitStack() as patches:
        patches.enter_context(patch.object(vits, "_unconstrained_rational_quadratic_spline", chosen))
        patches.enter_context(patch.object(vits, "torch_compilable_check", lambda *_: None))  # all are within the tails
        if openvoice is not None:
            own = "unconstrained_rational_quadratic_spline"
            patches.enter_context(patch.object(openvoice, own, _linear(chosen)))
        yield


def _linear(chosen: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return a spline with linear tails under OpenVoice's names of arguments."""

    def unconstrained(
        *numbers: Tensor, inverse: bool = False, tails: str = "linear", tail_bound: float = 1.0, **named: Any
    ) -> tuple[Tensor, Tensor]:
        if tails != "linear":
            raise RuntimeError(f"{tails} tails are not implemented.")  # as the package says
        return chosen(*numbers, reverse=inverse, tail_bound=tail_bound, **named)

    return unconstrained


def _chosen(spline: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
    def unconstrained(
        inputs: Tensor,
        unnormalized_widths: Tensor,
        unnormalized_heights: Tensor,
        unnormalized_derivatives: Tensor,
        reverse: bool = False,
        tail_bound: float = 5.0,
        min_bin_width: float = 1e-3,
        min_bin_height: float = 1e-3,
        min_derivative: float = 1e-3,
    ) -> tuple[Tensor, Tensor]:
        within = (inputs >= -tail_bound) & (inputs <= tail_bound)
        one = math.log(math.exp(1 - min_derivative) - 1)  # softplus of which is a slope of 1, with min_derivative
        slopes = nn.functional.pad(unnormalized_derivatives, (1, 1), value=one)
        outputs, log_slopes = spline(
            torch.where(within, inputs, 0.0), unnormalized_widths, unnormalized_heights, slopes,
            reverse, tail_bound, min_bin_width, min_bin_height, min_derivative,
        )  # fmt: skip
        return torch.where(within, outputs, inputs), torch.where(within, log_slopes, 0.0)

    return unconstrained
