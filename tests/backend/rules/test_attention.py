import numpy as np
import pytest
import torch

from tests.backend.lowered import lowered
from tests.emulated import emulated
from ttc.backend.rules.attention import program_config
from ttc.calls.attention import chunk_tiles
from ttc.calls.target import TARGETS
from ttc.ir import DType, TensorType, Weight, Weights, parse_graph
from ttc.ops import evaluate
from ttc.pipeline import Options, compile_graph
from ttc.validation.accuracy import pcc, scaled_error

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
    made = ["where", "to_layout", "expand", "to_layout", "fill_implicit_tile_padding"]
    assert found == ["max", *made, FUSED, "where"]
    sure = attention("2,4,33,32", "2,4,50,32", ', mask=%m, empty="never"', more=mask)
    assert sure == [*made, FUSED]


def test_masks_that_leave_every_query_a_key_cost_nothing_at_run_time():
    """A weight is not looked into: its queries without keys are replaced; a known mask is."""
    weight = '%m: bool[33,64] = const(ref="m")'
    assert attention("2,4,33,32", "2,4,64,32", ", mask=%m", more=weight) == [FUSED, "where"]
    for row, rest in (("true, false, true", []), ("false, false, false", ["where"]), ("0.0, 0.0, -inf", [])):
        known = f"%m: {'f32' if '0' in row else 'bool'}[1,3] = literal(data=[{row}])"
        assert attention("2,4,33,32", "2,4,3,32", ", mask=%m", more=known)[-1 - len(rest) :] == [FUSED, *rest]


def test_a_first_key_that_causality_leaves_and_a_mask_takes():
    known = "%m: bool[1,3] = literal(data=[false, true, true])"
    assert attention("2,4,3,32", "2,4,3,32", ", mask=%m, causal=true", more=known)[-2:] == [FUSED, "where"]
    assert attention("2,4,3,32", "2,4,3,32", ", mask=%m", more=known)[-1] == FUSED


ALONE = """graph {
  %q: f32[2,4,5,%D] = input(name="q")
  %k: f32[2,4,7,%D] = input(name="k")
  %v: f32[2,4,7,%V] = input(name="v")
  %m: %T[%S] = %M
  %y: f32[2,4,5,%V] = attention(q=%q, k=%k, v=%v, mask=%m, scale=0.3%R)
  return "output"=%y
}"""
JOINED = """graph {
  %q0: f32[2,5,4,%D] = input(name="q")
  %k0: f32[2,7,4,%D] = input(name="k")
  %v0: f32[2,7,4,%V] = input(name="v")
  %q: f32[2,4,5,%D] = permute(x=%q0, dims=[0, 2, 1, 3])
  %k: f32[2,4,7,%D] = permute(x=%k0, dims=[0, 2, 1, 3])
  %v: f32[2,4,7,%V] = permute(x=%v0, dims=[0, 2, 1, 3])
  %m: %T[%S] = %M
  %y: f32[2,4,5,%V] = attention(q=%q, k=%k, v=%v, mask=%m, scale=0.3%R)
  %y1: f32[2,5,4,%V] = permute(x=%y, dims=[0, 2, 1, 3])
  %y2: f32[2,5,%W] = reshape(x=%y1, shape=[2, 5, %W])
  return "output"=%y2
}"""


