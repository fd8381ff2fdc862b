"""Types that torch declares for the results of nodes."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from ttc.errors import Refusal
from ttc.frontend.export.complex import PARTS, Complex
from ttc.ir import DType, TensorType
from ttc.ops.torch_types import FROM_TORCH


def dtype_of(dtype: torch.dtype) -> DType:
    """Return the dtype of a tensor, or of the parts of a complex one; Refusal where ttc has no such dtype."""
    dtype = PARTS.get(dtype, dtype)
    if dtype not in FROM_TORCH:
        raise Refusal(f"{dtype} is not supported")
    return FROM_TORCH[dtype]


def type_of(tensor: torch.Tensor) -> TensorType:
    """Return the type of a tensor; Refusal for sizes that are not fixed, and dtypes that ttc does not have."""
    if free_unbacked_symbols(tensor):
        raise Refusal(f"its size {list(tensor.shape)} depends on data")
    if not all(isinstance(size, int) for size in tensor.shape):
        raise Refusal(f"its size {list(tensor.shape)} is not fixed: export with fixed sizes")
    return TensorType(dtype_of(tensor.dtype), tuple(tensor.shape))


def declared_types(node: Node) -> list[TensorType]:
    """Return the result types that torch declares, one for each result; Refusal for a node that gives no tensor."""
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor):
        return [type_of(value)]
    if isinstance(value, (tuple, list)) and value and all(isinstance(part, torch.Tensor) for part in value):
        return [type_of(part) for part in value]
    raise Refusal(f"{node.target} gives no tensor")


def check_declared(found: Any, declared: list[TensorType]) -> None:
    """Refuse results whose types are not those that torch declares, for as many results as the reading gives."""
    for result, type in zip(found, declared, strict=False):
        for value in (result.real, result.imag) if isinstance(result, Complex) else (result,):
            if value.type != type:
                raise Refusal(f"it was read as {value.type}, but torch declares {type}")


def gives_complex(node: Node) -> bool:
    """Return whether a result is complex."""
    value = node.meta.get("val")
    results = value if isinstance(value, (tuple, list)) else (value,)
    return any(isinstance(result, torch.Tensor) and result.is_complex() for result in results)
