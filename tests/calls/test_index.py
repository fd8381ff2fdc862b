import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, TILED, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.index import Embedding, Gather, Scatter, ScatterAdd
from ttc.errors import Refusal
from ttc.ir import DType

U32 = DType.u32


def index(*shape: int):
    return spec(U32, *shape, layout=ROWS)


def rows(dtype: DType, *shape: int):
    return spec(dtype, *shape, layout=ROWS)


def test_embedding_makes_tiles_where_they_come_out_whole():
    i, w, odd = values(index(2, 64), rows(BF16, 50, 96), rows(BF16, 50, 40))
    assert Embedding(i, w, layout=TILED).infer() == spec(BF16, 2, 64, 96)
    assert Embedding(i, odd).infer() == rows(BF16, 2, 64, 40)
    with pytest.raises(Refusal, match="whole tiles only"):
        Embedding(i, odd, layout=TILED).infer()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda i, w, x, y: Embedding(y, w), "the index is i32; accepted are u32"),
        (lambda i, w, x, y: Embedding(i, x), "the table is f32; accepted are bf16"),
        (lambda i, w, x, y: Gather(x, 0, i), "gathers and scatters along the last dimension, not 0 of 2"),
        (lambda i, w, x, y: Gather(x, 1, i), r"the index \[2, 5\] does not cover the rows of \[3, 7\]"),
        (lambda i, w, x, y: Scatter(y, 1, i, w), "src is bf16; accepted are i32"),
        (lambda i, w, x, y: ScatterAdd(y, 1, i, y), r"src \[2, 7\] does not fit the index \[2, 5\]"),
    ],
)
def test_refusals_name_the_culprit(make, message: str):
    with pytest.raises(Refusal, match=message):
        make(*values(index(2, 5), rows(BF16, 2, 5), rows(F32, 3, 7), rows(I32, 2, 7))).infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_looks_up_as_predicted(target: str, ttnn_python: str):
    programs = []
    for width in (1, 40, 384, 4096):
        for shape in ((7,), (1, 128), (2, 197)):
            programs.append(one(Embedding, index(*shape), rows(BF16, 1000, width)))
            if shape[-1] % 32 == 0 == width % 32:
                programs.append(one(lambda i, w: Embedding(i, w, layout=TILED), index(*shape), rows(BF16, 1000, width)))
        for dtype in (BF16, F32, I32):
            x, u = rows(dtype, 2, 3, width), rows(dtype, 2, 3, min(width, 9))
            programs.append(one(lambda x, i: Gather(x, 2, i), x, index(2, 3, 7)))
            programs += [
                one(lambda x, i, u, k=kind: k(x, 2, i, u), x, index(*u.shape), u) for kind in (Scatter, ScatterAdd)
            ]
    assert_as_predicted(programs, target)
