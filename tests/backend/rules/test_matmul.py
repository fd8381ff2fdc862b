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


def shifted(body: str, number: str = "0.00001") -> str:
    return lowered(f"""
        %a: f32[1,1,64] = input(name="a")
        %b: f32[1,64,48] = input(name="b")
        %n: f32[] = {number if "(" in number else f"full(value={number})"}
        %p: f32[1,1,48] = matmul(a=%a, b=%b)
        {body}
        return "y"=%y
    """)


def test_a_row_of_a_product_and_a_number_are_one_call():
    """So a norm adds its epsilon to the variance; reshapes between both are views."""
    body = "%y: f32[1,1,48] = add(a=%p, b=%n)"
    assert shifted(body) == shifted("%y: f32[1,1,48] = add(a=%n, b=%p)")
    assert shifted(body) == calls(f"""
        %p: bf16[64,48] tile dram = ttnn.reshape(%b, [64, 48])
        %y: bf16[1,1,48] tile dram = ttnn.linear(%a, %p, bias=%y.full, {GRID})
    """)
    reshaped = shifted("%r: f32[1,48,1] = reshape(x=%p, shape=[1, 48, 1])\n%y: f32[1,48,1] = add(a=%r, b=%n)")
    assert "ttnn.linear" in reshaped
    assert "ttnn.add" not in reshaped


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("%y: f32[1,1,48] = add(a=%p, b=%n)", 'input(name="n")'),
        ("%z: f32[1,1,48] = add(a=%p, b=%n)\n%y: f32[1,1,48] = mul(a=%p, b=%z)", "0.5"),
        ("%q: f32[1,1,48] = neg(x=%p)\n%y: f32[1,1,48] = add(a=%q, b=%n)", "0.5"),
        ("%y: f32[1,1,48] = sub(a=%p, b=%n)", "0.5"),
        ("%r: f32[1,48,1] = reshape(x=%p, shape=[1, 48, 1])\n%s: f32[1,48,1] = add(a=%r, b=%n)\n"
         "%t: f32[1,48,1] = neg(x=%r)\n%y: f32[1,48,1] = mul(a=%s, b=%t)", "0.5"),
    ],
)  # fmt: skip
def test_sums_of_products_that_stay_sums(body: str, number: str):
    text = shifted(body, number)
    assert "ttnn.matmul" in text
    assert "ttnn.linear" not in text


def test_many_rows_and_batches_of_products_stay_sums():
    for a, b, result in (("2,64", "64,48", "2,48"), ("2,1,64", "2,64,48", "2,1,48"), ("2,1,64", "1,64,48", "2,1,48")):
        text = lowered(f"""
            %a: f32[{a}] = input(name="a")
            %b: f32[{b}] = input(name="b")
            %n: f32[] = full(value=0.5)
            %p: f32[{result}] = matmul(a=%a, b=%b)
            %y: f32[{result}] = add(a=%p, b=%n)
            return "y"=%y
        """)
        assert "ttnn.matmul" in text, a
        assert "ttnn.add" in text, a
