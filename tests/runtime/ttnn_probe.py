"""Runs where the real ttnn is (no pytest, no torch): what `TtnnDevice` uploads, makes and translates, as JSON."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict

import numpy as np

from ttc.calls.call import ComputeKernelConfig, CoreGrid
from ttc.calls.matmul import Linear
from ttc.errors import TtcError
from ttc.ir import HOST, L1, Buffer, Builder, DType, Input, Layout, MemoryConfig, Sharding, ShardSpec, Spec
from ttc.ir.weights import float32_to_bf16
from ttc.runtime.mock import environment

SHARDED = MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED, ShardSpec((4, 2), (32, 64)))
IN_ROWS = MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED, ShardSpec((7, 1), (64, 64), rest=2))
BANKS = MemoryConfig(Buffer.DRAM, Sharding.WIDTH_SHARDED, ShardSpec((7, 1), (96, 128)))
BLOCKS = MemoryConfig(Buffer.L1, Sharding.BLOCK_SHARDED, ShardSpec((2, 2), (32, 32), column_major=True))
SPECS = (
    Spec(DType.bf16, (1, 197, 768)),
    Spec(DType.f32, (3, 5), Layout.ROW_MAJOR, L1),
    Spec(DType.f32, ()),
    Spec(DType.f32, (), Layout.ROW_MAJOR),
    Spec(DType.bf16, (40,)),
    Spec(DType.i32, (2, 3, 4, 5, 6)),
    Spec(DType.u32, (5,), Layout.ROW_MAJOR),
    Spec(DType.u16, (2, 40)),
    Spec(DType.u8, (2, 40), Layout.ROW_MAJOR),
    Spec(DType.bfp8, (64, 48)),
    Spec(DType.bfp4, (64, 48)),
    Spec(DType.bf16, (256, 64), Layout.TILE, SHARDED),
    Spec(DType.bf16, (550, 64), Layout.TILE, IN_ROWS),
    Spec(DType.f32, (64, 64), Layout.TILE, BLOCKS),
    Spec(DType.bfp8, (96, 800), Layout.TILE, BANKS),
    Spec(DType.bf16, (8, 3, 3, 3), Layout.ROW_MAJOR, HOST),
    Spec(DType.f32, (0, 5)),
)


def main(target: str) -> None:
    os.environ.update(environment(target))
    from ttc.runtime.run.device_ttnn import NUMPY_INTEGERS, TtnnDevice

    found = {"torch": "torch" in sys.modules}
    with TtnnDevice() as device:
        found["card"] = asdict(device.measured())
        found["l1_end"] = l1_end(device)
        found["specs"] = []
        for spec in SPECS:
            numbers = np.ones(spec.shape, NUMPY_INTEGERS.get(spec.dtype, np.float32))
            for tensor in (device.empty(spec), device.upload(numbers, spec)):
                actual, padded = device.spec_of(tensor)
                back = device.download(tensor, spec)
                said = [str(spec), str(actual), list(spec.padded_shape), list(padded)]
                found["specs"].append([*said, back.dtype.name, list(back.shape) == list(spec.shape)])
        found["dram"] = dram(device)
        found["host"] = on_the_host(device)
        found["refused"] = refused(device)
        found["linear"] = arguments(device)
    print(json.dumps(found))


def l1_end(device) -> int:
    """The end of L1, as TTNN names it where the circular buffers of a call pass it."""
    import ttnn

    x = device.empty(Spec(DType.bf16, (1, 1, 2048, 1024)))
    config = ttnn.SDPAProgramConfig(compute_with_storage_grid_size=(8, 8), q_chunk_size=1024, k_chunk_size=1024)
    try:
        ttnn.transformer.scaled_dot_product_attention(x, x, x, is_causal=False, program_config=config)
    except RuntimeError as error:
        return int(re.findall(r"beyond max L1 size of (\d+) B", str(error))[0])
    raise AssertionError("chunks of 1024 x 1024 fit into L1")


def dram(device) -> list[list[int]]:
    """The bytes of DRAM that each of SPECS takes: as counted for one tensor, and as TTNN's own sum grows."""
    found = []
    for spec in SPECS:
        before = device.dram_allocated()
        tensor = device.empty(spec)
        _, bytes_per_bank = device.dram_buffer(tensor) or (0, 0)
        found.append([bytes_per_bank * device.dram_banks, device.dram_allocated() - before])
        del tensor
    return found


def on_the_host(device) -> list:
    """Host tensors hold numbers even beside a mock card: they come back as they went."""
    x = np.array([[1.5, -2.25], [3.0, 1 / 3]], np.float32)
    spec = Spec(DType.bf16, (2, 2), Layout.ROW_MAJOR, HOST)
    kept = [device.upload(x, spec), device.upload(float32_to_bf16(x), spec)]
    integers = Spec(DType.i32, (2,), Layout.ROW_MAJOR, HOST)
    return [
        *(device.download(t, spec).tolist() for t in kept),
        device.download(device.upload(np.array([-3, 2**31 - 1], np.int64), integers), integers).tolist(),
    ]


def refused(device) -> dict[str, str]:
    """What is refused, in which words."""
    said = {}

    def attempt(name: str, run) -> None:
        try:
            said[name] = f"accepted: {run()}"
        except TtcError as error:
            said[name] = str(error)

    attempt("floats as integers", lambda: device.upload(np.ones(3, np.float32), Spec(DType.i32, (3,))))
    attempt("strings", lambda: device.upload(np.array(["a"]), Spec(DType.bf16, (1,))))
    attempt(
        "rows of blocks",
        lambda: device.upload(np.ones((32, 32), np.float32), Spec(DType.bfp8, (32, 32), Layout.ROW_MAJOR)),
    )
    attempt("too much", lambda: device.empty(Spec(DType.f32, (1 << 17, 1 << 17))))
    return said


def arguments(device) -> dict[str, str]:
    """How a call's fields arrive."""
    builder = Builder()
    a, b = (builder(Input(Spec(DType.bf16, (32, 32)), name)) for name in "ab")
    call = Linear(
        a, b, activation="gelu", dtype=DType.f32, compute_kernel_config=ComputeKernelConfig(), core_grid=CoreGrid(8, 7)
    )
    bound = device.bind(call)
    bound._function = lambda *positional, **keywords: (positional, keywords)
    positional, keywords = bound(["A", "B"])
    config = keywords.pop("compute_kernel_config")
    kept = ("math_fidelity", "math_approx_mode", "fp32_dest_acc_en", "packer_l1_acc")
    return {
        "positional": str(list(positional)),
        **{name: str(item) for name, item in keywords.items()},
        "config": str([str(getattr(config, name)) for name in kept]),
    }


if __name__ == "__main__":
    main(sys.argv[1])
