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


def faults(program: str, target: str = "n150") -> list[str]:
    return list(lint(parse_program(program), TARGETS[target]))


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


# ---------------------------------------------------------------- one call each

T, WHOLE_NUMBERS = "bf16[2,33,40] tile dram", "i32[2,33,40] tile dram"


def of(line: str, *specs: str) -> str:
    """Return a program of a call, `%y` and later lines, on inputs %a, %b, .. of these specs."""
    inputs = [f'%{name}: {spec} = input(name="{name}")' for name, spec in zip("abcdef", specs, strict=False)]
    return "\n".join(["graph {", *inputs, line, 'return "y"=%y', "}"])


def state(fidelity: str, wide: str = "true") -> str:
    return f"compute_kernel_config=ComputeKernelConfig(math_fidelity={fidelity}, fp32_dest_acc_en={wide})"


@pytest.mark.parametrize(
    ("target", "config", "unsafe"),
    [
        ("n150", state("HiFi4"), True),
        ("n300", state("HiFi4"), True),
        ("n150", state("HiFi3"), False),
        ("n150", state("HiFi4", "false"), False),
        ("p150", state("HiFi4"), False),
    ],
)
def test_passes_beyond_what_a_card_sums_right(target: str, config: str, unsafe: bool):
    found = faults(of(f"%y: bf16[2,33] tile dram = ttnn.sum(%a, [2], {config})", T), target)
    said = "ttnn.sum sums in fp32 at HiFi4, and wormhole_b0 is right to HiFi3 (in: %y"
    assert [fault.startswith(said) for fault in found] == [True] * unsafe


@pytest.mark.parametrize(
    ("line", "twice"),
    [
        (f"%y: {T} = ttnn.add(%a, %a)", "%a"),
        (f"%y: {T} = ttnn.add(%a, %b)", ""),
        (f"%y: {T} = ttnn.add(%a, %b, output_tensor=%a)", ""),
        (f"%y: {T} = ttnn.add(%a, %a, output_tensor=%b)", "%a"),
        ("%v: bf16[1,2,33,40] tile dram = ttnn.reshape(%a, [1, 2, 33, 40])\n"
         "%y: bf16[1,2,33,40] tile dram = ttnn.add(%v, %a)", "%a"),
        ("%v: bf16[1,33,2,40] tile dram = ttnn.reshape(%a, [1, 33, 2, 40])\n"  # other rows: no view
         "%w: bf16[1,2,33,40] tile dram = ttnn.permute(%v, [0, 2, 1, 3])\n"
         "%y: bf16[1,2,33,40] tile dram = ttnn.add(%w, %a)", ""),
        ("%y: bf16[6,33,40] tile dram = ttnn.concat([%a, %b, %a], 0)", "%a"),
        (f"%n: {T} = ttnn.add(%a, 1.0, output_tensor=%b)\n%y: {T} = ttnn.add(%n, %a)", ""),
        (f"%n: {T} = ttnn.add(%a, 1.0, output_tensor=%b)\n%y: {T} = ttnn.where(%a, %n, %n)", "%n"),
    ],
)  # fmt: skip
def test_buffers_that_a_call_reads_twice(line: str, twice: str):
    found = faults(of(line, T, T))
    assert [fault.partition(" (in")[0].split(" reads ")[1] for fault in found] == (
        [f"the buffer of {twice} twice"] if twice else []
    )


@pytest.mark.parametrize(
    ("call", "spec"),
    [
        ("ttnn.add(%a, NUMBER)", WHOLE_NUMBERS),
        ("ttnn.clamp(%a, min=NUMBER)", WHOLE_NUMBERS),
        ("ttnn.clamp(%a, max=NUMBER)", WHOLE_NUMBERS),
        ("ttnn.where(%a, %b, NUMBER)", WHOLE_NUMBERS),
        ("ttnn.where(%a, NUMBER, %b)", WHOLE_NUMBERS),
    ],
)
def test_integers_that_wormhole_does_not_hold(call: str, spec: str):
    def found(number: int, target: str = "n150") -> list[str]:
        return faults(of(f"%y: {spec} = {call.replace('NUMBER', str(number))}", spec, spec), target)

    for number in (-(2**31), -0x7F800000, 0x7F800000, 2**31 - 1):
        assert [f"takes {number}, and wormhole_b0" in fault for fault in found(number)] == [True]
        assert found(number, "p150") == []
    for number in (-0x7F7FFFFF, 0, 0x7F7FFFFF):
        assert found(number) == []


