import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.call import ComputeKernelConfig
from ttc.calls.norm import LayerNorm, LogSoftmax, RmsNorm, Softmax
from ttc.errors import Refusal

EXACT = ComputeKernelConfig()


def test_parameters_are_one_row():
    x, row, wide = values(spec(BF16, 2, 33, 40), spec(BF16, 1, 1, 1, 40), spec(BF16, 40, 1))
    assert LayerNorm(x, weight=row, bias=row).infer() == x.type
    with pytest.raises(Refusal, match=r"weight and bias must hold 40 elements, got \[40, 1\]"):
        RmsNorm(x, weight=wide).infer()


def test_refusals_name_the_culprit():
    x, i, r, other = values(spec(BF16, 2, 40), spec(I32, 2, 40), spec(BF16, 2, 40, layout=ROWS), spec(BF16, 1, 40))
    with pytest.raises(Refusal, match="input_tensor is i32"):
        Softmax(i, 1).infer()
    with pytest.raises(Refusal, match="input_tensor is in ROW_MAJOR layout"):
        LayerNorm(r).infer()
    with pytest.raises(Refusal, match=r"the residual \[1, 40\] must have the shape of the input, \[2, 40\]"):
        LayerNorm(x, residual_input_tensor=other).infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_normalises_as_predicted(target: str, ttnn_python: str):
    programs = []
    for dtype in (BF16, F32):
        for width in (3, 50, 257, 768, 1408, 2304, 3072, 4096):
            x, row = spec(dtype, 1, 50, width), spec(dtype, width)
            programs += [
                one(lambda x: LayerNorm(x, compute_kernel_config=EXACT), x),
                one(lambda x, w: LayerNorm(x, weight=w, bias=w, compute_kernel_config=EXACT), x, row),
                one(
                    lambda x, r, w: LayerNorm(
                        x, weight=w, bias=w, residual_input_tensor=r, compute_kernel_config=EXACT
                    ),
                    x,
                    x,
                    row,
                ),
                one(lambda x, w: RmsNorm(x, weight=w, compute_kernel_config=EXACT), x, row),
                one(lambda x: Softmax(x, 2, compute_kernel_config=EXACT), x),
                one(lambda x: LogSoftmax(x, dim=2, compute_kernel_config=EXACT), x),
                one(lambda x: Softmax(x, 1, compute_kernel_config=EXACT), spec(dtype, 2, width, 40)),
            ]
    assert_as_predicted(programs, target)
