import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, TILED, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls import reduce as calls
from ttc.calls.call import ComputeKernelConfig
from ttc.calls.scan import Cumsum
from ttc.errors import Refusal
from ttc.ir import DRAM, L1, DType

EXACT = ComputeKernelConfig()


def test_dimensions_are_kept_or_dropped():
    (x,) = values(spec(BF16, 2, 33, 65))
    assert calls.Sum(x, (0, 2), True).infer() == spec(BF16, 1, 33, 1)
    assert calls.Sum(x, (0, 2)).infer() == spec(BF16, 33)


def test_indices_are_unsigned():
    x, y, wide = values(spec(BF16, 2, 33), spec(F32, 2, 33), spec(BF16, 2, 65537))
    assert calls.Argmax(x, 1).infer() == spec(DType.u32, 2, layout=ROWS)
    assert calls.Topk(x, 3, 1).infer()[1] == spec(DType.u16, 2, 3)
    assert calls.Topk(y, 3, 1).infer()[1].dtype is DType.u32
    assert calls.Topk(wide, 3, 1).infer()[1].dtype is DType.u32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x, i, r: calls.Sum(r, (0,)), "input_tensor is in ROW_MAJOR layout; accepted is TILE"),
        (lambda x, i, r: calls.Mean(i, (0,)), "input_tensor is i32; accepted are bf16, f32"),
        (lambda x, i, r: calls.Sum(x, (2,)), r"dims \[2\] are not in a tensor of rank 2"),
        (lambda x, i, r: calls.Prod(i, 0), "input_tensor is i32"),
        (lambda x, i, r: calls.Argmax(r, 1), "input_tensor is in ROW_MAJOR layout"),
        (lambda x, i, r: calls.Argmax(i, 1), "input_tensor is in TILE layout; accepted is ROW_MAJOR"),
        (lambda x, i, r: calls.Topk(x, 34, 1), "topk cannot take 34 of 33 elements"),
        (lambda x, i, r: calls.Topk(i, 3, 1), "input_tensor is i32"),
    ],
)
def test_what_ttnn_refuses_is_refused(make, message: str):
    with pytest.raises(Refusal, match=message):
        make(*values(spec(BF16, 2, 33), spec(I32, 2, 33), spec(BF16, 2, 33, layout=ROWS))).infer()


def test_integers_have_no_argmax_across_rows():
    (x,) = values(spec(I32, 2, 33, layout=ROWS))
    with pytest.raises(Refusal, match="argmax of integers runs along the last dimension only"):
        calls.Argmax(x, 0).infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_reduces_as_predicted(target: str, ttnn_python: str):
    cases = [
        ((2, 33, 65), (2,)), ((2, 33, 65), (1,)), ((2, 33, 65), (0,)), ((2, 33, 65), (0, 1, 2)), ((1,), (0,)),
        ((3, 2, 2, 33, 65), (1, 4)), ((2, 3, 2, 2, 33, 65), (2, 5)), ((1, 1, 1000, 5), (2,)), ((1, 512, 64, 64), (1,)),
        ((1, 1, 32, 32768), (3,)), ((64, 8, 32, 32), (0,)), ((8, 197, 768), (1,)), ((2, 512, 7, 7), (2, 3)),
    ]  # fmt: skip
    programs = [
        one(lambda x, k=kind, d=dims, keep=keep: k(x, d, keep, compute_kernel_config=EXACT), spec(dtype, *shape))
        for kind in (calls.Sum, calls.Mean, calls.Max, calls.Min)
        for dtype in (BF16, F32, I32)
        if dtype in kind.dtypes
        for shape, dims in cases
        for keep in (False, True)
    ]
    assert_as_predicted(programs, target)


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_chooses_and_accumulates_as_predicted(target: str, ttnn_python: str):
    programs = []
    for dtype in (BF16, F32):
        for shape in ((2, 33, 65), (65,), (3, 2, 2, 33, 65), (8, 197, 768)):
            for dim, size in enumerate(shape):
                programs += [
                    one(lambda x, d=dim: calls.Prod(x, d), spec(dtype, *shape)),
                    one(lambda x, d=dim: calls.Prod(x, d, True), spec(dtype, *shape)),
                    one(lambda x, d=dim: calls.Argmax(x, d), spec(dtype, *shape)),
                    one(lambda x, d=dim: calls.Argmax(x, d, True), spec(dtype, *shape)),
                    one(lambda x, d=dim: Cumsum(x, d), spec(dtype, *shape)),
                    one(lambda x, d=dim, n=size: calls.Topk(x, min(5, n), d, stable=True), spec(dtype, *shape)),
                ]
    programs += [one(lambda x: Cumsum(x, 1), spec(I32, 2, 77))]
    for shape in ((7,), (2, 77), (8, 197, 768), (4, 3, 128256)):
        programs += [one(lambda x: calls.Argmax(x, x.type.rank - 1), spec(I32, *shape, layout=ROWS))]
    for width in (64, 1024, 4096, 9999, 32768, 65536, 70000):
        for k in (5, 64, 65):
            if k <= width:
                programs += [one(lambda x, k=k: calls.Topk(x, k, 1, False, stable=True), spec(BF16, 7, width))]
    assert_as_predicted(programs, target)


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_places_results_as_predicted(target: str, ttnn_python: str):
    makes = (
        lambda x, d, **k: calls.Sum(x, (d,), **k),
        lambda x, d, **k: calls.Mean(x, (d,), True, **k),
        lambda x, d, **k: calls.Prod(x, d, **k),
        lambda x, d, **k: calls.Argmax(x, d, **k),
        lambda x, d, **k: Cumsum(x, d, **k),
    )
    programs = [
        one(lambda x, make=make, d=d, k=k: make(x, d, **k), spec(BF16, 2, 33, 65, layout=TILED, memory=memory))
        for make in makes
        for d in (0, 1, 2)
        for memory in (DRAM, L1)
        for k in ({}, {"memory_config": DRAM}, {"memory_config": L1})
    ]
    programs += [one(lambda x, d=d: calls.Topk(x, 2, d), spec(BF16, 2, 33, 65, memory=L1)) for d in (0, 1, 2)]
    assert_as_predicted(programs, target)
