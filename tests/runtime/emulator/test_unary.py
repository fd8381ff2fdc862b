import numpy as np
import pytest
import torch

from tests.runtime.emulator.emulated import emulated
from ttc.calls import unary as calls

X = torch.tensor([-3.5, -2.5, -0.5, 0.0, 0.5, 2.5, 3.5])


def test_every_unary_call_has_its_numerics():
    kinds = {kind for kind in vars(calls).values() if hasattr(kind, "mnemonic")}
    for kind in kinds:
        arguments = {calls.LeakyRelu: (0.1,), calls.Rpow: (2.0,)}.get(kind, ())
        keywords = {"min": 0.0} if kind is calls.Clamp else {}
        (y,) = emulated(lambda x, k=kind, a=arguments, w=keywords: k(x, *a, **w), X)
        assert y.shape == X.shape


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (calls.Round, [-4.0, -2.0, -0.0, 0.0, 0.0, 2.0, 4.0]),
        (calls.Trunc, [-3.0, -2.0, -0.0, 0.0, 0.0, 2.0, 3.0]),
        (calls.Nez, [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]),
        (calls.LogicalNot, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
        (calls.Sign, [-1.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0]),
        (lambda x: calls.Clamp(x, min=-1.0, max=2.0), [-1.0, -1.0, -0.5, 0.0, 0.5, 2.0, 2.0]),
        (lambda x: calls.LeakyRelu(x, 0.5), [-1.75, -1.25, -0.25, 0.0, 0.5, 2.5, 3.5]),
    ],
)
def test_values(make, wanted: list[float]):
    assert emulated(make, X)[0].tolist() == wanted


def test_gelu_variants_differ():
    (exact,) = emulated(calls.Gelu, X)
    (tanh,) = emulated(lambda x: calls.Gelu(x, variant=calls.GeluVariant.Tanh), X)
    assert np.allclose(exact, torch.nn.functional.gelu(X), atol=1e-7)
    assert 1e-5 < np.abs(exact - tanh).max() < 1e-2


@pytest.mark.parametrize("variant", calls.GeluVariant)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gelu_of_the_largest_numbers_is_these_numbers(variant, dtype):
    x = torch.tensor([torch.inf, 3e38, 16.5, -3e38, -16.5], dtype=dtype)
    (y,) = emulated(lambda x: calls.Gelu(x, variant=variant), x)
    assert y.tolist() == x.clamp(min=0).float().tolist()


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        (calls.Elu, torch.nn.functional.elu),
        (calls.Gelu, torch.nn.functional.gelu),
        (calls.Softplus, torch.nn.functional.softplus),
    ],
)
def test_what_is_not_said_is_as_in_torch(kind, function):
    assert np.allclose(emulated(kind, X)[0], function(X), atol=1e-6)


def test_results_are_rounded_to_the_operands_format():
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16)
    (y,) = emulated(calls.Exp, x)
    assert y.tolist() == torch.exp(x.float()).bfloat16().float().tolist()


def test_integers_stay_integers():
    (y,) = emulated(calls.Neg, torch.tensor([-3, 2**30], dtype=torch.int32))
    assert y.dtype == np.int32
    assert y.tolist() == [3, -(2**30)]
