import pytest

from tests.backend.lowered import calls, lowered
from ttc.errors import Refused
from ttc.ir import DType


def two(op: str, a: str, b: str, result: str, dtype: DType = DType.bf16) -> str:
    """An op on inputs a and b; an operand written `2.0 in f32[1]` is a constant."""

    def source(name: str, text: str) -> str:
        number, _, type = text.rpartition(" in ")
        return f"%{name}: {type} = " + (f"full(value={number})" if number else f'input(name="{name}")')

    return lowered(f'{source("a", a)}\n{source("b", b)}\n%y: {result} = {op}(a=%a, b=%b)\nreturn "y"=%y', dtype)


@pytest.mark.parametrize(
    ("op", "a", "b", "call"),
    [
        ("add", "f32[2,33]", "1.5 in f32[]", "bf16[2,33] tile dram = ttnn.add(%a, 1.5)"),
        ("add", "1.5 in f32[1]", "f32[2,33]", "bf16[2,33] tile dram = ttnn.add(1.5, %b)"),
        ("sub", "1.0 in f32[]", "f32[2,33]", "bf16[2,33] tile dram = ttnn.subtract(1.0, %b)"),
        ("mul", "2.0 in f32[2,33]", "f32[2,33]", "bf16[2,33] tile dram = ttnn.multiply(%b, 2.0)"),
        ("maximum", "0.5 in f32[]", "f32[2,33]", "bf16[2,33] tile dram = ttnn.maximum(%b, 0.5)"),
        ("div", "1.0 in f32[]", "f32[2,33]", "bf16[2,33] tile dram = ttnn.reciprocal(%b)"),
        ("div", "3.0 in f32[]", "f32[2,33]", "bf16[2,33] tile dram = ttnn.div(3.0, %b)"),
        ("pow", "f32[2,33]", "2.0 in f32[]", "bf16[2,33] tile dram = ttnn.square(%a)"),
        ("pow", "f32[2,33]", "3.0 in f32[]", "bf16[2,33] tile dram = ttnn.pow(%a, 3)"),
        ("pow", "f32[2,33]", "-1.5 in f32[]", "bf16[2,33] tile dram = ttnn.pow(%a, -1.5)"),
        ("pow", "2.0 in f32[]", "f32[2,33]", "bf16[2,33] tile dram = ttnn.rpow(%b, 2.0)"),
    ],
)
def test_uniform_operands_become_numbers(op: str, a: str, b: str, call: str):
    assert two(op, a, b, "f32[2,33]") == f"%y: {call}"


@pytest.mark.parametrize(("exponent", "call"), [(0.5, "sqrt"), (-0.5, "rsqrt")])
def test_powers_that_are_roots_take_no_negative_zero(exponent, call):
    """0 is added where the base may be -0, and not to squares, magnitudes and what is above 0."""
    exponents = f'%e: f32[] = full(value={exponent})\n%y: f32[5] = pow(a=%b, b=%e)\nreturn "y"=%y'
    given = '%a: f32[5] = input(name="a")\n'
    root = f"ttnn.{call}"
    for base in ("neg(x=%a)", "floor(x=%a)", "ceil(x=%a)"):
        text = lowered(f"{given}%b: f32[5] = {base}\n{exponents}")
        assert ", 0.0)\n" in text
        assert f"{root}(%b)" not in text
        assert root in text
    for base in ("mul(a=%a, b=%a)", "abs(x=%a)", "exp(x=%a)"):
        text = lowered(f"{given}%b: f32[5] = {base}\n{exponents}")
        assert "ttnn.add" not in text
        assert f"{root}(%b)" in text


def test_a_value_times_itself_is_read_once():
    text = lowered('%a: f32[5] = input(name="a")\n%y: f32[5] = mul(a=%a, b=%a)\nreturn "y"=%y')
    assert text == "%y: bf16[5] tile dram = ttnn.square(%a)"


def test_comparisons_turn_round_with_their_operands():
    assert two("lt", "4 in i64[1]", "i64[33]", "bool[33]") == "%y: i32[33] tile dram = ttnn.gt(%b, 4)"


def test_a_constant_that_widens_the_result_stays_a_tensor():
    assert two("add", "f32[33]", "1.5 in f32[2,1]", "f32[2,33]") == "%y: bf16[2,33] tile dram = ttnn.add(%a, %b.full)"


def test_integers_divide_exactly():
    assert two("div", "i64[33]", "3 in i64[]", "i64[33]") == (
        '%y: i32[33] tile dram = ttnn.div(%a, 3, rounding_mode="trunc")'
    )
    assert two("floor_div", "i64[33]", "i64[33]", "i64[33]") == (
        '%y: i32[33] tile dram = ttnn.div(%a, %b, rounding_mode="floor")'
    )


def test_the_largest_float_stays_finite_in_bf16():
    largest = "-3.4028234663852886e+38 in f32[]"
    assert two("maximum", "f32[5]", largest, "f32[5]") == (
        "%y: bf16[5] tile dram = ttnn.maximum(%a, -3.3895313892515355e+38)"
    )
    assert two("maximum", "f32[5]", largest, "f32[5]", DType.f32) == (
        "%y: f32[5] tile dram = ttnn.maximum(%a, -3.4028234663852886e+38)"
    )


