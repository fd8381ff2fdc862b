"""How TTNN runs matrix products."""

from __future__ import annotations

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.calls.call import ComputeKernelConfig, CoreGrid
from ttc.calls.matmul import Linear
from ttc.ir import Value


@lowers(ops.Linear)
def linear(op: ops.Linear, to: Lowering) -> Value:
    """x @ w.T as TTNN's x @ w with the weight transposed once, before the first run."""
    columns, rows = to.target.grid
    w = to.static(op.w)
    weight = to.upload(to.derive(ops.Permute(w, (1, 0))), to.weight_dtype) if w else to(op.w)
    return to.call(
        Linear(
            to.tile(to(op.x)),
            weight,
            bias=to(op.bias) if op.bias else None,
            transpose_b=w is None,
            activation=op.activation or None,
            compute_kernel_config=ComputeKernelConfig(),
            core_grid=CoreGrid(rows, columns) if op.activation else None,
        )
    )
