"""Lowering of transposed convolutions: as convolutions, on channels-last rows with weights prepared once."""

from __future__ import annotations

from dataclasses import fields

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.batches import by_parts
from ttc.backend.rules.conv_plan import (
    bias_config,
    bias_memory,
    geometry,
    host_dtype,
    plan,
    plane,
    plane_weight,
    taken_as_prepared,
)
from ttc.backend.rules.spatial import from_rows, to_rows
from ttc.calls.conv_transpose import (
    ConvTranspose2d,
    PrepareConvTranspose2dBias,
    PrepareConvTranspose2dWeights,
    TransposedConvolution,
)
from ttc.calls.convolution import Conv2dConfig, Convolution
from ttc.errors import Refusal
from ttc.ir import DRAM, Layout, Value
from ttc.ops.spatial import images


@lowers(ops.ConvTranspose)
def conv_transpose(op: ops.ConvTranspose, to: Lowering) -> Value:
    """Lower to conv_transpose2d in the shard layout that needs the least L1.

    A single dimension lies on the height, where TTNN needs less L1, unless slices demand the width.
    """
    w, b = to.static(op.w), op.bias and to.static(op.bias)
    if op.w.type.rank > 4:
        raise Refusal("3-D transposed convolution has no exact form in TTNN calls yet")
    if w is None or (op.bias is not None and b is None):
        raise Refusal("a convolution's weight and bias must be known before the first run")
    x = to_rows(op.x, op.rows, to)
    sides = (False, True) if len(op.stride) == 1 else (False,)
    batch = images(op.x, op.rows, len(op.stride))[0]
    prepare = plan(lambda part, side: described(op, x, w, part, side, to), batch, sides, x.dtype, to.target)
    y = by_parts(x, batch // prepare.batch_size, lambda part: transposed(prepare, part, b, to), to)
    return from_rows(y, op.rows, op.infer().shape, to)


def transposed(prepare: PrepareConvTranspose2dWeights, x: Value, b: Value | None, to: Lowering) -> Value:
    """Call conv_transpose2d as its weight's preparation states."""
    agreed = {field.name: getattr(prepare, field.name) for field in fields(TransposedConvolution)}
    agreed["dram_slice_config"] = prepare.dram_slice_config
    agreed["conv_config"] = taken_as_prepared(prepare)
    bias = None if b is None else prepared_bias(prepare, b, to)
    call = ConvTranspose2d(
        input_tensor=x, weight_tensor=to.call(prepare), bias_tensor=bias, memory_config=DRAM, **agreed
    )
    return to.call(call)


def prepared_bias(prepare: PrepareConvTranspose2dWeights, b: Value, to: Lowering) -> Value:
    """Return the bias, prepared as its weight is."""
    agreed = {field.name: getattr(prepare, field.name) for field in fields(Convolution)}
    for name in ("input_layout", "input_dtype", "dram_slice_config"):
        agreed[name] = getattr(prepare, name)
    agreed |= {"conv_config": bias_config(prepare, to), "input_memory_config": bias_memory(prepare)}
    row = to.derive(ops.Reshape(b, (1, 1, 1, prepare.out_channels)))
    return to.call(PrepareConvTranspose2dBias(bias_tensor=to.host(row, host_dtype(to)), **agreed))


def described(
    op: ops.ConvTranspose, x: Value, w: Value, batch: int, wide: bool, to: Lowering
) -> PrepareConvTranspose2dWeights:
    """Describe the preparation for `batch` images of `op`, but for shards and slices; `wide` is as in `geometry`."""
    _, channels, spatial = images(op.x, op.rows, len(op.stride))
    weight = to.derive(ops.Reshape(w, plane_weight(op.w.shape, wide)))
    call = PrepareConvTranspose2dWeights(
        weight_tensor=to.host(weight, host_dtype(to)),
        weights_format="IOHW",
        has_bias=op.bias is not None,
        input_memory_config=DRAM,
        input_layout=Layout.TILE,
        input_dtype=x.dtype,
        out_channels=op.w.shape[1] * op.groups,
        dilation=plane(op.dilation, wide),
        output_padding=plane(op.output_padding, wide, other=0),
        groups=op.groups,
        conv_config=Conv2dConfig(to.weight_dtype, config_tensors_in_dram=True),
        in_channels=channels,
        batch_size=batch,
        **geometry(spatial, op.w.shape[2:], op.stride, op.padding, wide),
    )
    call.check()
    return call
