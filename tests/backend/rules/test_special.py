"""Functions whose tails are small, and what is left of them where a difference of larger numbers would lose them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import ttc

POINTS = torch.cat(
    [
        *(sign * 10.0 ** -torch.arange(0.0, 9.0) for sign in (1, -1)),
        torch.linspace(-9, 9, 181),
        torch.tensor([0.0, 20.0, -20.0, 30.0, -30.0, 88.0, -88.0, 100.0, -100.0, torch.inf, -torch.inf, torch.nan]),
    ]
)
FUNCTIONS = {
    "erfc": torch.erfc,
    "1 - erf, which is erfc": torch.special.erfc,
    "erfcx": torch.special.erfcx,
    "log_ndtr": torch.special.log_ndtr,
    "expm1": torch.expm1,
    "log1p": lambda x: torch.log1p(x.abs()),
    "softplus": F.softplus,
    "logsigmoid": F.logsigmoid,
    "sinh": torch.sinh,
    "asinh": torch.asinh,
    "atanh": lambda x: torch.atanh(x / 128),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "logaddexp": lambda x: torch.logaddexp(x, x - 1),
    "log_softmax": lambda x: torch.log_softmax(torch.stack([x, 0 * x]), 0)[0],
}
NORMAL = torch.finfo(torch.float32).tiny


class All(torch.nn.Module):
    def forward(self, x):
        return tuple(function(x) for function in FUNCTIONS.values())


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 2e-5), ("bf16", 2**-6)])
def test_every_result_is_right_to_a_share_of_itself(dtype: str, tolerance: float):
    """Of normal size; a bf16 program is measured against its rounded operand, by whose error an exponential grows."""
    x = POINTS.to(torch.bfloat16).float() if dtype == "bf16" else POINTS
    with np.errstate(all="ignore"):
        found, single, wanted = ttc.compile(All(), (x,), dtype=dtype)(x), All()(x), All()(x.double())
    for name, y, plain, exact in zip(FUNCTIONS, found, single, wanted, strict=True):
        if dtype == "bf16" and name == "log_ndtr":
            continue  # a chain of several ops, each of which rounds to bf16
        special = ~plain.isfinite() | (exact.abs() > 1e37)
        torch.testing.assert_close(y[special], plain[special], rtol=tolerance, atol=0.0, equal_nan=True, msg=name)
        small = exact.abs() < NORMAL
        assert bool((y[small & ~special].abs() <= 2 * NORMAL).all()), name
        rest = ~special & ~small
        error, own = (((z[rest].double() - exact[rest]) / exact[rest]).abs() for z in (y, plain))
        excess = error - 2 * own  # float32 has lost some results too
        assert excess.max() <= tolerance, f"{name}: {error[excess.argmax()]} at {x[rest][excess.argmax()]}"
