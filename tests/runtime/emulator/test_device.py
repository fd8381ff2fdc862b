import numpy as np
import pytest
import torch

from ttc.calls.layout import ToLayout, Typecast
from ttc.calls.matmul import Matmul
from ttc.ir import Builder, DType, Input, Layout, Spec, Value
from ttc.ir.operands import gather_operands
from ttc.ir.weights import bf16_to_float32, float32_to_bf16
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.emulator.registry import EMULATIONS
from ttc.runtime.run.device import predicted

X = np.array([[1.0, 1 / 3], [-2.5, 1e-3]], np.float32)


def value(spec: Spec) -> Value:
    return Builder()(Input(spec, "x"))


@pytest.mark.parametrize(
    ("array", "dtype", "found"),
    [
        (X, DType.f32, X),
        (X, DType.bf16, bf16_to_float32(float32_to_bf16(X))),
        (float32_to_bf16(X), DType.bf16, bf16_to_float32(float32_to_bf16(X))),
        (np.array([3, -4], np.int32), DType.i32, np.array([3, -4], np.int32)),
        (np.array([2**32 - 1], np.uint32), DType.u32, np.array([2**32 - 1], np.uint32)),
        (np.array([65535], np.uint16), DType.u16, np.array([65535], np.int32)),
        (np.array(2.0, np.float32), DType.bf16, np.array(2.0, np.float32)),
    ],
)
def test_what_is_uploaded_comes_back_rounded(array, dtype, found):
    device, spec = EmulatorDevice(), Spec(dtype, array.shape, Layout.ROW_MAJOR)
    back = device.download(device.upload(array, spec), spec)
    assert back.dtype == found.dtype
    np.testing.assert_array_equal(back, found)


def test_downloads_are_copies_and_uploads_do_not_write():
    device, spec = EmulatorDevice(), Spec(DType.f32, X.shape)
    frozen = X.copy()
    frozen.flags.writeable = False
    tensor = device.upload(frozen, spec)
    device.download(tensor, spec)[:] = 0
    np.testing.assert_array_equal(device.download(tensor, spec), X)


def test_bfloat16_weights_are_taken_without_a_copy():
    bits = float32_to_bf16(X)
    tensor = EmulatorDevice().upload(bits, Spec(DType.bf16, X.shape))
    assert tensor.dtype is torch.bfloat16
    assert tensor.data_ptr() == bits.__array_interface__["data"][0]


def test_results_are_rounded_to_what_the_call_predicts():
    device = EmulatorDevice()
    x = value(Spec(DType.f32, (2, 2)))
    call = Typecast(x, DType.bf16)
    (y,) = device.run(call, gather_operands(call, {x: torch.from_numpy(X)}.__getitem__), predicted(call))
    assert y.dtype is torch.bfloat16
    np.testing.assert_array_equal(y.float().numpy(), bf16_to_float32(float32_to_bf16(X)))


def test_tensix_mode_reads_matrix_operands_as_tf32():
    a = value(Spec(DType.f32, (1, 1)))
    call = Matmul(a, a)
    x = torch.tensor([[1 + 2**-12]])
    (exact,) = EmulatorDevice("exact").run(call, {"input_tensor_a": x, "input_tensor_b": x}, predicted(call))
    (tensix,) = EmulatorDevice("tensix").run(call, {"input_tensor_a": x, "input_tensor_b": x}, predicted(call))
    assert exact.item() == pytest.approx((1 + 2**-12) ** 2, rel=1e-7)
    assert tensix.item() == 1.0


def test_an_emulation_that_gives_another_shape_is_a_defect(monkeypatch):
    x = value(Spec(DType.f32, (2, 2)))
    call = ToLayout(x, Layout.ROW_MAJOR)
    monkeypatch.setitem(EMULATIONS, ToLayout, lambda call, mode, tensor: tensor[:1])
    with pytest.raises(AssertionError, match=r"emulation of ttnn.to_layout gave \[1, 2\], the call says f32\[2,2\]"):
        EmulatorDevice().run(call, {"tensor": torch.from_numpy(X)}, predicted(call))


def test_a_product_of_bf16_asked_for_in_float32_is_not_rounded_to_bf16():
    a = value(Spec(DType.bf16, (1, 2)))
    b = value(Spec(DType.bf16, (2, 1)))
    x, y = torch.tensor([[1.0, 1.0]], dtype=torch.bfloat16), torch.tensor([[256.0], [1.0]], dtype=torch.bfloat16)
    call = Matmul(a, b, dtype=DType.f32)
    (product,) = EmulatorDevice().run(call, {"input_tensor_a": x, "input_tensor_b": y}, predicted(call))
    assert product.item() == 257.0
