import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, TILED, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls import binary as calls
from ttc.calls import logic
from ttc.calls.ternary import Where
from ttc.errors import Refusal
from ttc.ir import DRAM, L1, DType

KINDS = [
    kind
    for kind in vars(calls).values()
    if isinstance(kind, type) and issubclass(kind, calls.BinaryCall) and hasattr(kind, "mnemonic")
]


def test_shapes_broadcast():
    a, b = values(spec(BF16, 33, 1), spec(BF16, 2, 1, 65))
    assert calls.Add(a, b).infer() == spec(BF16, 2, 33, 65)


def test_integer_division_keeps_integers_only_when_rounded():
    (x,) = values(spec(I32, 2, 33))
    assert calls.Div(x, 3).infer().dtype is F32
    assert calls.Div(x, 3, rounding_mode="trunc").infer().dtype is I32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a, b, i, r: calls.Add(a, i), "ttnn.add cannot mix bf16 and i32"),
        (lambda a, b, i, r: calls.Add(a, r), "operands are in different layouts"),
        (lambda a, b, i, r: calls.Add(a, b), r"shapes \[2, 33\] and \[2, 34\] do not broadcast"),
        (lambda a, b, i, r: calls.Maximum(1.0, a), "ttnn.maximum takes no number in that place"),
        (lambda a, b, i, r: calls.Atan2(a, 1.0), "ttnn.atan2 takes no number in that place"),
        *(
            (lambda a, b, i, r, k=k, other=other: k(a, *values(spec(other, 2, 33))), f"cannot mix bf16 and {other}")
            for k in (calls.Pow, calls.Maximum, calls.Minimum, calls.Remainder, calls.Fmod, calls.Atan2)
            for other in (F32, DType.bfp8)
        ),
        (lambda a, b, i, r: calls.Gcd(i, 2), "ttnn.gcd takes no number in that place"),
        (lambda a, b, i, r: calls.Gcd(a, a), "an operand is bf16; accepted are i32"),
        (lambda a, b, i, r: logic.BitwiseAnd(a, a), "an operand is bf16; accepted are i32, u16, u32"),
        (lambda a, b, i, r: calls.Pow(i, i), "an integer tensor cannot be raised to a tensor"),
        (lambda a, b, i, r: calls.Pow(i, -1), "an integer tensor cannot be raised to a negative number"),
        (lambda a, b, i, r: Where(r, r, r), "where with three tensors runs in TILE layout"),
        (lambda a, b, i, r: Where(i, a, a), "where takes operands of one dtype"),
    ],
)
def test_what_ttnn_refuses_is_refused(make, message: str):
    operands = values(spec(BF16, 2, 33), spec(BF16, 2, 34), spec(I32, 2, 33), spec(BF16, 2, 33, layout=ROWS))
    with pytest.raises(Refusal, match=message):
        make(*operands).infer()


def test_where_is_flexible_beside_a_number():
    (x,) = values(spec(BF16, 2, 33))
    assert Where(x, x, 0.0).flexible
    assert not Where(x, x, x).flexible


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_returns_what_is_predicted(target: str, ttnn_python: str):
    programs = []
    for kind in KINDS:
        for dtype in (BF16, F32, I32):
            for layout in (TILED, ROWS):
                if dtype in kind.dtypes and not (kind is calls.Pow and dtype is I32):
                    x, row = (spec(dtype, *shape, layout=layout) for shape in ((2, 33, 65), (65,)))
                    number = 2.0 if dtype.is_float else 2
                    programs += [one(kind, x, x), one(kind, x, row)]
                    programs += [one(lambda x, k=kind, n=number: k(x, n), x)] if kind.number_second else []
                    programs += [one(lambda x, k=kind, n=number: k(n, x), x)] if kind.number_first else []
    programs += [
        one(lambda x: calls.Pow(x, 3), spec(I32, 2, 33)),
        one(lambda x, y: calls.Div(x, y, rounding_mode="trunc"), spec(I32, 2, 33), spec(I32, 2, 33)),
        one(lambda x: calls.Div(x, 3, rounding_mode="floor"), spec(I32, 2, 33)),
        one(lambda x: calls.Div(x, 3.0, rounding_mode="floor"), spec(BF16, 2, 33)),
    ]
    assert_as_predicted(programs, target)


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_broadcasts_as_predicted(target: str, ttnn_python: str):
    shapes = [
        ((33, 1), (2, 1, 65)), ((), (2, 33)), ((2, 33), ()), ((), ()), ((2, 1, 3, 1, 33), (1, 4, 1, 5, 1)),
        ((2, 3, 1, 1, 5, 7), (1, 3, 2, 2, 1, 7)), ((1, 12, 197, 197), (1, 1, 1, 197)), ((1, 1, 1, 1), (1, 12, 197, 1)),
    ]  # fmt: skip
    programs = [
        one(kind, spec(dtype, *a, layout=layout), spec(dtype, *b, layout=layout))
        for kind in (calls.Add, logic.Lt, logic.LogicalAnd)
        for dtype in (BF16, F32, I32)
        for layout in (TILED, ROWS)
        for a, b in shapes
    ]
    assert_as_predicted(programs, target)


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_places_results_as_predicted(target: str, ttnn_python: str):
    makes = (
        lambda a, b, **k: calls.Add(a, b, **k),
        lambda a, b, **k: Where(a, b, 0.0, **k),
        lambda a, b, **k: Where(a, 0.0, b, **k),
        lambda a, b, **k: Where(a, b, a, **k),
    )
    stated = ({}, {"memory_config": DRAM}, {"memory_config": L1})
    programs = [
        one(lambda a, b, make=make, k=k: make(a, b, **k), spec(BF16, *x, memory=ma), spec(BF16, *y, memory=mb))
        for make in makes
        for k in stated
        for ma in (DRAM, L1)
        for mb in (DRAM, L1)
        for x, y in (((2, 33, 65), (2, 33, 65)), ((65,), (2, 33, 65)), ((2, 33, 65), (65,)))
    ]
    assert_as_predicted(programs, target)


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_selects_as_predicted(target: str, ttnn_python: str):
    shapes = [((2, 33, 65),) * 3, ((65,), (2, 33, 1), (2, 33, 65)), ((2, 1, 1, 33), (1, 5, 1, 33), (1,))]
    programs = [one(Where, *(spec(dtype, *shape) for shape in three)) for dtype in (BF16, F32, I32) for three in shapes]
    for dtype, number in ((BF16, 1.0), (F32, 1.0), (I32, 1)):
        for layout in (TILED, ROWS):
            for a, b, _ in shapes:
                pair = (spec(dtype, *a, layout=layout), spec(dtype, *b, layout=layout))
                programs.append(one(lambda x, y, n=number: Where(x, y, n), *pair))
                programs.append(one(lambda x, y, n=number: Where(x, n, y), *pair))
    programs += [one(lambda x: Where(x, 1.0, 2.0), spec(dtype, 2, 33)) for dtype in (BF16, F32)]
    programs += [one(Where, *(spec(DType.u16, 2, 33),) * 3)]
    assert_as_predicted(programs, target)
