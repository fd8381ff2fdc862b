"""Caches of transformers as pytrees: a model may take and return them as it does any structure of tensors."""

from __future__ import annotations

import copy
import sys
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree

MODULE = "transformers.cache_utils"


def register_caches() -> None:
    """Register transformers' caches, and the layers of which they are made, as pytrees that torch knows.

    Does nothing where transformers is not imported, and to classes that somebody has registered already.
    """
    module: Any = sys.modules.get(MODULE)
    if module is None:
        return
    bases = (module.Cache, module.CacheLayerMixin, module.LinearAttentionCacheLayerMixin)
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, bases) and kind not in pytree.SUPPORTED_NODES:
            pytree.register_pytree_node(
                kind,
                _parts,
                _builder(kind),
                serialized_type_name=f"{MODULE}.{kind.__name__}",
                flatten_with_keys_fn=_named_parts,
            )


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
    return isinstance(part, list) and all(type(item).__module__ == MODULE for item in part)


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
