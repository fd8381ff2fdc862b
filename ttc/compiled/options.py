"""The options of a compilation, from the names by which users know them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ttc.calls.fidelity import fidelity_named
from ttc.calls.target import target_named
from ttc.compiled.arguments import activation_dtype, host_names, optimization_level
from ttc.ir import DType
from ttc.pipeline import Options, dtype_named

NO_DTYPES: Mapping[str, DType] = MappingProxyType({})


def options_named(
    target: Any,
    dtype: Any,
    allow_host: Any,
    fidelity: Any,
    optimize: Any,
    weight_dtypes: Mapping[str, DType] = NO_DTYPES,
    activations: Any = None,
) -> Options:
    """Return the options that a user names: card, numbers, the host's ops; InputError for names that are not known."""
    card = target_named(target)
    passes = None if fidelity is None else fidelity_named(fidelity, card)
    level = optimization_level(optimize)
    numbers = dtype_named(dtype)
    narrow = activation_dtype(activations, numbers)
    return Options(card, numbers, host_names(allow_host), passes, level, weight_dtypes, activation_dtype=narrow)
