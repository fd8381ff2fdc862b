"""Which calls pools become, and the matrices of linear resampling against torch."""

import ast
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import ttc
from tests.backend.rules.test_conv import calls, mnemonics
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc.analysis.residency import l1_bank
from ttc.backend.rules.pool import LAYOUTS
from ttc.backend.rules.resample import linear_weights
from ttc.calls.pool import MaxPool2d, pool_bytes
from ttc.calls.shape import Slice
from ttc.calls.slicing import WHOLE, Op2DSliceConfig, SliceType
from ttc.calls.target import TARGETS
from ttc.ir import DType, parse_graph
from ttc.pipeline import Options, compile_graph

MAX = """
  %x: f32[1,1,144,32] = input(name="x")
  %y: f32[1,1,36,32] = max_pool(x=%x, rows=[1, 12, 12], WINDOW)
  return "y"=%y""".replace("WINDOW", "kernel=[3, 3], stride=[2, 2], padding=[[1, 1], [1, 1]], dilation=[1, 1]")


def test_max_pool_in_bf16_is_one_call():
    assert mnemonics(MAX) == ["max_pool2d"]


def pool_text(batch: int, height: int, width: int) -> str:
    rows, results = batch * height * width, batch * (height // 2) * (width // 2)
    window = "kernel=[2, 2], stride=[2, 2], padding=[[0, 0], [0, 0]], dilation=[1, 1]"
    return f"""
  %x: f32[1,1,{rows},64] = input(name="x")
  %y: f32[1,1,{results},64] = max_pool(x=%x, rows=[{batch}, {height}, {width}], {window})
  return "y"=%y"""


@pytest.mark.parametrize(
    ("size", "slices"),
    [
        ((1, 224, 224), WHOLE),
        ((4, 256, 256), Op2DSliceConfig(SliceType.DRAMSliceHeight, 2)),
        ((8, 256, 256), Op2DSliceConfig(SliceType.DRAMSliceHeight, 3)),
        ((16, 224, 224), Op2DSliceConfig(SliceType.DRAMSliceWidth, 4)),  # the result's lines are no whole tiles
    ],
)
def test_a_pool_that_l1_cannot_hold_states_its_slices(size: tuple[int, int, int], slices: Op2DSliceConfig):
    (call,) = [call for call in calls(pool_text(*size)) if isinstance(call, MaxPool2d)]
    assert call.dram_slice_config == slices
    assert call.applied_shard_scheme is not None
    room = l1_bank(TARGETS["n150"])

    def need(cut: Op2DSliceConfig) -> int:
        part = cut.parts(call.window)[0]
        return min(pool_bytes(part, 64, layout, TARGETS["n150"].grid) for layout in LAYOUTS)

    assert need(slices) <= room
    if slices.num_slices:
        assert need(WHOLE if slices.num_slices == 2 else replace(slices, num_slices=slices.num_slices - 1)) > room


def test_a_batch_that_no_slices_fit_is_cut_into_parts():
    pools = [call for call in calls(pool_text(32, 224, 224)) if isinstance(call, MaxPool2d)]
    assert [(call.batch_size, call.dram_slice_config.num_slices) for call in pools] == [(16, 4)] * 2


@pytest.mark.parametrize("target", EACH_CARD)
def test_the_real_library_takes_pools_in_slices(target: str, ttnn_python: str):
    sizes = ((16, 224, 224), (8, 256, 256), (32, 224, 224))
    graphs = [parse_graph(f"graph {{{pool_text(*size)}\n}}") for size in sizes]
    programs = [compile_graph(graph, Options(TARGETS[target])).program.graph for graph in graphs]
    pools = [node.op for program in programs for node in program.nodes if isinstance(node.op, MaxPool2d)]
    assert [pool.dram_slice_config != WHOLE for pool in pools] == [True] * 4
    assert not [fault for report in check_many(list(map(str, programs)), TARGETS[target]) for fault in report.faults]


def test_max_pool_in_fp32_is_maxima_of_slices_along_each_axis():
    found = mnemonics(MAX, dtype=DType.f32)
    assert found[:3] == ["to_layout", "reshape", "pad"]
    assert found[-2:] == ["reshape", "to_layout"]
    assert (found.count("slice"), found.count("maximum")) == (6, 4)


@pytest.mark.parametrize("dtype", [DType.bf16, DType.f32])
def test_average_pool_is_sums_of_slices_along_each_axis(dtype):
    found = mnemonics(MAX.replace("max_pool", "avg_pool"), dtype=dtype)
    assert (found.count("slice"), found.count("add"), found.count("multiply")) == (6, 4, 1)
    assert found.count("typecast") == (2 if dtype is DType.bf16 else 0)


@pytest.mark.parametrize(("pool", "call"), [("avg_pool", "add"), ("max_pool", "maximum")])
@pytest.mark.parametrize(("kernel", "calls"), [(8, 7), (9, 4), (100, 8)])
def test_a_long_window_is_put_together_by_halves(pool: str, call: str, kernel: int, calls: int):
    """A window of 100 takes 6 doublings, two of which take an element more."""
    found = mnemonics(
        f"""
  %x: f32[1,32,600] = input(name="x")
  %y: f32[1,32,{601 - kernel}] = {pool}(x=%x, kernel=[{kernel}], stride=[1], padding=[[0, 0]], dilation=[1])
  return "y"=%y""",
        dtype=DType.f32,
    )
    assert found.count(call) == calls


@pytest.mark.parametrize(
    ("size", "whole"),
    [
        (120_000, True),  # the longest lines that TTNN pads end at 125,000
        (171_518, True),  # the longest that a reshape to whole lines takes
        (171_519, False),
        (220_000, False),
    ],
)
def test_lines_that_l1_does_not_hold_are_pooled_as_pixels(size: int, whole: bool, ttnn_python: str):
    class Maxima(torch.nn.Module):
        def forward(self, x):
            return F.max_pool1d(x, 20, 10, 7, 3), F.max_pool1d(x, 3, 2, 1)

    x = torch.randn(1, 1, size, generator=torch.Generator().manual_seed(0))
    compiled = ttc.compile(Maxima(), (x,), dtype="fp32")
    assert all(map(torch.equal, compiled(x), Maxima()(x)))
    graph = compiled.build.program.graph
    slices = [node.op.infer().rank for node in graph.nodes if isinstance(node.op, Slice)]
    assert set(slices) == {2 if whole else 3}
    (report,) = check_many([str(graph)], TARGETS["n150"])
    assert report.ok, report.faults


INFINITE = [-torch.inf, torch.inf, torch.nan]
LAYERS = {
    "max": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max, dilated": lambda x: F.max_pool2d(x, 3, 1, 1, 2),
    "max, ceil": lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True),
    "average": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "average, uncounted": lambda x: F.avg_pool2d(x, (3, 2), 2, 1, ceil_mode=True, count_include_pad=False),
    "average, long": lambda x: F.avg_pool2d(x, (11, 9), 1),
    "average, one channel": lambda x: F.avg_pool2d(x[:, :1], 3, 1, 1),
    "power": lambda x: F.lp_pool2d(x.abs(), 2, 3, 2),
    "neighbours": lambda x: F.local_response_norm(x, 3),
    "resized": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "resized by rows": lambda x: F.interpolate(x, size=(17, 11), mode="bilinear"),
}
WITHIN_A_CHANNEL = ("resized", "resized by rows")
"""What multiplies each sample's channel with matrices: docs/numbers.md."""


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_an_infinity_reaches_no_window_that_it_is_not_in(dtype: str):
    """Windows of -inf alone give -inf, beside padding too; other samples and channels stay as they are."""

    class All(torch.nn.Module):
        def forward(self, x):
            return tuple(layer(x) for layer in LAYERS.values())

    x = torch.randn(3, 5, 13, 12, generator=torch.Generator().manual_seed(0))
    program = ttc.compile(All(), (x,), dtype=dtype)
    for number in INFINITE:
        special = x.clone()
        special[1, 2, :5, :6] = number
        special[1, 2, 12, 11] = number
        for name, found, wanted, clean in zip(LAYERS, program(special), All()(special), All()(x), strict=True):
            if name in WITHIN_A_CHANNEL:
                rest = torch.ones(wanted.shape, dtype=torch.bool)
                rest[1, 2] = False
                found, wanted = found[rest], clean[rest]
            tolerance = 1e-4 if dtype == "fp32" else 0.03
            torch.testing.assert_close(found, wanted, atol=tolerance, rtol=tolerance, equal_nan=True, msg=name)


