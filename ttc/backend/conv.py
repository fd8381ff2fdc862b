"""How TTNN runs convolutions: always on channels-last rows, with weights prepared once at set-up.

One spatial dimension lies on the height (width 1), where TTNN needs the least L1 for it.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import torch

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.spatial import from_rows, to_rows
from ttc.calls.call import PLAIN_FLOATS, ComputeKernelConfig, CoreGrid, UnaryWithParam
from ttc.calls.conv import (
    Conv2d,
    Conv2dConfig,
    Convolution,
    CoreRectangle,
    Op2DSliceConfig,
    PrepareConvBias,
    PrepareConvWeights,
    SliceType,
    sharded_bytes,
)
from ttc.calls.matmul import Linear
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, DType, Layout, Sharding, Value
from ttc.ops.conv import Pads
from ttc.ops.rules import images
from ttc.ops.torch_types import to_torch

FUSED = {
    "": None,
    "relu": UnaryWithParam("RELU"),
    "gelu": UnaryWithParam("GELU", 0.0),
    "silu": UnaryWithParam("SILU"),
    "tanh": UnaryWithParam("TANH"),
}
"""Activations that a convolution ends in, by TTNN's name; GELU's number asks for the exact form."""

WHOLE = Op2DSliceConfig(SliceType.L1Full)

SMALL_BYTES = 32_768
"""L1 per core that opening the device sets aside for index tables, out of what targets call allocatable."""

Prepare = TypeVar("Prepare", bound=Convolution)


@lowers(ops.Conv)
def conv(op: ops.Conv, to: Lowering) -> Value:
    """A matrix product where the kernel is one pixel, else conv2d."""
    spatial = op.w.type.rank - 2
    if spatial > 2:
        raise Refusal("3-D convolution has no exact form in TTNN calls yet")
    if to.static(op.w) is None or (op.bias and to.static(op.bias) is None):
        raise Refusal("a convolution's weight and bias must be known before the first run")
    x = to_rows(op.x, op.rows, to)
    y = pointwise(op, x, to) if is_pointwise(op) else convolution(op, x, to)
    return from_rows(y, op, to)


def is_pointwise(op: ops.Conv) -> bool:
    """Whether every output pixel depends on the input pixel at its place, and no other."""
    kernel = op.w.shape[2:]
    return set(kernel) == {1} and set(op.stride) == {1} and not any(map(sum, op.padding))


def pointwise(op: ops.Conv, x: Value, to: Lowering) -> Value:
    """x [.., pixels, I] @ weight [I, O] + bias, then the activation."""
    columns, rows = to.target.grid
    bias = None if op.bias is None else to.upload(to.static(op.bias))  # type: ignore[arg-type]
    weight = to.derive(ops.Permute(dense(op, to), (1, 0)))
    return to.call(
        Linear(
            x,
            to.upload(weight, to.weight_dtype),
            bias=bias,
            activation=op.activation or None,
            compute_kernel_config=ComputeKernelConfig(),
            core_grid=CoreGrid(rows, columns) if op.activation else None,
        )
    )


def dense(op: ops.Conv, to: Lowering) -> Value:
    """A pointwise weight [O, I / groups] as one matrix [O, I], zero outside the groups' blocks."""
    out, per_group = op.w.shape[:2]
    weight, groups = to.static(op.w), op.groups
    if groups == 1:
        return to.derive(ops.Reshape(weight, (out, per_group)))  # type: ignore[arg-type]
    blocks = to.derive(ops.Reshape(weight, (groups, out // groups, 1, per_group)))  # type: ignore[arg-type]
    place = to.constant(torch.eye(groups, dtype=to_torch(op.w.dtype)).reshape(groups, 1, groups, 1))
    return to.derive(ops.Reshape(to.derive(ops.Mul(blocks, place)), (out, groups * per_group)))


def convolution(op: ops.Conv, x: Value, to: Lowering) -> Value:
    """conv2d with its weights prepared, in the shard layout that needs the least L1."""
    weight = to.derive(ops.Reshape(to.static(op.w), plane_weight(op.w.shape)))  # type: ignore[arg-type]
    bias = None if op.bias is None else to.derive(ops.Reshape(to.static(op.bias), (1, 1, 1, op.w.shape[0])))  # type: ignore[arg-type]
    prepare = planned(op, x, to.host(weight, host_dtype(to)), to)
    shared = {field.name: getattr(prepare, field.name) for field in fields(Convolution)}
    shared["slice_config"] = prepare.slice_config
    ending = replace(prepare.conv_config, activation=FUSED[op.activation])
    where = {name: getattr(prepare, name) for name in ("input_memory_config", "input_layout", "input_dtype")}
    return to.call(
        Conv2d(
            input_tensor=x,
            weight_tensor=to.call(prepare),
            bias_tensor=bias and to.call(PrepareConvBias(bias_tensor=to.host(bias, host_dtype(to)), **where, **shared)),
            memory_config=DRAM,
            **{**shared, "conv_config": ending},
        )
    )


def planned(op: ops.Conv, x: Value, weight: Value, to: Lowering) -> PrepareConvWeights:
    """The preparation with the geometry of `op`, and of the two shard layouts the one that needs less L1.

    What does not fit into L1 whole is left to TTNN to cut into slices.
    """
    call = PrepareConvWeights(
        weight_tensor=weight,
        weights_format="OIHW",
        has_bias=op.bias is not None,
        input_memory_config=DRAM,
        input_layout=Layout.TILE,
        input_dtype=x.dtype,
        out_channels=op.w.shape[0],
        stride=plane(op.stride),
        dilation=plane(op.dilation),
        groups=op.groups,
        conv_config=Conv2dConfig(to.weight_dtype, config_tensors_in_dram=True),
        compute_config=ComputeKernelConfig(),
        **input_geometry(op.x, op.rows, op.w.shape[2:], op.padding),
    )
    return least_l1(call, x.dtype, to.target)


def least_l1(call: Prepare, dtype: DType, target: Target) -> Prepare:
    """The call with the shard layout that needs the least L1, cut into slices only where not even that fits."""
    grid = CoreRectangle(*target.grid)
    height = replace(call.conv_config, shard_layout=Sharding.HEIGHT_SHARDED)
    block = replace(
        call.conv_config, shard_layout=Sharding.BLOCK_SHARDED, override_sharding_config=True, core_grid=grid
    )
    need, best = min(
        (
            (sharded_bytes(candidate, dtype, target), candidate)
            for config in (height, block)
            for candidate in [replace(call, conv_config=config)]
        ),
        key=lambda pair: pair[0],
    )
    return replace(best, slice_config=WHOLE) if need <= target.l1_bytes - SMALL_BYTES else best


def input_geometry(x: Value, rows: tuple[int, ...], kernel: tuple[int, ...], padding: Pads) -> dict[str, Any]:
    """The fields that describe the input of a convolution, one spatial dimension laid on the height."""
    batch, channels, spatial = images(x, rows, len(kernel))
    height, width = (*spatial, 1)[:2]
    (top, bottom), (left, right) = (*padding, (0, 0))[:2]
    return {
        "in_channels": channels,
        "batch_size": batch,
        "input_height": height,
        "input_width": width,
        "kernel_size": plane(kernel),
        "padding": (top, bottom, left, right),
    }


def plane(sizes: tuple[int, ...]) -> tuple[int, int]:
    """One or two sizes of a window as (height, width)."""
    return (*sizes, 1)[:2]  # type: ignore[return-value]


def plane_weight(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A weight's shape with two kernel sizes."""
    return (*shape[:2], *plane(shape[2:]))


def host_dtype(to: Lowering) -> DType:
    """What a weight is on the host: as it will be on the device, block formats from fp32."""
    return to.weight_dtype if to.weight_dtype in PLAIN_FLOATS else DType.f32