def test_integers_beyond_32_bits_are_refused():
    with pytest.raises(Refused, match="the integer 4294967296 does not fit the device's 32 bits"):
        two("add", "i64[5]", "4294967296 in i64[]", "i64[5]")


def test_integers_have_no_tensor_exponents():
    with pytest.raises(Refused, match="an integer tensor cannot be raised to a tensor"):
        two("pow", "i64[5]", "i64[5]", "i64[5]")


def test_logic_is_bitwise_for_integers():
    assert two("and", "i64[5]", "6 in i64[]", "i64[5]") == "%y: i32[5] tile dram = ttnn.bitwise_and(%a, 6)"
    assert two("and", "bool[5]", "bool[5]", "bool[5]") == "%y: bf16[5] tile dram = ttnn.logical_and(%a, %b)"


def test_booleans_of_different_producers_meet_in_one_dtype():
    assert lowered("""
        %i: i64[5] = input(name="i")
        %x: f32[5] = input(name="x")
        %zero: f32[] = full(value=0.0)
        %five: i64[] = full(value=5)
        %h: f32[5] = tanh(x=%x)
        %p: bool[5] = gt(a=%h, b=%zero)
        %q: bool[5] = lt(a=%i, b=%five)
        %y: bool[5] = or(a=%p, b=%q)
        return "y"=%y
    """) == calls("""
        %h: bf16[5] tile dram = ttnn.tanh(%x)
        %p: bf16[5] tile dram = ttnn.gt(%h, 0.0)
        %q: i32[5] tile dram = ttnn.lt(%i, 5)
        %y_0: bf16[5] tile dram = ttnn.typecast(%q, bf16)
        %y: bf16[5] tile dram = ttnn.logical_or(%p, %y_0)
    """)


def choice(condition: str, a: str, b: str, result: str) -> str:
    return lowered(f"""
        %c: {condition} = input(name="c")
        %a: {a}
        %b: {b}
        %y: {result} = where(condition=%c, a=%a, b=%b)
        return "y"=%y
    """)


def test_where_takes_numbers_that_widen_nothing():
    full, x = "f32[] = full(value=-1e30)", 'f32[2,33] = input(name="a")'
    assert choice("bool[33]", x, full, "f32[2,33]") == "%y: bf16[2,33] tile dram = ttnn.where(%c, %a, -1e+30)"
    assert choice("bool[2,33]", full, "f32[] = full(value=2.0)", "f32[2,33]") == (
        "%y: bf16[2,33] tile dram = ttnn.where(%c, -1e+30, 2.0)"
    )


def test_where_brings_its_predicate_to_the_values_dtype():
    x = 'i64[33] = input(name="a")'
    assert choice("bool[33]", x, "i64[] = full(value=7)", "i64[33]") == calls("""
        %y_0: i32[33] tile dram = ttnn.typecast(%c, i32)
        %y: i32[33] tile dram = ttnn.where(%y_0, %a, 7)
    """)


def test_where_of_two_integers_keeps_one_as_a_tensor():
    text = choice("bool[33]", "i64[33] = full(value=1)", "i64[] = full(value=7)", "i64[33]")
    assert text.endswith("ttnn.where(%y_0, 1, %b.full)")


ROOT = 'input_tensor_a_activations=[UnaryWithParam(op_type="RSQRT")]'


def rooted(body: str, shape: str = "1,33", dtype: DType = DType.bf16) -> str:
    return lowered(
        f"""
        %v: f32[1,33] = input(name="v")
        %w: f32[{shape}] = input(name="w")
        {body}
        return "y"=%y
    """,
        dtype,
    )


def test_a_product_takes_the_inverse_root_of_an_operand():
    for operands in ("a=%r, b=%w", "a=%w, b=%r"):
        text = rooted(f"%r: f32[1,33] = rsqrt(x=%v)\n%y: f32[1,33] = mul({operands})")
        assert text == f"%y: bf16[1,33] tile dram = ttnn.multiply(%v, %w, {ROOT})"


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("%r: f32[1,33] = rsqrt(x=%v)\n%y: f32[5,33] = mul(a=%r, b=%w)", "5,33"),  # for each of 5 rows
        ("%r: f32[1,33] = rsqrt(x=%v)\n%s: f32[1,33] = mul(a=%r, b=%w)\n%y: f32[1,33] = sub(a=%r, b=%s)", "1,33"),
        ("%r: f32[1,33] = sqrt(x=%v)\n%y: f32[1,33] = mul(a=%r, b=%w)", "1,33"),
        ("%r: f32[1,33] = rsqrt(x=%v)\n%y: f32[1,33] = add(a=%r, b=%w)", "1,33"),
    ],
)
def test_other_roots_are_calls_of_their_own(body: str, shape: str):
    assert "RSQRT" not in rooted(body, shape)


def test_a_root_that_a_sum_takes_is_not_taken_again():
    body = "%s: f32[1,33] = add(a=%v, b=%w)\n%r: f32[1,33] = rsqrt(x=%s)\n%y: f32[1,33] = mul(a=%r, b=%w)"
    assert rooted(body) == calls("""
        %r: bf16[1,33] tile dram = ttnn.add(%v, %w, activations=[UnaryWithParam(op_type="RSQRT")])
        %y: bf16[1,33] tile dram = ttnn.multiply(%r, %w)
    """)
