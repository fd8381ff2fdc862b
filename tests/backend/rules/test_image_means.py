"""Which calls means of whole images become, what the real library says of them, and their numbers."""

from dataclasses import replace
from typing import Any

import pytest
import torch

import ttc
from tests.backend.rules.test_conv import calls, mnemonics
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc import ops
from ttc.backend.plan.sharding.forms import averaged, forms
from ttc.backend.plan.sharding.layouts import grids_of
from ttc.backend.rules.image_means import covers_images
from ttc.calls.call import spec_of
from ttc.calls.pool import AvgPool2d
from ttc.calls.target import TARGETS, Target
from ttc.ir import Builder, DType, Graph, Input, Sharding, Spec, TensorType, Value, verify
from ttc.ir.weights import Weights


def text(batch: int, sizes: tuple[int, ...], channels: int, **changes: object) -> str:
    rows = batch * torch.Size(sizes).numel()
    rank, fields = len(sizes), {"kernel": [*sizes], "stride": [*sizes]}
    fields |= {"padding": [[0, 0]] * rank, "dilation": [1] * rank, "rows": [batch, *sizes], **changes}
    window = ", ".join(f"{name}={value}" for name, value in fields.items())
    return f"""
  %x: f32[1,1,{rows},{channels}] = input(name="x")
  %y: f32[1,1,{batch},{channels}] = avg_pool(x=%x, {window})
  return "y"=%y"""


@pytest.mark.parametrize("sizes", [(7, 7), (49,), (7, 1, 7)])
def test_means_of_images_are_one_pool_over_all_cores(sizes: tuple[int, ...]):
    (call,) = [call for call in calls(text(16, sizes, 2048)) if isinstance(call, AvgPool2d)]
    assert call.kernel_size == (call.input_h, call.input_w)
    assert call.applied_shard_scheme is Sharding.WIDTH_SHARDED
    assert mnemonics(text(16, sizes, 2048)) == ["avg_pool2d"]


@pytest.mark.parametrize(
    ("batch", "sizes", "channels", "dtype"),
    [
        (16, (7, 7), 2048, DType.f32),  # TTNN pools bf16
        (16, (7, 7), 1000, DType.bf16),  # channels that are no whole tiles
        (64, (28, 28), 64, DType.bf16),  # pixels that one core's L1 does not hold
        (8, (28, 28), 32, DType.bf16),  # one core has all the channels, and is slower than all cores by samples
    ],
)
def test_other_means_of_images_are_means_of_samples(batch: int, sizes: tuple[int, ...], channels: int, dtype: DType):
    found = mnemonics(text(batch, sizes, channels), dtype=dtype)
    assert "mean" in found
    assert not {"avg_pool2d", "add"} & set(found)


@pytest.mark.parametrize("changes", [{"kernel": (7, 6)}, {"padding": ((0, 0), (1, 0))}, {"dilation": (2, 1)}])
def test_windows_that_are_no_images_are_seen(changes: dict[str, Any]):
    x = Value(Input(TensorType(DType.f32, (1, 1, 98, 32)), "x"), TensorType(DType.f32, (1, 1, 98, 32)), "x")
    op = ops.AvgPool(x, (7, 7), (7, 7), ((0, 0), (0, 0)), (1, 1), rows=(2, 7, 7))
    assert covers_images(op)
    assert not covers_images(replace(op, **changes))


@pytest.mark.parametrize("target", EACH_CARD)
def test_the_real_library_takes_averages_in_every_form(target: str, ttnn_python: str):
    """Interleaved in DRAM, and bfp8 in width shards: programs, conversions and results are as predicted."""
    card = TARGETS[target]
    sizes = [(16, (7, 7), 2048), (40, (3, 3), 512), (8, (49,), 960), (2, (7, 7), 32), (8, (7, 7), 2208)]
    plain = [call for size in sizes for call in calls(text(*size), target=target) if isinstance(call, AvgPool2d)]
    assert len(plain) == len(sizes)
    programs = [_alone(call, spec_of(call.input_tensor)) for call in plain]
    for call in plain:
        narrow = replace(call.input_tensor, type=replace(spec_of(call.input_tensor), dtype=DType.bfp8))
        given = replace(call, input_tensor=narrow)
        programs += [_alone(given, spec_of(narrow)), *_sharded(given, card)]
    assert len(programs) > 4 * len(sizes)
    for program, report in zip(programs, check_many(list(map(str, programs)), card), strict=True):
        assert report.ok, f"{report.faults}\n{program}"


def test_images_that_are_averaged_lie_on_all_or_on_half_of_the_cores():
    """Other images of as many rows lie in no width shards, nor do those in bf16."""
    (call,) = [call for call in calls(text(16, (7, 7), 2048)) if isinstance(call, AvgPool2d)]
    wide = spec_of(call.input_tensor)
    narrow = replace(call, input_tensor=replace(call.input_tensor, type=replace(wide, dtype=DType.bfp8)))
    found = averaged(_alone(narrow, spec_of(narrow.input_tensor)))
    assert (found, averaged(_alone(call, wide))) == ({(25, 64), (1, 64)}, set())
    grids = grids_of([wide], TARGETS["n150"], averaged=found)
    assert set(grids.in_width(wide)) == {(8, 8), (8, 4)}
    assert not grids.in_width(replace(wide, shape=(1, 1, 800, 1024)))


def _sharded(call: AvgPool2d, card: Target) -> list[Graph]:
    graph = _alone(call, spec_of(call.input_tensor))
    found = list(forms(call, grids_of([spec_of(call.input_tensor)], card, averaged=averaged(graph)), card))
    changed = [replace(call, **form.fields, memory_config=form.result or call.memory_config) for form in found]
    return [
        _alone(each, replace(spec_of(call.input_tensor), memory=form.operands[0]))
        for each, form in zip(changed, found, strict=True)
        if form.operands[0]
    ]


def _alone(call: AvgPool2d, given: Spec) -> Graph:
    builder = Builder(Weights({}))
    x = builder(Input(given, "x"))
    return verify(builder.finish([("y", builder(replace(call, input_tensor=x)))]))


def test_means_are_torchs_and_keep_what_is_not_finite_in_their_own_image():
    class Means(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(32, 32, 1)

        def forward(self, x):
            return self.conv(x).mean((2, 3))

    torch.manual_seed(0)
    net, x = Means().eval(), torch.randn(4, 32, 7, 7)
    compiled = ttc.compile(net, x)
    assert "ttnn.avg_pool2d" in str(compiled.build.program.graph)
    (found,) = compiled.run(x.numpy(), "emulator").values()
    wanted = net(x).detach()
    assert (torch.from_numpy(found) - wanted).abs().max() < 2**-6 * wanted.abs().max()
    x[0, 3, 2, 2], x[2, 5, 6, 6] = torch.inf, torch.nan
    (found,) = compiled.run(x.numpy(), "emulator").values()
    assert torch.from_numpy(found).isfinite().all(1).tolist() == [False, True, False, True]