def hiding(kind: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A mask whose first and last rows hide every key, the others one or two."""
    seen = torch.ones(shape, dtype=torch.bool)
    seen.view(-1, shape[-1])[0] = False
    seen.view(-1, shape[-1])[-1] = False
    seen.view(-1, shape[-1])[1:-1, 2:4] = False
    seen.view(-1, shape[-1])[:, 0] &= torch.arange(seen.numel() // shape[-1]) % 2 == 1
    if kind == "bool":
        return seen
    low = -torch.inf if kind == "-inf" else torch.finfo(torch.float32).min
    return torch.where(seen, 0.25, low)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("text", [ALONE, JOINED], ids=["alone", "joined"])
@pytest.mark.parametrize("given", ["input", "weight", "literal"])
@pytest.mark.parametrize("kind", ["bool", "-inf", "finfo.min"])
@pytest.mark.parametrize(
    ("shape", "sizes", "rest"),
    [
        ((1, 1, 5, 7), (32, 32), ""),
        ((2, 4, 5, 7), (32, 32), ', empty="nan"'),
        ((2, 1, 1, 7), (32, 64), ""),
        ((5, 7), (40, 40), ", causal=true"),
    ],
    ids=str,
)
def test_a_query_without_keys_gets_what_torch_gives(shape, sizes, rest, kind, given, text, dtype):
    """0 of a False or -inf row (NaN of a softmax written out), the mean of the values of a row of finfo.min."""
    mask = hiding(kind, shape)
    type = TensorType(DType.bool if kind == "bool" else DType.f32, shape)
    source = 'input(name="m")'
    weights = {}
    if given != "input":
        ref = "m" if given == "weight" else "literal.m"
        source, weights = f'const(ref="{ref}")', {ref: Weight(type, mask.numpy)}
    marks = {"%D": sizes[0], "%V": sizes[1], "%W": 4 * sizes[1], "%T": type.dtype, "%R": rest, "%M": source}
    for mark, value in {**marks, "%S": ",".join(map(str, shape))}.items():
        text = text.replace(mark, str(value))
    graph = parse_graph(text, Weights(weights))
    generator = torch.Generator().manual_seed(0)
    inputs = {v.op.name: torch.randn(v.shape, generator=generator) for v in graph.inputs}
    inputs.update({"m": mask} if given == "input" else {})
    wanted = evaluate(graph, inputs)["output"].numpy()
    build = compile_graph(graph, Options(N150, dtype))
    for mode in ("exact", "tensix"):
        found = emulated(build, inputs, mode)["output"]
        np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
        np.testing.assert_array_equal(found == 0, wanted == 0)
        assert pcc(found, wanted) > (0.9999 if dtype == "fp32" else 0.999)
        assert scaled_error(found, wanted) < (1e-5 if dtype == "fp32" and mode == "exact" else 0.02)


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


BIASED = """
    %c: bool[1,1,1,64] = input(name="c")
    %t: f32[1,4,32,16] = input(name="t")
    %r: f32[1,4,16,64] = input(name="r")
    %low: f32[] = full(value=-inf)
    %p: f32[1,4,32,64] = matmul(a=%t, b=%r)
    %m: f32[1,4,32,64] = where(condition=%c, a=%p, b=%low)
"""
"""A mask of numbers that a product gave where a key is seen."""


def test_numbers_that_a_product_gave_exclude_no_key():
    found = attention("1,4,32,32", "1,4,64,32", ", mask=%m", more=BIASED)
    assert found == ["matmul", "max", "where", FUSED, "where"]
    reshaped = BIASED.replace("%p: f32[1,4,32,64] = matmul(a=%t, b=%r)", "%p0: f32[1,4,32,64] = matmul(a=%t, b=%r)\n"
        "%p1: f32[4,32,64] = reshape(x=%p0, shape=[4, 32, 64])\n"
        "%p: f32[1,4,32,64] = reshape(x=%p1, shape=[1, 4, 32, 64])")  # fmt: skip
    assert "clamp" not in attention("1,4,32,32", "1,4,64,32", ", mask=%m", more=reshaped)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("matmul(a=%t, b=%r)", 'input(name="p")'),  # may be minus infinity
        ("value=-inf", "value=-1e30"),
        ("a=%p, b=%low", "a=%low, b=%p"),
    ],
)
def test_other_numbers_are_asked_whether_they_exclude_a_key(old: str, new: str):
    assert "clamp" in attention("1,4,32,32", "1,4,64,32", ", mask=%m", more=BIASED.replace(old, new))
