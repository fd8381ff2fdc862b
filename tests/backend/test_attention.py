import pytest

from tests.backend.lowered import lowered
from ttc.backend.attention import program_config
from ttc.calls.attention import chunk_tiles
from ttc.calls.target import TARGETS
from ttc.ir import DType

N150 = TARGETS["n150"]


def names(text: str) -> list[str]:
    return [
        line.split("= ")[1].split("(")[0].removeprefix("ttnn.").removeprefix("transformer.")
        for line in text.splitlines()
    ]


def attention(q: str, k: str, rest: str = "", dtype: DType = DType.bf16, value: str = "", more: str = "") -> list[str]:
    value = value or k
    result = f"{q.rsplit(',', 1)[0]},{value.rsplit(',', 1)[1]}"
    return names(
        lowered(
            f"""
            %q: f32[{q}] = input(name="q")
            %k: f32[{k}] = input(name="k")
            %v: f32[{value}] = input(name="v")
            {more}
            %y: f32[{result}] = attention(q=%q, k=%k, v=%v{rest})
            return "y"=%y
            """,
            dtype,
        )
    )


FUSED = "scaled_dot_product_attention"


def test_bf16_attends_in_one_call():
    assert attention("2,4,33,32", "2,4,50,32", ", scale=0.5") == [FUSED]
    assert attention("2,4,33,32", "2,2,33,32", ", causal=true") == [FUSED]


def test_fp32_attends_by_products():
    assert attention("2,4,33,32", "2,4,50,32", ", scale=0.5", DType.f32) == ["multiply", "matmul", "softmax", "matmul"]
    grouped = attention("2,4,33,32", "2,2,50,32", "", DType.f32)
    assert grouped.count("expand") == 2
    assert grouped.count("matmul") == 2


def test_odd_head_sizes_are_filled_with_zeros():
    assert attention("2,4,33,40", "2,4,50,40") == ["pad", "pad", "pad", FUSED, "slice"]


def test_values_of_another_size_take_products():
    assert FUSED not in attention("2,4,33,32", "2,4,50,32", value="2,4,50,64")


def test_a_row_mask_is_made_numbers_and_expanded_once():
    mask = '%m: bool[2,1,1,50] = input(name="m")'
    found = attention("2,4,33,32", "2,4,50,32", ", mask=%m", more=mask)
    assert found == ["where", "to_layout", "expand", "to_layout", "fill_implicit_tile_padding", FUSED]


def test_static_masks_cost_nothing_at_run_time():
    mask = '%m: bool[33,64] = const(ref="m")'
    assert attention("2,4,33,32", "2,4,64,32", ", mask=%m", more=mask) == [FUSED]


def test_causal_attention_over_other_keys_takes_a_mask():
    assert attention("2,4,33,32", "2,4,64,32", ", causal=true") == [FUSED]


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
@pytest.mark.parametrize(
    ("shape", "keys"),
    [((1, 12, 197, 64), 197), ((1, 1, 4096, 512), 4096), ((2, 32, 2048, 128), 2048), ((1, 1, 1, 32), 7)],
)
def test_chunks_fit_the_cores(target, shape, keys):
    for masked, causal in ((False, False), (True, False), (False, True)):
        config = program_config(shape, keys, masked, causal, target)
        assert config.q_chunk_size % 32 == config.k_chunk_size % 32 == 0
        assert chunk_tiles(config, shape[3], masked, causal) * 2048 <= target.l1_bytes * 2 / 3
        assert config.exp_approx_mode is False


def test_one_round_over_the_cores_is_better_than_two():
    assert program_config((1, 12, 197, 64), 197, False, False, N150).q_chunk_size == 64
