import pytest

from tests.backend.lowered import calls, lowered
from ttc.errors import Refused
from ttc.ir import DType


def one(op: str, source: str, result: str) -> str:
    return lowered(f'%x: {source} = input(name="x")\n%y: {result} = {op}\nreturn "y"=%y')


def test_all_dimensions_in_one_call():
    assert one("mean(x=%x, dims=[1, 2], keep=true)", "f32[2,3,5]", "f32[2,1,1]") == (
        "%y: bf16[2,1,1] tile dram = ttnn.mean(%x, [1, 2], true)"
    )


@pytest.mark.parametrize(("op", "call"), [("sum", "max"), ("max", "max"), ("min", "min"), ("prod", "min")])
def test_booleans_reduce_to_any_or_all(op: str, call: str):
    assert one(f"{op}(x=%x, dims=[1])", "bool[2,3]", "bool[2]") == (f"%y: bf16[2] tile dram = ttnn.{call}(%x, [1])")


def test_products_take_a_dimension_at_a_time():
    assert one("prod(x=%x, dims=[0, 2])", "f32[2,3,5]", "f32[3]") == calls("""
        %y: bf16[2,3] tile dram = ttnn.prod(%x, 2)
        %y_0: bf16[3] tile dram = ttnn.prod(%y, 0)
    """)


def test_products_of_rows_are_computed_in_tiles():
    text = lowered("""
        %i: i64[2,33] = input(name="i")
        %w: f32[9,40] = input(name="w")
        %e: f32[2,33,40] = embedding(w=%w, index=%i)
        %y: f32[2,33] = prod(x=%e, dims=[2])
        return "y"=%y
    """)
    assert "tile dram = ttnn.prod(" in text


def test_indices_become_signed():
    assert one("argmax(x=%x, dim=1)", "f32[2,33]", "i64[2]") == calls("""
        %y: u32[2] row_major dram = ttnn.argmax(%x, 1)
        %y_0: i32[2] row_major dram = ttnn.typecast(%y, i32)
    """)


def test_argmax_of_integers_runs_on_rows():
    assert one("argmax(x=%x, dim=1)", "i64[2,33]", "i64[2]") == calls("""
        %y_0: i32[2,33] row_major dram = ttnn.to_layout(%x, ROW_MAJOR)
        %y: u32[2] row_major dram = ttnn.argmax(%y_0, 1)
        %y_1: i32[2] row_major dram = ttnn.typecast(%y, i32)
    """)


def test_topk_is_stable():
    text = lowered("""
        %x: f32[2,33] = input(name="x")
        %v: f32[2,3], %i: i64[2,3] = topk(x=%x, k=3, dim=1)
        return "v"=%v, "i"=%i
    """)
    assert "ttnn.topk(%x, 3, 1, stable=true)" in text
    assert text.splitlines()[-1].endswith("i32)")


@pytest.mark.parametrize(
    ("op", "source", "result", "reason"),
    [
        ("prod(x=%x, dims=[0])", "i64[5]", "i64[]", "TTNN has no product of integers"),
        ("argmax(x=%x, dim=0)", "f32[]", "i64[]", "argmax needs a dimension"),
    ],
)
def test_what_cannot_be_done_is_refused(op: str, source: str, result: str, reason: str):
    with pytest.raises(Refused, match=reason):
        one(op, source, result)


def test_argmax_of_integers_runs_along_the_last_dimension():
    last, first = one("argmax(x=%x, dim=1)", "i64[5,2]", "i64[5]"), one("argmax(x=%x, dim=0)", "i64[5,2]", "i64[2]")
    assert "ttnn.permute" not in last
    assert "ttnn.permute(%x, [1, 0])" in first
    assert "ttnn.argmax" in first


def test_fp32_programs_keep_fp32():
    text = lowered('%x: f32[2,33] = input(name="x")\n%y: f32[2] = sum(x=%x, dims=[1])\nreturn "y"=%y', DType.f32)
    assert text == "%y: f32[2] tile dram = ttnn.sum(%x, [1])"
