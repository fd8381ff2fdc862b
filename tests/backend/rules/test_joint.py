import pytest

from tests.backend.rules.patterns import calls_of
from tests.samples.patterns import JOINT

TOGETHER = "ttnn.transformer.joint_scaled_dot_product_attention"


def found(*changes: tuple[str, str], dtype: str = "bf16") -> list[str]:
    return calls_of(JOINT, *changes, dtype=dtype)


@pytest.mark.parametrize("changes", [[], [("[%r, %q]", "[%q, %r]"), ("[%l, %k]", "[%k, %l]"), ("[%w, %v]", "[%v, %w]"),
    ("13, 64])", "64, 64])"), ("starts=[0, 13, 0]", "starts=[0, 64, 0]")]])  # fmt: skip
def test_two_sequences_attend_by_one_call(changes):
    calls = found(*changes)
    assert calls.count(TOGETHER) == 1
    assert calls.count("ttnn.transformer.concatenate_heads") == 2
    assert not {"ttnn.concat", "ttnn.slice", "ttnn.to_layout"} & set(calls)


@pytest.mark.parametrize("dropped", [', "b"=%b', '"a"=%a, '])
def test_the_rows_of_one_sequence_may_be_dropped(dropped: str):
    calls = found((dropped, ""))
    assert calls.count(TOGETHER) == 1
    assert calls.count("ttnn.transformer.concatenate_heads") == 1
    assert not {"ttnn.concat", "ttnn.slice", "ttnn.to_layout"} & set(calls)


@pytest.mark.parametrize(
    "changes",
    [
        # other readers, other rows, some columns
        [('"a"=%a', '"a"=%a, "y"=%y2')],
        [("ends=[1, 13, 64]", "ends=[1, 12, 64]")],
        [("starts=[0, 13, 0]", "starts=[0, 14, 0]")],
        [("ends=[1, 77, 64]", "ends=[1, 77, 32]")],
        # a mask, causality
        [("scale=0.25", "scale=0.25, causal=true")],
        [("%y: f32", '%m: bool[1,77] = input(name="m")\n  %y: f32'), ("scale=0.25", "scale=0.25, mask=%m")],
        # one sequence; the sequences of k in another order; heads of no whole tiles
        [("concat(xs=[%w, %v], dim=2)", 'input(name="v1")')],
        [("xs=[%l, %k]", "xs=[%k, %l]")],
        [("32] = input", "40] = input"), ("77, 64]", "77, 80]"), ("13, 64]", "13, 80]")],
    ],
)
def test_near_misses(changes):
    assert TOGETHER not in found(*changes)


def test_fp32_attends_by_products():
    assert TOGETHER not in found(dtype="fp32")
