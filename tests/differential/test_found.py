"""What the random programs have found, each by its name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import helper
from torch import nn
from torch.utils import _pytree as pytree

import ttc
from tests.differential.onnx_program import proto_of, session_of
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


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_powers_of_negative_zero_are_those_of_zero(dtype):
    """Found as ONNX Pow(-0, -0.5), which was -inf; the sign of a root of 0 shows in its reciprocal."""
    x, one = np.array([-0.0, 0.0, 4.0, np.inf, -1.0], "float32"), np.array(1, "float32")
    exponents = {name: np.array(number, "float32") for name, number in (("h", 0.5), ("n", -0.5), ("m", -1))}
    nodes = [helper.make_node("Pow", ["x", name], [f"p{name}"]) for name in exponents]
    nodes += [helper.make_node("Div", ["one", f"p{name}"], [f"r{name}"]) for name in exponents]
    model = proto_of(nodes, {"x": x}, {**exponents, "one": one}, tuple(n.output[0] for n in nodes))
    found = ttc.compile(model, dtype=dtype).run({"x": x})
    for name, wanted in zip(found, session_of(model).run(None, {"x": x}), strict=True):
        np.testing.assert_array_equal(found[name], wanted, name)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_torch_takes_roots_for_exponents_that_are_numbers_and_powers_for_tensors(dtype):
    x = torch.tensor([-0.0, 0.0, 4.0, torch.inf, -1.0, -torch.inf])

    def powers(x):
        numbers = torch.stack([x.pow(-0.5), 1 / x.pow(0.5), x.pow(-1), 1 / x.pow(2), x.pow(-2)])
        return numbers, (1 / x[:5].pow(torch.tensor(0.5)), x[:5].pow(torch.tensor(-0.5)))

    for found, wanted in zip(
        pytree.tree_leaves(given(powers, x, dtype=dtype)), pytree.tree_leaves(powers(x)), strict=True
    ):
        torch.testing.assert_close(found, wanted, equal_nan=True)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["float32", "int32"])
@pytest.mark.parametrize("shape", [(3, 7), (70,)])
def test_the_lower_index_comes_first_among_equals(dtype, kind, shape):
    """ONNX's word for TopK and ArgMax, whose judge is onnxruntime; half of the zeros are negative."""
    source = np.random.default_rng(4)
    x = source.integers(-1, 2, shape).astype(kind)
    x = x * np.where(source.random(shape) < 0.5, -1.0, 1.0).astype(kind)
    k, nodes = np.array([shape[-1]]), []
    for largest in (0, 1):
        nodes.append(helper.make_node("TopK", ["x", "k"], [f"v{largest}", f"i{largest}"], largest=largest))
    for operator in ("ArgMax", "ArgMin") if kind == "float32" else ():
        for last in (0, 1):
            nodes.append(helper.make_node(operator, ["x"], [operator + str(last)], axis=-1, select_last_index=last))
    outputs = tuple(name for node in nodes for name in node.output)
    model = proto_of(nodes, {"x": x}, {"k": k}, outputs)
    found = ttc.compile(model, dtype=dtype).run({"x": x})
    for name, wanted in zip(outputs, session_of(model).run(None, {"x": x}), strict=True):
        np.testing.assert_array_equal(found[name], wanted, name)
