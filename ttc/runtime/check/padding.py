"""Tile padding of what TTNN reduces: TTNN's own trace of a call tells whether it was filled."""

from __future__ import annotations

from collections.abc import Collection

from ttc.calls.call import Call, spec_of
from ttc.calls.reduce import Prod, ReduceCall, Topk
from ttc.ir import TILE, Value

FILL = "FillPadDeviceOperation"
"""The device op that overwrites the padding of the last tiles. Softmax, norms and argmax mask it in their kernels."""


def unfilled_padding(call: Call, device_ops: Collection[str]) -> tuple[str, ...]:
    """List the reduction of a line that ends inside a tile, if TTNN did not fill the rest of the tile before."""
    match call:
        case ReduceCall(input_tensor=x, dim=dims):
            found = _ends_inside_tile(x, dims)
        case Prod(input_tensor=x, dim=dim) | Topk(input_tensor=x, dim=dim):
            found = _ends_inside_tile(x, (dim,))
        case _:
            return ()
    if not found or FILL in device_ops:
        return ()
    return (f"{call.mnemonic} reduces %{x.name}, {spec_of(x)}, and ttnn leaves the padding of its tiles unfilled",)


def _ends_inside_tile(x: Value, dims: tuple[int, ...]) -> bool:
    return any(dim >= x.type.rank - 2 and x.shape[dim] % TILE for dim in dims)
