"""Safety lints: each finds its fault in a program made to have it, and nothing beside it."""

from __future__ import annotations

import pytest

from ttc.backend import lower
from ttc.calls.lints import lint
from ttc.calls.slicing import Op2DSliceConfig, SliceType
from ttc.calls.target import TARGETS
from ttc.calls.window import Window
from ttc.errors import Refusal
from ttc.ir import DType, parse_graph
from ttc.runtime.check import check_many
from ttc.runtime.run.program import parse_program

WHOLE = "slice_config=Op2DSliceConfig(slice_type=L1Full)"


def convolution(height: int, width: int, stride: int = 1) -> str:
    """Return a program with one convolution of 32 channels, stated whole."""
    pixels, out = height * width, (height // stride) * (width // stride)
    text = f"""graph {{
      %x: f32[1,1,{pixels},32] = input(name="x")
      %w: f32[32,32,3,3] = const(ref="w")
      %b: f32[32] = const(ref="b")
      %y: f32[1,1,{out},32] = conv(x=%x, w=%w, bias=%b, stride=[{stride}, {stride}], padding=[[1, 1], [1, 1]], DILATION)
      return "y"=%y
    }}""".replace("DILATION", f"dilation=[1, 1], rows=[1, {height}, {width}]")
    program = str(lower(parse_graph(text), TARGETS["n150"], DType.bf16, DType.bf16)[0])
    assert program.count(WHOLE) == 3  # weight, bias and convolution
    return program


def sliced(program: str, kind: SliceType, count: int = 2) -> str:
    return program.replace(WHOLE, f"slice_config=Op2DSliceConfig(slice_type={kind.name}, num_slices={count})")


def faults(program: str) -> list[str]:
    return list(lint(parse_program(program)))


HEIGHT, WIDTH = SliceType.DRAMSliceHeight, SliceType.DRAMSliceWidth


def test_slices_that_nobody_states_are_found_with_their_line():
    program = convolution(64, 64)
    assert faults(program) == []
    found = faults(program.replace(f", {WHOLE}", ""))
    assert [fault.split(" does not")[0] for fault in found] == [
        "ttnn.prepare_conv_bias",
        "ttnn.prepare_conv_weights",
        "ttnn.conv2d",
    ]
    assert all("(in: %y" in fault for fault in found)


@pytest.mark.parametrize(
    ("height", "width", "stride", "kind", "unsound"),
    [
        (64, 64, 1, HEIGHT, False),
        (64, 63, 1, HEIGHT, True),
        (64, 65, 1, HEIGHT, True),
        (64, 65, 1, WIDTH, False),
        (64, 128, 2, HEIGHT, False),
        (64, 96, 2, HEIGHT, True),  # whole tiles in, 48 columns out
    ],
)
def test_slices_along_the_height_are_of_whole_tiles(height, width, stride, kind, unsound):
    found = faults(sliced(convolution(height, width, stride), kind))
    assert len(found) == unsound
    assert all(f"is cut along the height, from lines of {width} to" in fault for fault in found)


def test_the_real_library_cuts_as_the_lint_says(ttnn_python):
    programs = [
        sliced(convolution(64, 65), HEIGHT),
        sliced(convolution(64, 65), WIDTH),
        sliced(convolution(64, 64), HEIGHT),
    ]
    bad, wide, good = check_many(programs, TARGETS["n150"])
    assert (wide.faults, good.faults) == ([], [])
    cut = "unsafe on a card: ttnn cuts an image of 64 x 65 pixels along the height, its lines no whole tiles of 32"
    assert cut in bad.faults
    assert "unsafe on a card: ttnn.conv2d is cut along the height" in bad.faults[0]
    assert not bad.ok


def test_what_ttnn_chooses_itself_is_found_in_its_own_trace(ttnn_python):
    """A convolution that does not fit whole, its slices left to TTNN: it cuts lines of 100 pixels along the height."""
    text = """graph {
      %x: f32[1,1,80000,512] = input(name="x")
      %w: f32[512,512,3,3] = const(ref="w")
      %y: f32[1,1,80000,512] = conv(x=%x, w=%w, stride=[1, 1], padding=[[1, 1], [1, 1]], dilation=[1, 1], ROWS)
      return "y"=%y
    }""".replace("ROWS", "rows=[8, 100, 100]")
    program = str(lower(parse_graph(text), TARGETS["n150"], DType.bf16, DType.bf16)[0])
    stated = "slice_config=" + program.split("slice_config=")[1].split(")")[0] + ")"
    (report,) = check_many([program.replace(f", {stated}", "")], TARGETS["n150"])
    assert any("ttnn cuts an image of 100 x 100 pixels along the height" in fault for fault in report.faults)
    assert sum("does not state its slices" in fault for fault in report.faults) == 2


@pytest.mark.parametrize(
    ("slices", "words"),
    [
        (Op2DSliceConfig(HEIGHT), "0 slices along the height of 64 x 65 pixels: 1 to 64 exist"),
        (Op2DSliceConfig(HEIGHT, 65), "65 slices along the height"),
        (Op2DSliceConfig(WIDTH, 4), "4 slices along the width of 64 x 65 pixels: 1 to 3 exist"),
        (Op2DSliceConfig(WIDTH, -1), "-1 slices"),
        (Op2DSliceConfig(SliceType.L1Full, 2), "an op that runs whole has no slices, got 2"),
    ],
)
def test_slices_that_do_not_exist_are_refused(slices, words):
    with pytest.raises(Refusal, match=words):
        slices.check(Window(1, (64, 65), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)))
