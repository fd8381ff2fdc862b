"""Convolutions of every small geometry read only what was written: torch takes views of one channel otherwise."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import ttc
from ttc import ops
from ttc.calls.conv import Conv2d
from ttc.calls.conv_transpose import ConvTranspose2d
from ttc.calls.convolution import Conv2dConfig
from ttc.ir import Builder, DType, Input, TensorType
from ttc.runtime.emulator.conv import in_bf16, in_float32
from ttc.runtime.emulator.conv_transpose import conv_transpose2d
from ttc.runtime.emulator.numerics import Mode

CHANNELS = ((1, 2, 1), (2, 3, 1), (2, 2, 2))
"""(in, out, groups)"""

GEOMETRIES = [
    (batch, size, kernel, stride, dilation)
    for batch, size, kernel, stride, dilation in product(
        (1, 4), ((5, 3), (3, 7)), ((3, 2), (3, 3), (2, 1)), ((1, 1), (1, 2), (2, 3)), (1, 2)
    )
    if all(extent > dilation * (taps - 1) for extent, taps in zip(size, kernel, strict=True))
]
"""Among them all that torch is known to fail in: batch and stride above 1, an output that is one wide."""


def leave_garbage() -> None:
    """Fill memory that small results may get with numbers that nobody can take for theirs."""
    for size in (8, 16, 32, 64, 128, 256, 512, 1024):
        torch.full((size,), 1e30)


def windows(x: torch.Tensor, kernel, stride, dilation) -> torch.Tensor:
    """[N, C, H', W', h, w]: the windows of x in float64, by slicing alone."""
    out = [(s - dilation * (k - 1) - 1) // step + 1 for s, k, step in zip(x.shape[2:], kernel, stride, strict=True)]
    taps = [
        x[:, :, i * dilation :: stride[0], j * dilation :: stride[1]][:, :, : out[0], : out[1]]
        for i, j in product(range(kernel[0]), range(kernel[1]))
    ]
    return torch.stack(taps, -1).unflatten(-1, kernel).double()


def correlated(x, w, groups, kernel, stride, dilation) -> torch.Tensor:
    """Cross-correlation in float64 as sums of products, without torch's convolutions."""
    found = windows(x, kernel, stride, dilation).unflatten(1, (groups, -1))
    split = w.double().unflatten(0, (groups, -1))
    return torch.einsum("ngcyxhw,gochw->ngoyx", found, split).flatten(1, 2)


def call_fields(batch, channels, size, kernel, stride, dilation) -> dict:
    inner, outer, groups = channels
    return {
        "in_channels": inner, "out_channels": outer, "batch_size": batch, "input_height": size[0],
        "input_width": size[1], "kernel_size": kernel, "stride": stride, "padding": (0, 0, 0, 0),
        "dilation": (dilation, dilation), "groups": groups, "conv_config": Conv2dConfig(),
    }  # fmt: skip


def operand(builder: Builder, tensor: torch.Tensor, name: str):
    return builder(Input(TensorType(DType.f32, tuple(tensor.shape)), name))


WAYS = {
    torch.float32: lambda call, rows, weight: in_float32(call, Mode.exact, rows, weight, None),
    torch.bfloat16: lambda call, rows, weight: in_bf16(call, rows, weight, None),
}
"""How the emulator computes a convolution of numbers of a dtype."""


