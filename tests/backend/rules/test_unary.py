import pytest

from tests.backend.lowered import calls, lowered
from ttc.ir import DType


def one(op: str, source: str = "f32[2,33]", result: str = "f32[2,33]", dtype: DType = DType.bf16) -> str:
    return lowered(f'%x: {source} = input(name="x")\n%y: {result} = {op}\nreturn "y"=%y', dtype)


@pytest.mark.parametrize(
    ("op", "call"),
    [
        ("relu(x=%x)", "ttnn.relu(%x)"),
        ("gelu(x=%x)", "ttnn.gelu(%x)"),
        ("gelu(x=%x, approximate=true)", "ttnn.gelu(%x, variant=Tanh)"),
        ("leaky_relu(x=%x, slope=0.2)", "ttnn.leaky_relu(%x, 0.2)"),
        ("elu(x=%x, alpha=0.5)", "ttnn.elu(%x, alpha=0.5)"),
        ("softplus(x=%x, beta=2.0)", "ttnn.softplus(%x, beta=2.0)"),
        ("hard_sigmoid(x=%x)", "ttnn.hardsigmoid(%x)"),
        ("clamp(x=%x, low=0.0, high=6.0)", "ttnn.clamp(%x, min=0.0, max=6.0)"),
        ("clamp(x=%x, high=6.0)", "ttnn.clamp(%x, max=6.0)"),
    ],
)
def test_attributes_reach_the_call(op: str, call: str):
    assert one(op) == f"%y: bf16[2,33] tile dram = {call}"


def test_other_hard_sigmoids_are_written_out():
    assert one("hard_sigmoid(x=%x, alpha=0.2)") == calls("""
        %y_0: bf16[2,33] tile dram = ttnn.multiply(%x, 0.2)
        %y_1: bf16[2,33] tile dram = ttnn.add(%y_0, 0.5)
        %y: bf16[2,33] tile dram = ttnn.clamp(%y_1, min=0.0, max=1.0)
    """)


def test_the_sign_of_integers_takes_two_comparisons():
    assert one("sign(x=%x)", "i64[5]", "i64[5]") == calls("""
        %y_0: i32[5] tile dram = ttnn.gt(%x, 0)
        %y_1: i32[5] tile dram = ttnn.lt(%x, 0)
        %y: i32[5] tile dram = ttnn.subtract(%y_0, %y_1)
    """)


def test_integer_bounds_are_integers():
    assert one("clamp(x=%x, low=-1.5, high=inf)", "i64[5]", "i64[5]") == calls("""
        %y: i32[5] tile dram = ttnn.clamp(%x, min=-1)
    """)


@pytest.mark.parametrize(
    ("source", "target", "call"),
    [
        ("f32", "i64", "%y: i32[5] tile dram = ttnn.typecast(%x, i32)"),
        ("f32", "bool", "%y: bf16[5] tile dram = ttnn.nez(%x)"),
        ("i64", "f32", "%y: bf16[5] tile dram = ttnn.typecast(%x, bf16)"),
        ("bool", "i64", "%y: i32[5] tile dram = ttnn.typecast(%x, i32)"),
        ("f32", "f16", ""),
        ("i64", "i32", ""),
        ("bool", "f32", ""),
    ],
)
def test_casts_cost_what_they_change(source: str, target: str, call: str):
    assert one(f"cast(x=%x, dtype={target})", f"{source}[5]", f"{target}[5]") == call


def test_integers_are_compared_with_0_as_floats():
    assert one("cast(x=%x, dtype=bool)", "i64[5]", "bool[5]") == calls("""
        %y_0: bf16[5] tile dram = ttnn.typecast(%x, bf16)
        %y: bf16[5] tile dram = ttnn.nez(%y_0)
    """)


SUMMED = """
    %x: f32[2,33] = input(name="x")
    %z: f32[33] = input(name="z")
    %s: f32[2,33] = add(a=%x, b=%z)
    %y: f32[2,33] = relu(x=%s)
    return "y"=%y
"""


def test_the_relu_of_a_sum_is_part_of_the_sum():
    text = lowered(SUMMED)
    assert text.count("ttnn.") == 1
    assert 'ttnn.add(%x, %z, activations=[UnaryWithParam(op_type="RELU")])' in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"y"=%y', '"y"=%y, "s"=%s'),
        ("relu(x=%s)", "sigmoid(x=%s)"),
        ("add(a=%x, b=%z)", "mul(a=%x, b=%x)"),
        ("add(a=%x, b=%z)", "maximum(a=%x, b=%z)"),
    ],
)
def test_what_stays_a_call_of_its_own(old, new):
    assert SUMMED.count(old) == 1
    assert "activations" not in lowered(SUMMED.replace(old, new))
