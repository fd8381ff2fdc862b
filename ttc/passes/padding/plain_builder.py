"""The builder of the padding analysis."""

from __future__ import annotations

from dataclasses import replace

from ttc.ir import Builder, Op, TensorType, Value
from ttc.ir.graph import field_names
from ttc.ir.symbolic import plain


class PlainBuilder(Builder):
    """A builder whose sizes are plain numbers, and that shares nothing: equal ops may differ at another length."""

    shares = False

    def _shared(self, op, make, *given):
        return make(*given)

    def _append(self, op, names):
        return super()._append(_at_one_size(op), names)


def _at_one_size(op: Op) -> Op:
    """Replace the symbolic sizes of an op by plain numbers."""
    items = {name: getattr(op, name) for name in field_names(type(op))}
    new = {name: _plain(item) for name, item in items.items() if not isinstance(item, Value)}
    changed = {name: item for name, item in new.items() if item is not items[name]}
    return replace(op, **changed) if changed else op  # type: ignore[type-var]


def _plain(item: object) -> object:
    """Replace the symbolic sizes of an attribute or type by plain numbers."""
    if not isinstance(item, TensorType):
        return plain(item)
    shape = tuple(map(int, item.shape))
    return item if all(a is b for a, b in zip(shape, item.shape, strict=True)) else replace(item, shape=shape)
