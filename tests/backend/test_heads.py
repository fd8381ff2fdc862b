from tests.backend.lowered import lowered
from tests.samples import PATTERN
from ttc.backend import lower
from ttc.calls.target import TARGETS
from ttc.ir import DType


def names(sample, dtype: DType = DType.bf16) -> list[str]:
    program = lower(sample.graph()[0], TARGETS["n150"], dtype, dtype).program
    found = [node.op.mnemonic for node in program.nodes if node.op.mnemonic.startswith("ttnn.")]
    return [name.removeprefix("ttnn.").removeprefix("transformer.") for name in found]


SPLIT, ATTEND, JOIN = "split_query_key_value_and_split_heads", "scaled_dot_product_attention", "concatenate_heads"
whole, grouped, three, stacked, _ = PATTERN


def test_rows_become_heads_and_rows_again():
    assert names(whole) == [SPLIT, ATTEND, "reshape"]
    assert names(grouped) == [SPLIT, ATTEND, "reshape"]


def test_fp32_heads_are_joined_by_their_own_call():
    assert names(whole, DType.f32) == [SPLIT, "multiply", "matmul", "softmax", "matmul", JOIN]


def test_three_values_are_first_put_side_by_side():
    assert names(three) == ["concat", SPLIT, ATTEND]


def test_stacked_heads_are_cut_from_their_rows():
    assert names(stacked) == [SPLIT, ATTEND]


def test_heads_that_do_not_fit_tiles_take_the_long_way():
    text = lowered("""
        %x: f32[1,17,2,40] = input(name="x")
        %y: f32[1,2,17,40] = permute(x=%x, dims=[0, 2, 1, 3])
        %z: f32[1,17,2,40] = permute(x=%y, dims=[0, 2, 1, 3])
        %r: f32[1,17,80] = reshape(x=%z, shape=[1, 17, 80])
        return "r"=%r
    """)
    assert JOIN not in text
