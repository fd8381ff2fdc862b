import random
from itertools import permutations

import pytest
import torch

from tests.backend.lowered import calls, lowered
from tests.emulated import emulated
from tests.passes.check import retyped
from ttc.backend.rules.moves import joined
from ttc.backend.rules.take import padded_indices
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.ir import DType
from ttc.pipeline import Options, compile_graph


def one(op: str, source: str, result: str, dtype: DType = DType.bf16) -> str:
    return lowered(f'%x: {source} = input(name="x")\n%y: {result} = {op}\nreturn "y"=%y', dtype)


def test_dimensions_of_size_one_move_by_a_view():
    assert one("permute(x=%x, dims=[2, 1, 0, 3])", "f32[1,33,1,40]", "f32[1,33,1,40]") == ""
    assert one("permute(x=%x, dims=[1, 0, 2])", "f32[1,2,40]", "f32[2,1,40]") == (
        "%y: bf16[2,1,40] tile dram = ttnn.reshape(%x, [2, 1, 40])"
    )


def test_deep_permutations_move_blocks():
    text = one("permute(x=%x, dims=[0, 2, 3, 4, 1, 6, 5, 7])", "f32[2,3,1,4,5,6,7,1]", "f32[2,1,4,5,3,7,6,1]")
    assert text == calls("""
        %y_0: bf16[2,3,20,6,7] tile dram = ttnn.reshape(%x, [2, 3, 20, 6, 7])
        %y_1: bf16[2,20,3,7,6] tile dram = ttnn.permute(%y_0, [0, 2, 1, 4, 3])
        %y: bf16[2,1,4,5,3,7,6,1] tile dram = ttnn.reshape(%y_1, [2, 1, 4, 5, 3, 7, 6, 1])
    """)


def test_joined_dimensions_permute_alike():
    generator = random.Random(0)
    for dims in permutations(range(5)):
        shape = tuple(generator.choice((1, 2, 3)) for _ in dims)
        x = torch.arange(torch.Size(shape).numel()).reshape(shape)
        blocks, order = joined(shape, dims)
        assert torch.equal(x.reshape(blocks).permute(order).flatten(), x.permute(dims).flatten())
        assert len(order) <= len([size for size in shape if size > 1])


def test_whole_tiles_are_sliced_as_tiles_and_others_as_rows():
    aligned = "slice(x=%x, starts=[0, 32, 0], ends=[2, 50, 64])"
    assert one(aligned, "f32[2,64,64]", "f32[2,18,64]").count("ttnn.") == 1
    cut = "slice(x=%x, starts=[0, 1, 0], ends=[2, 50, 64])"
    assert one(cut, "f32[2,64,64]", "f32[2,49,64]") == calls("""
        %y_0: bf16[2,64,64] row_major dram = ttnn.to_layout(%x, ROW_MAJOR)
        %y: bf16[2,49,64] row_major dram = ttnn.slice(%y_0, [0, 1, 0], [2, 50, 64])
    """)


def test_an_empty_slice_is_refused():
    with pytest.raises(Refused, match="the slice is empty"):
        one("slice(x=%x, starts=[3], ends=[3])", "f32[5]", "f32[0]")


def test_flips_and_reflections_are_gathered():
    text = one("flip(x=%x, dims=[1])", "f32[2,5]", "f32[2,5]")
    assert [line.split("= ")[1].split("(")[0] for line in text.splitlines()] == ["ttnn.to_layout", "ttnn.gather"]
    text = one('pad(x=%x, pads=[[0, 0], [2, 1]], mode="reflect")', "f32[2,5]", "f32[2,8]")
    assert [line.split("= ")[1].split("(")[0] for line in text.splitlines()] == ["ttnn.to_layout", "ttnn.gather"]


def test_zeros_at_the_end_are_padded_as_tiles_and_else_rows():
    assert one("pad(x=%x, pads=[[0, 0], [0, 3]])", "f32[2,5]", "f32[2,8]") == (
        "%y: bf16[2,8] tile dram = ttnn.pad(%x, [[0, 0], [0, 3]], 0.0)"
    )
    assert one("pad(x=%x, pads=[[0, 0], [1, 0]], value=2.0)", "i64[2,5]", "i64[2,6]") == calls("""
        %y_0: i32[2,5] row_major dram = ttnn.to_layout(%x, ROW_MAJOR)
        %y: i32[2,6] row_major dram = ttnn.pad(%y_0, [[0, 0], [1, 0]], 2)
    """)


def joined_rows(a: str, b: str, dim: int, result: str, dtype: DType = DType.bf16) -> list[str]:
    body = f"""
        %a: {a} = input(name="a")
        %b: {b} = input(name="b")
        %y: {result} = concat(xs=[%a, %b], dim={dim})
        return "y"=%y
    """
    text = lowered(body, dtype)
    return [line.split("= ")[1].split("(")[0].removeprefix("ttnn.") for line in text.splitlines()]


