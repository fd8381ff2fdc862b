from dataclasses import replace

import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.call import ComputeKernelConfig, CoreGrid
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import DRAM, L1, DType

EXACT = ComputeKernelConfig()


def product(a: tuple[int, ...], b: tuple[int, ...], **keywords) -> tuple[int, ...]:
    return Matmul(*values(spec(BF16, *a), spec(BF16, *b)), **keywords).infer().shape


def test_shapes_follow_ttnn():
    assert product((2, 3, 40, 50), (50, 60)) == (2, 3, 40, 60)
    assert product((2, 3, 40, 50), (1, 50, 60)) == (2, 3, 40, 60)
    assert product((1, 1, 40, 50), (2, 3, 50, 60)) == (2, 3, 40, 60)
    assert product((50, 40), (60, 50), transpose_a=True, transpose_b=True) == (40, 60)


def test_the_result_is_in_dram_unless_stated():
    x, w = values(replace(spec(BF16, 40, 50), memory=L1), spec(BF16, 50, 60))
    assert Matmul(x, w).infer().memory == DRAM
    assert Matmul(x, w, memory_config=L1, dtype=F32).infer() == replace(spec(F32, 40, 60), memory=L1)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 1, 40, 50), (1, 3, 50, 60)), r"cannot broadcast batches \[2, 1\] and \[1, 3\]"),
        (((40, 50), (3, 50, 60)), r"cannot broadcast batches \[\] and \[3\]"),
        (((40, 50), (40, 50)), "inner sizes differ: 50 and 40"),
        (((50,), (50, 60)), "needs at least 2 dimensions"),
    ],
)
def test_what_ttnn_cannot_multiply_is_refused(shapes, message: str):
    with pytest.raises(Refusal, match=message):
        product(*shapes)


def test_integers_rows_and_misfits_are_refused():
    x, w, i, r, b = values(
        spec(BF16, 40, 50), spec(BF16, 50, 60), spec(I32, 50, 60), spec(BF16, 50, 60, layout=ROWS), spec(BF16, 50)
    )
    with pytest.raises(Refusal, match="input_tensor_b is i32"):
        Matmul(x, i).infer()
    with pytest.raises(Refusal, match="input_tensor_b is in ROW_MAJOR layout"):
        Matmul(x, r).infer()
    with pytest.raises(Refusal, match=r"the bias \[50\] does not hold 60 elements"):
        Linear(x, w, bias=b).infer()
    with pytest.raises(Refusal, match="linear knows no activation 'elu'"):
        Linear(x, w, activation="elu").infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_multiplies_as_predicted(target: str, ttnn_python: str):
    columns, rows = TARGETS[target].grid
    grid = CoreGrid(rows, columns)
    sizes = [
        (197, 768, 2304), (197, 768, 768), (197, 3072, 768), (257, 1408, 6144), (257, 6144, 1408), (1, 768, 1000),
        (128, 4096, 14336), (2048, 4096, 14336), (512, 4096, 4096), (128, 384, 1536), (12544, 147, 64), (5, 7, 9),
    ]  # fmt: skip
    programs = [
        one(
            lambda x, w, b, act=act: Linear(x, w, bias=b, activation=act, compute_kernel_config=EXACT, core_grid=grid),
            spec(dtype, 1, m, k),
            spec(weight, k, n),
            spec(dtype, n),
        )
        for m, k, n in sizes
        for dtype, weight, act in ((BF16, BF16, "gelu"), (BF16, DType.bfp8, None), (F32, F32, "relu"))
    ]
    batches = [((1, 12, 197, 64), (1, 12, 64, 197)), ((2, 3, 40, 50), (2, 3, 50, 60)), ((8, 512, 512), (8, 512, 512))]
    programs += [
        one(lambda a, b: Matmul(a, b, compute_kernel_config=EXACT), spec(dtype, *a), spec(dtype, *b))
        for a, b in batches
        for dtype in (BF16, F32)
    ]
    assert_as_predicted(programs, target)