def test_floats_as_large_are_no_integers():
    assert faults(of(f"%y: {T} = ttnn.add(%a, -3e+38)", T)) == []


ATTENTION = """%y: bf16[1,2,33,64] tile dram = ttnn.transformer.scaled_dot_product_attention(%a, %b, %c, attn_mask=MASK,
 is_causal=false, scale=0.125)""".replace("\n", "")
HEADS = "bf16[1,2,33,64] tile dram"


def attention(mask: str, *lines: str, keys: int = 33) -> list[str]:
    heads = HEADS.replace("33", str(keys))
    specs = (HEADS, heads, heads, f"bf16[1,1,33,{keys}] tile dram")
    return faults(of("\n".join([*lines, ATTENTION.replace("MASK", mask)]), *specs))


def filled(number: str, of: str = "%d") -> str:
    return f"%m: bf16[1,1,33,33] tile dram = ttnn.fill_implicit_tile_padding({of}, {number})"


def test_masks_whose_padding_lets_keys_through():
    words = "ttnn.transformer.scaled_dot_product_attention has a mask"
    assert attention("%m", filled("-1e+9")) == []
    assert attention("%d", keys=64) == []
    (unfilled,) = attention("%d")
    assert unfilled.startswith(f"{words} of 33 keys whose tile padding is not filled (in: %y")
    (zeros,) = attention("%m", filled("0.0"))
    assert zeros.startswith(f"{words} that lets padded keys through")


def test_masks_are_followed_through_views_and_moves_alone():
    moved = "%n: bf16[1,1,33,33] tile dram = ttnn.to_memory_config(%m, MemoryConfig())"
    assert attention("%n", filled("-1e+9"), moved) == []
    (found,) = attention("%n", filled("-1e+9"), "%n: bf16[1,1,33,33] tile dram = ttnn.add(%m, 1.0)")
    assert "is not filled" in found


@pytest.mark.parametrize("spec", [T, T.replace("bf16", "f32")])
def test_the_real_library_turns_lines_that_it_sums_from_the_end(spec: str, ttnn_python):
    """So no sum begins in the padding of a line's last tile, and no lint looks for one."""
    (report,) = check_many([of(f"%y: {spec} = ttnn.cumsum(%a, 1, reverse_order=true)", spec)], TARGETS["n150"])
    assert "PermuteDeviceOperation" in report.per_call[0]["device_ops"]


# ---------------------------------------------------------------- several calls

L1 = T.replace("dram", "l1")


@pytest.mark.parametrize(
    ("lines", "unsafe"),
    [
        ((f"%n: {T} = ttnn.maximum(%a, 1.0, output_tensor=%b)", f"%y: {T} = ttnn.maximum(%a, 1.0)"), 0),
        ((f"%n: {L1} = ttnn.maximum(%a, 1.0, output_tensor=%c)", f"%y: {T} = ttnn.maximum(%b, 1.0)"), 1),
        ((f"%n: {L1} = ttnn.maximum(%a, 1.0, output_tensor=%c)", f"%y: {T} = ttnn.maximum(%b, 2.0)"), 0),
        ((f"%n: {L1} = ttnn.maximum(%a, %b, output_tensor=%c)", f"%y: {T} = ttnn.maximum(%a, %b)"), 0),
        ((f"%n: {L1} = ttnn.maximum(%a, %c, output_tensor=%c)", f"%y: {T} = ttnn.maximum(%a, %c)"), 0),
        ((f"%n: {L1} = ttnn.maximum(%a, 1.0, output_tensor=%c)", f"%y: {L1} = ttnn.maximum(%c, 1.0)"), 0),
        ((f"%n: {L1} = ttnn.maximum(%a, 1.0, output_tensor=%c)",
          f"%y: {T} = ttnn.maximum(%a, 1.0, output_tensor=%b)"), 1),
    ],
)  # fmt: skip
def test_one_call_gives_one_spec_where_a_result_is_written(lines: tuple[str, ...], unsafe: int):
    found = faults(of("\n".join(lines), T, T, L1))
    assert len(found) == unsafe
    assert all(f.startswith(f"ttnn.maximum gives {T}, and the same call elsewhere writes {L1}") for f in found)
