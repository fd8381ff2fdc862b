"""The memory that a run needs: inputs and outputs as the user has them, and emulated the largest value."""

import pytest

from ttc.calls.call import ComputeKernelConfig
from ttc.calls.matmul import Linear
from ttc.errors import TtcError
from ttc.ir import Builder, Const, DType, Input, Spec, TensorType
from ttc.runtime.run import memory
from ttc.runtime.run.program import Program


def program() -> Program:
    """y[4, 96] = x[4, 64] @ w: the weight is larger than all that a run computes, and in memory before."""
    builder = Builder()
    x, w = builder(Input(Spec(DType.bf16, (4, 64)), "x")), builder(Const(Spec(DType.bf16, (64, 96)), "w"))
    y = builder(Linear(x, w, compute_kernel_config=ComputeKernelConfig()))
    inputs, outputs = ((("x", TensorType(DType.f32, (4, 64))),), (("y", TensorType(DType.f32, (4, 96))),))
    return Program(builder.finish({"y": y}), inputs, outputs, "n150", "bf16")


SIDES = 4 * 64 * 4 + 4 * 96 * 4
"""Bytes of x and y in float32."""
LARGEST = 4 * 96 * 2
"""Bytes of y in bfloat16."""


@pytest.mark.parametrize(("emulated", "needed"), [(False, SIDES), (True, SIDES + LARGEST)])
def test_what_a_run_needs_is_there_or_the_run_is_refused(emulated: bool, needed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: needed)
    memory.require_memory(program(), emulated)
    monkeypatch.setattr(memory, "available_bytes", lambda: needed - 1)
    with pytest.raises(TtcError, match=f"more memory than this machine gives: {needed:,} of {needed - 1:,} bytes"):
        memory.require_memory(program(), emulated)
