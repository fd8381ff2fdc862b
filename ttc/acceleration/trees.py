"""Trees of values: arguments and results in plain containers, and objects, which are left as they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree

CONTAINERS = (tuple, list, Mapping, deque)
"""Plain containers, beside dataclasses."""


def is_object(node: Any) -> bool:
    """Return whether a node of a tree is no plain container, be it a cache that torch could take apart."""
    return not isinstance(node, CONTAINERS) and not is_dataclass(node)


def tensors(*trees: Any) -> list[Tensor]:
    """List the tensors in trees of values."""
    return [leaf for leaf in pytree.tree_leaves(trees, is_leaf=is_object) if isinstance(leaf, Tensor)]
