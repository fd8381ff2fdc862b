"""Rational quadratic splines of transformers' VITS (Durkan et al. 2019) as selects, while a module is traced.

The package computes the spline where an input is within the tails and copies it elsewhere: tensors whose size depends
on data. Here the spline is computed of every input, of 0 in place of one that is beyond the tails, and a choice takes
the result or the input itself. The numbers are the package's own, bit for bit.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor, nn

MODULE = "transformers.models.vits.modeling_vits"


@contextmanager
def static_splines() -> Iterator[None]:
    """Let splines of VITS have a static form; where transformers' VITS is not imported there are none."""
    module = sys.modules.get(MODULE)
    if module is None:
        yield
        return
    with (
        patch.object(module, "_unconstrained_rational_quadratic_spline", _chosen(module._rational_quadratic_spline)),
        patch.object(module, "torch_compilable_check", lambda *_: None),  # all inputs are within the tails
    ):
        yield


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