def test_concatenation_converts_only_where_tiles_are_cut():
    assert joined_rows("f32[2,32,64]", "f32[2,33,64]", 1, "f32[2,65,64]") == ["to_layout", "to_layout", "concat"]
    assert joined_rows("f32[2,33,32]", "f32[2,33,64]", 2, "f32[2,33,96]") == ["concat"]
    assert joined_rows("f32[2,33,5]", "f32[2,33,7]", 2, "f32[2,33,12]") == ["concat"]
    assert joined_rows("i64[2,33,5]", "i64[2,33,7]", 2, "i64[2,33,12]") == ["to_layout", "to_layout", "concat"]
    assert joined_rows("f32[1,33]", "f32[2,33]", 0, "f32[3,33]") == ["to_layout", "to_layout", "concat"]
    assert joined_rows("f32[2,9000]", "f32[2,5]", 1, "f32[2,9005]") == ["to_layout", "to_layout", "concat"]


def test_expanding_leading_dimensions_stays_in_tiles():
    assert one("expand(x=%x, shape=[4, 33, 40])", "f32[1,33,40]", "f32[4,33,40]") == (
        "%y: bf16[4,33,40] tile dram = ttnn.expand(%x, [4, 33, 40])"
    )
    assert one("expand(x=%x, shape=[33, 40])", "f32[1,40]", "f32[33,40]") == calls("""
        %y_0: bf16[1,40] row_major dram = ttnn.to_layout(%x, ROW_MAJOR)
        %y: bf16[33,40] row_major dram = ttnn.expand(%y_0, [33, 40])
    """)
    assert one("expand(x=%x, shape=[1, 33, 40])", "f32[33,40]", "f32[1,33,40]") == (
        "%y: bf16[1,33,40] tile dram = ttnn.reshape(%x, [1, 33, 40])"
    )


@pytest.mark.parametrize(
    ("wide", "dtype", "names"),
    [
        (2047 - 31, DType.bf16, ["concat"]),
        (2047, DType.bf16, ["to_layout", "to_layout", "concat"]),
        (1023 - 31, DType.f32, ["concat"]),
        (1023, DType.f32, ["to_layout", "to_layout", "concat"]),
    ],
)
def test_rows_are_joined_in_tiles_up_to_128_kib(wide: int, dtype: DType, names: list[str]):
    """63 tiles and one of bf16 are 64, 31 and one of fp32 are 32, of as many bytes; one more is too many."""
    assert joined_rows(f"f32[2,{wide}]", "f32[2,5]", 1, f"f32[2,{wide + 5}]", dtype) == names


def test_permutations_of_six_dimensions_are_one_call():
    """Seven are joined first, where two of them stay together."""
    deep = "permute(x=%x, dims=[5, 4, 3, 2, 1, 0])"
    assert one(deep, "f32[2,3,2,3,2,3]", "f32[3,2,3,2,3,2]").count("ttnn.") == 1
    deeper = "permute(x=%x, dims=[6, 5, 4, 3, 2, 0, 1])"
    assert one(deeper, "f32[2,3,2,3,2,3,2]", "f32[2,3,2,3,2,2,3]").count("ttnn.permute") == 1
    deepest = "permute(x=%x, dims=[6, 5, 4, 3, 2, 1, 0])"
    assert one(deepest, "f32[2,3,2,3,2,3,2]", "f32[2,3,2,3,2,3,2]").count("ttnn.permute") == 2


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("pads", [(0, 0), (1, 0), (0, 1), (1, 1), (4, 3)])
@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_positions_of_a_padded_dimension(size, pads, mode):
    if mode == "reflect" and max(pads) >= size:
        return
    x = torch.arange(float(size)).reshape(1, 1, size)
    wanted = torch.nn.functional.pad(x, pads, mode=mode).flatten().tolist()
    assert padded_indices(size, *pads, mode).tolist() == wanted


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("program", ["bf16", "fp32"])
def test_flips_give_the_elements_in_reverse(dim, program):
    """A prime size beyond what slices may cost, so that it stays a flip; integers beyond what bf16 holds, too."""
    shape = [2, 3, 4]
    shape[dim] = 43
    x = torch.arange(torch.Size(shape).numel()).reshape(shape) + 1000
    text = f"""%x: i64{shape} = input(name="x")
        %y: i64{shape} = flip(x=%x, dims=[{dim}])
        return "y"=%y"""
    build = compile_graph(retyped(text), Options(TARGETS["n150"], program))
    found = emulated(build, {"x": x.numpy()})["y"]
    assert found.tolist() == x.flip(dim).tolist()
