"""The names that torch's `dynamic_shapes` gives to dimensions of a module's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ttc.errors import InputError

FORM = 'write {"x": {1: "T"}}: arguments by name, their dimensions by number'


def named_dims(dynamic_shapes: Any, example: tuple[tuple, dict], model: nn.Module) -> dict[int, dict[int, str]]:
    """Return the names (strings or `Dim`s) by number of the example's leaf and axis; InputError for another form.

    As torch has it: a mapping by argument, or a sequence in the arguments' order, of mappings by axis or sequences;
    nested as the arguments are, with None or a number where a size is fixed. Arguments that `**others` takes are known
    by their own names, too.
    """
    leaves, structure = pytree.tree_flatten(example)
    args, kwargs = pytree.tree_unflatten(range(len(leaves)), structure)  # numbers of leaves in their places
    signature = inspect.signature(model.forward)
    try:
        arguments = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise InputError(f"{type(model).__name__}.forward does not take these arguments: {error}") from None
    others = (name for name, parameter in signature.parameters.items() if parameter.kind is parameter.VAR_KEYWORD)
    by_name = dict(arguments) | arguments.get(next(others, ""), {})
    found: dict[int, dict[int, str]] = {}
    for name, spec in _by_argument(dynamic_shapes, list(arguments), list(by_name)).items():
        for number, dims in _dims_of_leaves(name, by_name[name], spec):
            found[number] = _checked(name, dims, leaves[number])
    return found


def _by_argument(dynamic_shapes: Any, in_order: list[str], names: list[str]) -> dict[str, Any]:
    if isinstance(dynamic_shapes, (list, tuple)):
        if len(dynamic_shapes) != len(in_order):
            given = ", ".join(in_order)
            raise InputError(f"dynamic_shapes has {len(dynamic_shapes)} entries, the call gives {given}")
        return dict(zip(in_order, dynamic_shapes, strict=True))
    if not isinstance(dynamic_shapes, Mapping):
        raise InputError(f"dynamic_shapes is {type(dynamic_shapes).__name__}: {FORM}")
    unknown = [str(name) for name in dynamic_shapes if name not in names]
    if unknown:
        raise InputError(f"dynamic_shapes names {', '.join(sorted(unknown))}, which the call does not give")
    return dict(dynamic_shapes)


def _dims_of_leaves(name: str, numbers: Any, spec: Any) -> Iterator[tuple[int, dict[Any, Any]]]:
    """Yield each leaf in `numbers` that `spec` says something about, with the names and sizes by axis."""
    if spec is None:
        return
    if not isinstance(spec, (Mapping, list, tuple)):
        raise InputError(f"dynamic_shapes says {spec!r} of {name}: {FORM}")
    pairs = dict(spec.items() if isinstance(spec, Mapping) else enumerate(spec))
    if isinstance(numbers, int):
        yield numbers, pairs
        return
    for key, part in pairs.items():
        try:
            inner = numbers[key]
        except (KeyError, IndexError, TypeError):
            raise InputError(f"dynamic_shapes speaks of {key!r} in {name}, which is not there") from None
        yield from _dims_of_leaves(f"{name}.{key}", inner, part)


def _checked(name: str, dims: dict[Any, Any], leaf: Any) -> dict[int, str]:
    """Return the names of a tensor's axes."""
    if not isinstance(leaf, Tensor):
        raise InputError(f"dynamic_shapes speaks of dimensions of {name}, which is {type(leaf).__name__} and no tensor")
    for axis in dims:
        if type(axis) is not int or not 0 <= axis < leaf.ndim:
            raise InputError(f"dynamic_shapes speaks of dimension {axis!r} of {name}, which has {leaf.ndim}")
    return {axis: found for axis, dim in dims.items() if (found := _dim_name(name, dim))}


def _dim_name(name: str, dim: Any) -> str:
    """Return a dimension's name; none where the size is fixed."""
    if dim is None or type(dim) is int:
        return ""
    found = dim if isinstance(dim, str) else getattr(dim, "__name__", "")
    if not isinstance(found, str) or not found:
        raise InputError(f"dynamic_shapes calls a dimension of {name} {dim!r}: give it a name, as text or as a Dim")
    return found
