"""Runs one call on the emulator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ttc.calls.call import Call
from ttc.ir import Builder, DType, Input, Layout, Spec
from ttc.ir.operands import gather_operands
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.device import predicted

DTYPES = {torch.float32: DType.f32, torch.bfloat16: DType.bf16, torch.int32: DType.i32, torch.int64: DType.u32}


def emulated(
    make: Callable[..., Call], *tensors: torch.Tensor, mode: str = "exact", layout: Layout = Layout.TILE
) -> list[np.ndarray]:
    """The results of a call on these operands: bf16, f32, i32, or u32 given as int64."""
    device, builder = EmulatorDevice(mode), Builder()
    specs = [Spec(DTYPES[x.dtype], tuple(x.shape), layout) for x in tensors]
    values = [builder(Input(spec, f"x{i}")) for i, spec in enumerate(specs)]
    call = make(*values)
    results = builder.add(call)
    held = dict(zip(values, tensors, strict=True))
    found = device.run(call, gather_operands(call, held.__getitem__), predicted(call))
    return [device.download(tensor, value.type) for tensor, value in zip(found, results, strict=True)]
