import pytest

from tests.backend.lowered import lowered
from tests.backend.rules.patterns import calls_of
from tests.samples.patterns import PATTERN
from ttc.backend import lower
from ttc.calls.target import TARGETS
from ttc.ir import DType


def names(sample, dtype: DType = DType.bf16) -> list[str]:
    program = lower(sample.graph()[0], TARGETS["n150"], dtype, dtype)[0]
    found = [node.op.mnemonic for node in program.nodes if node.op.mnemonic.startswith("ttnn.")]
    return [name.removeprefix("ttnn.").removeprefix("transformer.") for name in found]


SPLIT, ATTEND, JOIN = "split_query_key_value_and_split_heads", "scaled_dot_product_attention", "concatenate_heads"
whole, grouped, three, stacked, *_ = PATTERN


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


WHOLE = whole.text
THREE = three.text
STACKED = stacked.text


def found(text: str, *changes: tuple[str, str]) -> list[str]:
    return [name.split(".")[-1] for name in calls_of(text, *changes) if "ttnn." in name]


THIRD = "starts=[0, 0, 256], ends=[2, 33, 384]"


@pytest.mark.parametrize("text", [WHOLE, THREE, STACKED])
def test_patterns_are_split_by_one_call(text):
    assert SPLIT in found(text)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        # rows that hold more than q, k and v
        (WHOLE, [("%x: f32[2,33,384]", "%x: f32[2,33,416]")]),
        # columns that do not begin where the ones before end, or not every one of them, or other rows
        (WHOLE, [("%x: f32[2,33,384]", "%x: f32[2,33,385]"), (THIRD, "starts=[0, 0, 257], ends=[2, 33, 385]")]),
        (WHOLE, [("%x: f32[2,33,384]", "%x: f32[2,33,512]"),
                 (f"{THIRD})", "starts=[0, 0, 256], ends=[2, 33, 512], steps=[1, 1, 2])")]),
        # heads in another order: split along the wrong dimension, or moved otherwise
        (STACKED, [("shape=[2, 17, 3, 2, 32]", "shape=[2, 17, 2, 3, 32]"),
                   ("dims=[2, 0, 3, 1, 4]", "dims=[3, 0, 2, 1, 4]")]),
        # the same part twice
        (STACKED, [("starts=[2, 0, 0, 0, 0], ends=[3,", "starts=[1, 0, 0, 0, 0], ends=[2,")]),
        (STACKED, [("starts=[1, 0, 0, 0, 0], ends=[2,", "starts=[0, 0, 0, 0, 0], ends=[1,")]),
        # heads that do not fill tiles
        (THREE, [("17,64]", "17,80]"), ("2, 32]", "2, 40]")]),
    ],
)  # fmt: skip
def test_near_misses(text, changes):
    assert SPLIT not in found(text, *changes)


@pytest.mark.parametrize(
    "changes",
    [
        # k and v of one slice; q and k of one; in another order
        [("x=%v, shape", "x=%k, shape")],
        [("x=%k, shape", "x=%q, shape")],
        [("x=%q, shape", "x=%v_, shape"), ("x=%v, shape", "x=%q, shape"), ("x=%v_, shape", "x=%v, shape")],
    ],
)
def test_any_part_of_one_split_is_taken(changes):
    assert found(WHOLE, *changes).count(SPLIT) == 1


NORMED = WHOLE.replace("%q2: ", "%q3: f32[2,33,4,32] = rms_norm(x=%q1)\n  %q2: ").replace("x=%q1, dims", "x=%q3, dims")


def test_heads_that_are_normalised_first_are_cut_by_the_same_split():
    assert found(NORMED).count(SPLIT) == 1
    assert "permute" not in found(NORMED)


@pytest.mark.parametrize(
    "changes",
    [
        # queries alone, of rows that do not hold keys and values of one size behind them
        [("%x: f32[2,33,384]", "%x: f32[2,33,352]"), (THIRD, "starts=[0, 0, 224], ends=[2, 33, 352]")],
        [("%x: f32[2,33,384]", "%x: f32[2,33,416]"), (THIRD, "starts=[0, 0, 288], ends=[2, 33, 416]")],
        # keys that begin inside the queries
        [("starts=[0, 0, 128], ends=[2, 33, 256]", "starts=[0, 0, 64], ends=[2, 33, 192]")],
    ],
)
def test_parts_that_no_split_gives(changes):
    counts = [found(WHOLE, *changes).count(name) for name in ("permute", SPLIT)]
    assert counts[0] > 0


def test_values_of_other_sources_are_put_side_by_side():
    """Each a value of its own: q, k and v may be the same one, and are then concatenated with themselves."""
    assert "concat" in found(THREE, ("x=%v, shape", "x=%k, shape"))
    assert "concat" in found(THREE, ("x=%k, shape", "x=%q, shape"), ("x=%v, shape", "x=%q, shape"))


ONE_ROW = """
    %x: f32[2,1,384] = input(name="x")
    %q: f32[2,1,128] = slice(x=%x, starts=[0, 0, 0], ends=[2, 1, 128])
    %k: f32[2,1,128] = slice(x=%x, starts=[0, 0, 128], ends=[2, 1, 256])
    %q1: f32[2,4,1,32] = reshape(x=%q, shape=[2, 4, 1, 32])
    %k1: f32[2,4,1,32] = reshape(x=%k, shape=[2, 4, 1, 32])
    %q2: f32[2,4,1,32] = rms_norm(x=%q1)
    return "q"=%q2, "k"=%k1
"""


def test_heads_of_one_row_are_cut_by_a_split():
    assert found(f"{{{ONE_ROW}}}").count(SPLIT) == 1


@pytest.mark.parametrize(
    "changes",
    [
        [
            ("[0, 0, 128], ends=[2, 1, 256]", "[0, 0, 64], ends=[2, 1, 192]"),
            ("[0, 0, 0], ends=[2, 1, 128]", "[0, 0, 32], ends=[2, 1, 160]"),
        ],
        [("[2,1,384]", "[2,1,400]")],
        [("[2,4,1,32]", "[2,8,1,16]"), ("[2, 4, 1, 32]", "[2, 8, 1, 16]")],
    ],
)
def test_near_misses_of_one_row(changes):
    assert SPLIT not in found(f"{{{ONE_ROW}}}", *changes)


def test_heads_of_one_row_are_joined_behind_the_attention():
    ops = """
        %q: f32[1,2,1,32] = input(name="q")
        %k: f32[1,2,64,32] = input(name="k")
        %a: f32[1,2,1,32] = attention(q=%q, k=%k, v=%k)
        %r: f32[1,1,64] = reshape(x=%a, shape=[1, 1, 64])
        return "r"=%r
    """
    text = lowered(ops)
    assert "nlp_concat_heads_decode" in text
    assert "[1, 2, 1, 32]" not in text
    # of two sequences by a reshape
    text = lowered(ops.replace("[1,", "[2,").replace("shape=[1", "shape=[2"))
    assert "ttnn.reshape(%a, [2, 1, 1, 64])" in text  # and none to [2, 2, 1, 32] before
    # of more heads than any rectangle of cores has
    many = ops.replace("[1,2,1,32]", "[1,59,1,32]").replace("[1,2,64,32]", "[1,59,64,32]").replace("64]", "1888]")
    assert "ttnn.reshape(%a, [1, 1, 1, 1888])" in lowered(many)
