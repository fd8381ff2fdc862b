"""Caches of transformers as pytrees: a model may take and return them as it does any structure of tensors."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree

MODULE = "transformers.cache_utils"


def register_caches() -> None:
    """Register transformers' caches, and the layers of which they are made, as pytrees that torch knows.

    Does nothing where transformers is not imported, and to classes that somebody has registered already.
    """
    for kind in set(_kinds(_bases())) - pytree.SUPPORTED_NODES.keys():
        pytree.register_pytree_node(
            kind,
            _parts,
            _builder(kind),
            serialized_type_name=f"{kind.__module__}.{kind.__qualname__}",
            flatten_with_keys_fn=_named_parts,
        )


def _bases() -> tuple[type, ...]:
    """Return the classes that caches and their layers are derived from, those of models' own files too."""
    module: Any = sys.modules.get(MODULE)
    return () if module is None else (module.Cache, module.CacheLayerMixin, module.LinearAttentionCacheLayerMixin)


def _kinds(bases: Iterable[type]) -> Iterator[type]:
    """Yield classes and all that are derived from them."""
    for base in bases:
        yield base
        yield from _kinds(base.__subclasses__())


def _parts(whole: Any) -> tuple[list[Any], list[Any]]:
    """Return the attributes that hold tensors or layers, and as context their names and copies of all others.

    Copies, as a model that is traced changes a cache: its notes of what was written.
    """
    held = {name: part for name, part in vars(whole).items() if _is_layers(part) or _holds_tensors(part)}
    others = {name: copy.deepcopy(part) for name, part in vars(whole).items() if name not in held}
    return list(held.values()), [list(held), others]


def _named_parts(whole: Any) -> tuple[list[Any], list[Any]]:
    parts, context = _parts(whole)
    return [(pytree.GetAttrKey(name), part) for name, part in zip(context[0], parts, strict=True)], context


def _is_layers(part: Any) -> bool:
    """Return whether an attribute is a list of layers, be they empty: no two caches have one such list."""
    return isinstance(part, list) and all(isinstance(item, _bases()) for item in part)


def _holds_tensors(part: Any) -> bool:
    return any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(part))


def _builder(kind: Any) -> Any:
    """Return the function that makes a cache, or a layer of one, of its parts.

    All else is copied: several caches are made of one context.
    """

    def built(parts: Any, context: list[Any]) -> Any:
        names, others = context
        whole = kind.__new__(kind)
        vars(whole).update(copy.deepcopy(others), **dict(zip(names, parts, strict=True)))
        return whole

    return built
