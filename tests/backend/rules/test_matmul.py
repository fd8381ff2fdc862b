import pytest

from tests.backend.lowered import calls, lowered
from ttc.errors import Refused

GRID = "core_grid=CoreGrid(y=8, x=8)"


def test_a_weight_is_transposed_before_the_first_run():
    text = lowered("""
        %x: f32[2,33,64] = input(name="x")
        %w: f32[96,64] = const(ref="w")
        %b: f32[96] = const(ref="b")
        %y: f32[2,33,96] = linear(x=%x, w=%w, bias=%b, activation="gelu")
        return "y"=%y
    """)
    assert text == (f'%y: bf16[2,33,96] tile dram = ttnn.linear(%x, %w.permute, bias=%b, activation="gelu", {GRID})')


def test_a_computed_weight_is_transposed_by_the_product():
    text = lowered("""
        %x: f32[64] = input(name="x")
        %w: f32[96,64] = input(name="w")
        %y: f32[96] = linear(x=%x, w=%w)
        return "y"=%y
    """)
    assert text == calls(f"""
        %y_0: bf16[1,64] tile dram = ttnn.reshape(%x, [1, 64])
        %y: bf16[1,96] tile dram = ttnn.linear(%y_0, %w, transpose_b=true, {GRID})
        %y_1: bf16[96] tile dram = ttnn.reshape(%y, [96])
    """)


def product(a: str, b: str, result: str) -> str:
    return lowered(f"""
        %a: f32[{a}] = input(name="a")
        %b: f32[{b}] = input(name="b")
        %y: f32[{result}] = matmul(a=%a, b=%b)
        return "y"=%y
    """)


def test_one_matrix_serves_a_batch():
    assert product("2,3,40,50", "1,1,50,60", "2,3,40,60") == calls(f"""
        %y_0: bf16[50,60] tile dram = ttnn.reshape(%b, [50, 60])
        %y: bf16[2,3,40,60] tile dram = ttnn.matmul(%a, %y_0, {GRID})
    """)


def test_batches_are_made_equal():
    assert product("2,1,40,50", "3,50,60", "2,3,40,60") == calls("""
        %y_0: bf16[2,3,40,50] tile dram = ttnn.expand(%a, [2, 3, 40, 50])
        %y_1: bf16[1,3,50,60] tile dram = ttnn.reshape(%b, [1, 3, 50, 60])
        %y_2: bf16[2,3,50,60] tile dram = ttnn.expand(%y_1, [2, 3, 50, 60])
        %y: bf16[2,3,40,60] tile dram = ttnn.matmul(%y_0, %y_2)
    """)


def test_equal_batches_need_nothing_else():
    assert product("2,3,40,50", "2,3,50,60", "2,3,40,60") == ("%y: bf16[2,3,40,60] tile dram = ttnn.matmul(%a, %b)")


def test_integer_matrices_are_refused():
    with pytest.raises(Refused, match="TTNN multiplies matrices of floats, not i64"):
        lowered("""
            %a: i64[2,3] = input(name="a")
            %b: i64[3,2] = input(name="b")
            %y: i64[2,2] = matmul(a=%a, b=%b)
            return "y"=%y
        """)
