"""`Twin`: a tensor with two sides, what the device's results lead to and what torch's do, through any op of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import return_and_correct_aliasing

from ttc.acceleration.trees import is_object


class Twin(Tensor):
    """A tensor that is `found` to whoever looks at numbers; ops on it are done on `found` and on `wanted`.

    Both have one shape and dtype. In-place ops write each side into its own, but a plain tensor takes `found`.
    """

    found: Tensor
    wanted: Tensor

    @staticmethod
    def __new__(cls, found: Tensor, wanted: Tensor) -> Twin:
        form = {"strides": found.stride(), "dtype": found.dtype, "device": found.device}
        twin = Tensor._make_wrapper_subclass(cls, found.shape, **form)  # pyright: ignore[reportAttributeAccessIssue]
        twin.found, twin.wanted = found, wanted
        return twin

    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an op on both sides, torch's first: a plain tensor that the op writes to keeps the device's."""
        given = dict(kwargs or {})
        spared = torch.clone if func._schema.is_mutable else None
        wanted = func(*wanted_side(args, spared), **wanted_side(given, spared))
        found = func(*found_side(args), **found_side(given))
        return return_and_correct_aliasing(func, args, given, joined(found, wanted))

    def numpy(self, *, force: bool = False) -> Any:
        """Return the numbers of the device's side."""
        return self.found.numpy(force=force)

    def tolist(self) -> Any:
        """Return the numbers of the device's side."""
        return self.found.tolist()

    def __repr__(self, **kwargs: Any) -> str:
        """Return both sides in words."""
        return f"Twin({self.found!r}, {self.wanted!r})"


def found_side(tree: Any) -> Any:
    """Return a tree of values with the device's side of each tensor."""
    return pytree.tree_map(lambda leaf: leaf.found if isinstance(leaf, Twin) else leaf, tree, is_leaf=is_object)


def wanted_side(tree: Any, spared: Callable[[Tensor], Tensor] | None = None) -> Any:
    """Return a tree of values with torch's side of each tensor; tensors of one side go through `spared`."""

    def side(leaf: Any) -> Any:
        if isinstance(leaf, Twin):
            return leaf.wanted
        return spared(leaf) if spared and isinstance(leaf, Tensor) else leaf

    return pytree.tree_map(side, tree, is_leaf=is_object)


def joined(found: Any, wanted: Any) -> Any:
    """Return a tree of twins from two trees of one structure; all that is no tensor is the device's."""

    def twin(one: Any, other: Any) -> Any:
        fits = isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape
        return Twin(one, other.to(one.dtype)) if fits else one

    return pytree.tree_map(twin, found, wanted)


def without_twins(module: Any, args: Any, output: Any) -> Any:
    """Return a model's output with the device's side of each tensor: a forward hook. Caches in the output keep both."""
    return found_side(output)
