"""What the random programs have found, each by its name."""

from __future__ import annotations

import numpy as np
import torch
from onnx import helper
from torch import nn

import ttc
from tests.frontend.onnx_models import model_of


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def given(function, *args, dtype="fp32"):
    return ttc.compile(Function(function), args, dtype=dtype)(*args)


def same(function, *args, dtype="fp32", tolerance=1e-5):
    found, wanted = given(function, *args, dtype=dtype), function(*args)
    assert found.dtype == wanted.dtype
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance, equal_nan=True)


def test_a_result_that_is_one_boolean_is_an_array_as_all_others():
    x = torch.tensor(2.0)
    compiled = ttc.compile(Function(lambda x: x > 1), (x,))
    assert isinstance(compiled.run([x.numpy()])["output"], np.ndarray)
    assert bool(compiled(x)) is True


def test_integers_to_negative_powers_are_fractions_towards_zero():
    x = np.array([-7, -1, -1, 1, 2, 3, -2, 0])
    powers = np.array([-9, -3, -2, -5, -1, 2, 3, 0])
    model = model_of([helper.make_node("Pow", ["x", "p"], ["y"])], {"x": x, "p": powers})
    found = ttc.compile(model, dtype="fp32").run({"x": x, "p": powers})["y"]
    np.testing.assert_array_equal(found, [0, -1, 1, 1, 0, 9, -8, 1])


def test_fmax_and_fmin_choose_what_is_no_nan():
    a = torch.tensor([1.0, np.nan, 2.0, np.nan, -np.inf, 3.0])
    b = torch.tensor([np.nan, 3.0, 5.0, np.nan, np.nan, -1.0])
    i, j = torch.tensor([4, -2]), torch.tensor([3, 7])

    def both(a, b, i, j):
        whole = torch.cat([torch.fmax(i, j), torch.fmin(i, j)])
        return torch.cat([torch.fmax(a, b), torch.fmin(a, b), torch.fmax(b, a), torch.fmin(b, a), whole.float()])

    same(both, a, b, i, j)


def test_spectra_have_no_imaginary_part_at_rest_and_at_half_the_rate():
    """Nothing stands in for the 0 there: its logarithm is -inf, and the phase of a negative number pi."""
    x = torch.randn(2, 33, generator=torch.Generator().manual_seed(0)) - 1

    def phase(x):
        spectrum = torch.view_as_real(torch.stft(x, 8, 2, window=torch.hann_window(8), return_complex=True))
        return torch.log(spectrum[..., 1].abs())[:, ::4], torch.atan2(spectrum[..., 1], spectrum[..., 0])[:, ::4]

    for found, wanted in zip(given(phase, x), phase(x), strict=True):
        torch.testing.assert_close(found, wanted)


def test_lerp_goes_from_the_nearer_end():
    """At 1 it is the end, however far away the beginning."""
    x, end = torch.tensor([1e8, 1e8, 3.0, -1.0, 2.0]), torch.tensor([1.0, 1.0, -np.inf, 7.0, 0.1])
    weights = (0.0, 0.25, 0.5, 1.0, 1.5, -0.75, torch.tensor([0.0, 1.0, 0.5, 2.0, -3.0]))

    def all_weights(x, end):
        return torch.stack([torch.lerp(x, end, weight) for weight in weights])

    same(all_weights, x, end)
