import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.runtime.emulator.emulated import emulated
from ttc.calls.matmul import Linear, Matmul
from ttc.runtime.emulator import native
from ttc.runtime.emulator.activations import ACTIVATIONS

GENERATOR = torch.Generator().manual_seed(0)


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR)


@pytest.mark.parametrize("activation", [None, "relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"])
def test_bf16_is_rounded_once_however_it_is_computed(activation: str | None, monkeypatch):
    x, w, b = numbers(2, 33, 64).bfloat16(), (numbers(64, 96) / 8).bfloat16(), numbers(96).bfloat16()

    def run() -> np.ndarray:
        return emulated(lambda x, w, b: Linear(x, w, bias=b, activation=activation), x, w, b)[0]

    first = run()
    monkeypatch.setattr(native, "native_bf16", lambda: False)
    second = run()
    exact = x.double() @ w.double() + b.double()
    exact = (ACTIVATIONS[activation](exact) if activation else exact).bfloat16().float().numpy()
    for found in (first, second):
        assert np.mean(found == exact) > 0.99  # rounding twice leaves some 0.6 to 0.85
        assert np.allclose(found, exact, rtol=2.0**-7, atol=1e-4)


def test_fp32_is_exact_or_tf32():
    a, b = numbers(2, 33, 64), numbers(2, 64, 40)
    assert np.array_equal(emulated(Matmul, a, b)[0], (a @ b).numpy())
    coarse = emulated(Matmul, a, b, mode="tensix")[0]
    error = np.abs(coarse - (a @ b).numpy()).max()
    assert 1e-5 < error < 5e-2


def test_transposed_operands():
    a, b = numbers(50, 40), numbers(60, 50)
    found = emulated(lambda a, b: Matmul(a, b, transpose_a=True, transpose_b=True), a, b)[0]
    assert np.array_equal(found, (a.T @ b.T).numpy())


def test_one_matrix_serves_a_batch_in_bf16():
    a, b = numbers(2, 3, 40, 50).bfloat16(), numbers(1, 50, 60).bfloat16()
    found = emulated(Matmul, a, b)[0]
    assert np.allclose(found, F.linear(a.float(), b[0].float().T).numpy(), rtol=2.0**-7)
