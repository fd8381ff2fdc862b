"""Derived weights: what a graph of ops computes from a model's own weights, evaluated when it is read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ttc.errors import InputError, Refusal
from ttc.ir import Graph, TensorType, Weight, Weights
from ttc.ops.constant import names_literal
from ttc.ops.interpret import evaluate_value, has_data
from ttc.ops.torch_types import array_of, stored_as


def derived_weights(types: Mapping[str, TensorType], derivations: Graph) -> Weights:
    """Return weights by reference, each evaluated when a program reads it; those that depend on fake data are fake."""
    values = dict(derivations.outputs)
    missing = [ref for ref in types if ref not in values]
    if missing:
        raise InputError(f"nothing derives the program's weight {missing[0]!r}")

    def weight(ref: str, type: TensorType) -> Weight:
        def read() -> np.ndarray:
            found = evaluate_value(values[ref], derivations.weights)
            try:
                return array_of(stored_as(found, type.dtype))
            except Refusal as refusal:  # of weights that had no data when the program was compiled
                raise InputError(f"weight {ref!r}: {refusal}") from None

        return Weight(type, read if has_data(values[ref], derivations.weights) else None)

    return Weights({ref: weight(ref, type) for ref, type in types.items()})


def literals(derivations: Graph) -> Weights:
    """Return the known tensors that derivations refer to: all weights but the model's own."""
    return Weights({ref: weight for ref, weight in derivations.weights.items() if names_literal(ref)})