@pytest.mark.parametrize(("size", "scale"), [(7, 2), (5, 3), (1, 4)])
def test_linear_weights_interpolate_as_torch_does(size, scale):
    x = torch.randn(1, 2, size, dtype=torch.float64)
    wanted = F.interpolate(x, scale_factor=float(scale), mode="linear")
    assert torch.allclose(x @ linear_weights(size, scale).T, wanted)


@pytest.mark.parametrize(
    ("kernel", "pads", "dtype", "pooled"),
    [
        ("[2, 4]", "[[1, 1], [2, 2]]", DType.bf16, True),  # half of the kernel on each side
        ("[2, 4]", "[[0, 1], [2, 1]]", DType.bf16, True),
        ("[2, 3]", "[[1, 1], [1, 2]]", DType.bf16, False),
        ("[1, 4]", "[[1, 0], [2, 2]]", DType.bf16, False),
        ("[2, 4]", "[[1, 1], [2, 2]]", DType.f32, False),
    ],
)
def test_max_pool2d_takes_half_of_its_kernel_as_padding(kernel, pads, dtype, pooled):
    height, width = (
        12 + sum(pair) - size + 1 for pair, size in zip(ast.literal_eval(pads), ast.literal_eval(kernel), strict=True)
    )
    text = f"""
      %x: f32[1,1,144,32] = input(name="x")
      %y: f32[1,1,{height * width},32] = max_pool(x=%x, kernel={kernel}, stride=[1, 1], padding={pads}, \
dilation=[1, 1], rows=[1, 12, 12])
      return "y"=%y"""
    assert ("max_pool2d" in mnemonics(text, dtype=dtype)) is pooled


def test_a_pool_of_volumes_is_maxima_of_slices():
    text = """
      %x: f32[1,32,4,4,4] = input(name="x")
      %y: f32[1,32,2,2,2] = max_pool(x=%x, kernel=[2, 2, 2], stride=[2, 2, 2], padding=[[0, 0], [0, 0], [0, 0]], \
dilation=[1, 1, 1])
      return "y"=%y"""
    assert "max_pool2d" not in mnemonics(text)
