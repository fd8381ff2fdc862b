"""Arrays as torch tensors and back: what a module is called with, and what a program gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ttc.errors import InputError
from ttc.ir import Graph
from ttc.ops.torch_types import to_torch
from ttc.runtime.run.convert import numbers_of


def to_tensor(item: Any) -> Any:
    """Convert an array or a number of numpy's to a torch tensor, nothing else; InputError for odd elements."""
    if isinstance(item, np.generic) and item.dtype.kind in "biuf":
        return item.item()
    if not isinstance(item, np.ndarray):
        return item
    if item.dtype.name == "bfloat16":
        return torch.from_numpy(np.array(item).view(np.int16)).view(torch.bfloat16)
    try:
        item = numbers_of("", item)
        return torch.from_numpy(np.array(item, order="C", copy=not item.flags.writeable or None))
    except (TypeError, ValueError):
        raise InputError(
            f"an array of {item.dtype} cannot become a torch tensor: these are not numbers of torch"
        ) from None


def require_dense(leaf: Any) -> None:
    """Require a tensor that holds its elements one by one; InputError otherwise."""
    if isinstance(leaf, Tensor) and (leaf.layout is not torch.strided or leaf.is_quantized or leaf.is_nested):
        kind = "quantized" if leaf.is_quantized else "nested" if leaf.is_nested else str(leaf.layout)
        remedy = (
            "x.dequantize()" if leaf.is_quantized else "x.to_padded_tensor(0)" if leaf.is_nested else "x.to_dense()"
        )
        raise InputError(f"an argument is a {kind} tensor, which programs do not take: pass {remedy}")


def as_tensors(arrays: Mapping[str, np.ndarray], graph: Graph) -> dict[str, Tensor]:
    """Convert a graph's outputs to torch tensors of the dtypes that the graph declares."""
    declared = graph.signature()[1]
    return {name: torch.from_numpy(array).to(to_torch(declared[name].dtype)) for name, array in arrays.items()}
