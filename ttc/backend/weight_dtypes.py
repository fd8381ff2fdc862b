"""Dtypes in which the weights of products and convolutions are stored: one for all, or by the weight's name."""

from __future__ import annotations

from collections.abc import Mapping

from ttc.backend.derived import DerivedWeights, origin
from ttc.ir import DType, Op


class WeightDtypes:
    """The dtype of each weight: the `stated` one by the name of the model's weight, else `default`.

    `elements` counts the elements of the weights that were asked for, by name.
    """

    def __init__(self, default: DType, stated: Mapping[str, DType]):
        self._default, self._stated = default, stated
        self.elements: dict[str, int] = {}

    def of(self, op: Op, weights: DerivedWeights) -> DType:
        """Return the dtype of an op's weight: the largest of what is known before the first run."""
        static = (weights.static(operand) for operand in op.operands() if operand.dtype.is_float)
        known = [value for value in static if value is not None]
        if not known:
            return self._default
        largest = max(known, key=lambda value: value.type.numel)
        name = origin(largest)
        self.elements[name] = max(largest.type.numel, self.elements.get(name, 0))
        return self._stated.get(name, self._default)
