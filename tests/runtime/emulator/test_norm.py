import numpy as np
import torch
import torch.nn.functional as F

from tests.runtime.emulator.emulated import emulated
from ttc.calls.norm import LayerNorm, LogSoftmax, RmsNorm, Softmax

GENERATOR = torch.Generator().manual_seed(0)
X, Z, W = (torch.randn(shape, generator=GENERATOR) for shape in ((2, 33, 40), (2, 33, 40), (1, 1, 40)))


def test_layer_norm_adds_its_residual_unrounded():
    make = lambda x, z, w: LayerNorm(x, epsilon=1e-5, weight=w, bias=w, residual_input_tensor=z)  # noqa: E731
    found = emulated(make, X, Z, W)[0]
    assert np.allclose(found, F.layer_norm(X + Z, (40,), W.flatten(), W.flatten(), 1e-5).numpy(), atol=1e-6)
    rounded = emulated(make, X.bfloat16(), Z.bfloat16(), W.bfloat16())[0]
    row = W.bfloat16().float().flatten()
    exact = F.layer_norm(X.bfloat16().float() + Z.bfloat16().float(), (40,), row, row, 1e-5)
    assert np.array_equal(rounded, exact.bfloat16().float().numpy())


def test_rms_norm_and_softmax():
    found = emulated(lambda x, w: RmsNorm(x, epsilon=1e-6, weight=w), X, W)[0]
    assert np.allclose(found, F.rms_norm(X, (40,), W.flatten(), 1e-6).numpy(), atol=1e-6)
    assert np.allclose(emulated(lambda x: Softmax(x, 1), X)[0], X.softmax(1).numpy(), atol=1e-7)
    assert np.allclose(emulated(lambda x: LogSoftmax(x, dim=0), X)[0], X.log_softmax(0).numpy(), atol=1e-6)


def test_large_numbers_do_not_overflow():
    assert np.array_equal(emulated(lambda x: Softmax(x, 0), torch.tensor([1e30, 1e30]))[0], [0.5, 0.5])


def test_the_matrix_engine_reads_fp32_as_tf32():
    coarse = emulated(lambda x: LayerNorm(x, epsilon=1e-5), X, mode="tensix")[0]
    error = np.abs(coarse - F.layer_norm(X, (40,)).numpy()).max()
    assert 1e-6 < error < 1e-2