@pytest.mark.parametrize("dtype", WAYS, ids=str)
@pytest.mark.parametrize("channels", CHANNELS, ids=str)
def test_convolutions_read_what_was_written(channels, dtype):
    inner, outer, groups = channels
    generator, builder = torch.Generator().manual_seed(0), Builder()
    for batch, size, kernel, stride, dilation in GEOMETRIES:
        rows = torch.randn(1, 1, batch * size[0] * size[1], inner, generator=generator)
        w = torch.randn(outer, inner // groups, *kernel, generator=generator)
        spread = torch.zeros(outer, inner, *kernel)
        for o in range(outer):
            first = o // (outer // groups) * (inner // groups)
            spread[o, first : first + inner // groups] = w[o]
        prepared = spread.permute(2, 3, 1, 0).reshape(1, 1, -1, outer)
        fields = call_fields(batch, channels, size, kernel, stride, dilation)
        call = Conv2d(**fields, input_tensor=operand(builder, rows, "x"), weight_tensor=operand(builder, prepared, "w"))
        leave_garbage()
        found = WAYS[dtype](call, rows.to(dtype), prepared.to(dtype))
        images = rows.to(dtype).reshape(batch, *size, inner).permute(0, 3, 1, 2)
        wanted = correlated(images.float(), w.to(dtype).float(), groups, kernel, stride, dilation)
        rounding = 2.0**-7 if dtype is torch.bfloat16 else 0
        assert torch.allclose(found.double(), wanted, rtol=rounding, atol=1e-4), fields


@pytest.mark.parametrize("channels", CHANNELS, ids=str)
def test_the_meaning_of_convolutions_is_of_what_was_written(channels):
    """Of rows and of views alike: constants are folded by it, and validation compares with it."""
    inner, outer, groups = channels
    generator, builder = torch.Generator().manual_seed(1), Builder()
    for batch, size, kernel, stride, dilation in GEOMETRIES:
        rows = torch.randn(1, 1, batch * size[0] * size[1], inner, generator=generator)
        w = torch.randn(outer, inner // groups, *kernel, generator=generator)
        images = rows.reshape(batch, *size, inner).permute(0, 3, 1, 2)
        wanted = correlated(images, w, groups, kernel, stride, dilation)
        for x, of_rows in ((images, ()), (rows, (batch, *size))):
            values = operand(builder, x, "x"), operand(builder, w, "w")
            pads = ((0, 0), (0, 0))
            op = ops.Conv(*values, None, stride, pads, (dilation, dilation), groups, rows=of_rows)
            leave_garbage()
            found = op.eval(x, w, None)
            found = found.reshape(batch, *wanted.shape[2:], outer).permute(0, 3, 1, 2) if of_rows else found
            assert torch.allclose(found.double(), wanted, atol=1e-4), op


def test_transposed_convolutions_read_what_was_written():
    """The gradient of a convolution: the inner product with any image equals that of the convolved image."""
    generator, builder = torch.Generator().manual_seed(2), Builder()
    for (inner, outer, groups), geometry in product(CHANNELS[:2], GEOMETRIES):
        batch, size, kernel, stride, dilation = geometry
        rows = torch.randn(1, 1, batch * size[0] * size[1], inner, generator=generator)
        w = torch.randn(inner, outer, *kernel, generator=generator)
        prepared = w.permute(2, 3, 0, 1).reshape(1, 1, -1, outer)
        fields = call_fields(batch, (inner, outer, groups), size, kernel, stride, dilation)
        fields |= {"output_padding": (0, 0)}
        values = operand(builder, rows, "x"), operand(builder, prepared, "w")
        call = ConvTranspose2d(**fields, input_tensor=values[0], weight_tensor=values[1])
        leave_garbage()
        found = conv_transpose2d(call, Mode.exact, rows, prepared).double()
        full = [(s - 1) * step + dilation * (k - 1) + 1 for s, k, step in zip(size, kernel, stride, strict=True)]
        found = found.reshape(batch, *full, outer).permute(0, 3, 1, 2)
        probe = torch.randn(found.shape, generator=generator, dtype=torch.float64)
        back = correlated(probe, w, 1, kernel, stride, dilation)
        images = rows.reshape(batch, *size, inner).permute(0, 3, 1, 2).double()
        assert torch.allclose((found * probe).sum(), (back * images).sum(), rtol=1e-4, atol=1e-3), fields


def test_the_case_that_was_seen_in_a_network():
    torch.manual_seed(0)
    net, x = nn.Conv2d(1, 2, (3, 2), stride=(1, 2)).eval(), torch.randn(4, 1, 5, 3)
    wanted = F.conv2d(x.double(), net.weight.double(), net.bias.double(), (1, 2)).detach()
    compiled = ttc.compile(net, (x,), dtype="fp32")
    for _ in range(5):
        leave_garbage()
        assert torch.allclose(compiled(x).double(), wanted, atol=1e-4)
