"""Checks of what users hand to `ttc.compile`: each wrong argument is named in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ttc.dtype_policy.choice import FORMATS
from ttc.errors import InputError
from ttc.ir import DType


def model_arguments(args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the positional and keyword arguments of a call of a module; None if neither is given.

    One argument may stand without a tuple around it.
    """
    if args is None and kwargs is None:
        return None
    if isinstance(args, Mapping):
        raise InputError("args are positional, and a dict names them: give it as kwargs, or as args=(dict,) to pass it")
    if isinstance(args, (list, tuple)) and not hasattr(args, "_fields"):
        positional = tuple(args)
    else:
        positional = () if args is None else (args,)
    return positional, keyword_arguments(kwargs)


def keyword_arguments(kwargs: Any) -> dict[str, Any]:
    """Return keyword arguments by name."""
    if kwargs is None:
        return {}
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        raise InputError(f"kwargs are arguments by name, in a dict with text as keys; got {_words(kwargs)}")
    return dict(kwargs)


LEVELS = (0, 1, 3)
"""Levels of optimisation: each op alone and in DRAM; all that ttc does; and that with values placed by a solver."""


def optimization_level(level: Any) -> int:
    """Return a level of optimisation; InputError for what is none."""
    if type(level) is not int or level not in LEVELS:
        raise InputError(f"no level of optimisation is {level!r}; choose from {', '.join(map(str, LEVELS))}")
    return level


def weight_formats(dtype: Any) -> dict[str, DType]:
    """Return the dtypes of weights by their names, such as {"fc.weight": "bfp4"}; InputError for other dtypes."""
    known = {str(item): item for item in FORMATS}
    for name, item in dtype.items():
        if not isinstance(name, str) or str(item) not in known:
            raise InputError(f"weights by name are stored in {', '.join(known)}; got {item!r} for {name!r}")
    return {name: known[str(item)] for name, item in dtype.items()}


def automatic(dtype: Any, inputs: Any, min_pcc: Any) -> float | None:
    """Return the least correlation that the choice of dtypes keeps; None where the dtype is stated.

    InputError for what is missing, or of no use.
    """
    if not isinstance(dtype, str) or dtype != "auto":
        if inputs is not None or min_pcc is not None:
            raise InputError('inputs and min_pcc are for dtype="auto" (--dtype auto), which chooses dtypes of weights')
        return None
    if inputs is None:
        raise InputError('dtype="auto" needs inputs (--inputs X.npz) to see what weights of fewer bits cost')
    least = LEAST if min_pcc is None else min_pcc
    if isinstance(least, bool) or not isinstance(least, (int, float)) or not 0 < least < 1:
        raise InputError(f"min_pcc is a correlation between 0 and 1, got {min_pcc!r}")
    return float(least)


LEAST = 0.99
"""The correlation that the choice of dtypes keeps if none is stated."""


def length_sizes(lengths: Any) -> dict[str, tuple[int, ...]]:
    """Return the sizes of each length, ascending and distinct."""
    if lengths is None:
        return {}
    if not isinstance(lengths, Mapping):
        raise InputError(f'lengths are sizes by name, such as {{"T": [64, 128]}}; got {_words(lengths)}')
    return {_length_name(name): _sizes(name, item) for name, item in lengths.items()}


def _length_name(name: Any) -> str:
    if not isinstance(name, str):
        raise InputError(f"a length has a name, {name!r} is none")
    return name


def _sizes(name: str, item: Any) -> tuple[int, ...]:
    listed = item if isinstance(item, Iterable) and not isinstance(item, (str, bytes, Mapping)) else [item]
    sizes = [_size(size) for size in listed]
    if not sizes or None in sizes:
        raise InputError(f"the sizes of the length {name} must be positive whole numbers, got {item!r}")
    return tuple(sorted({size for size in sizes if size is not None}))


def _size(size: Any) -> int | None:
    """Return a size as an int; numpy has whole numbers of its own."""
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        return None
    try:
        return size.__index__() if size.__index__() > 0 else None
    except TypeError:  # arrays have the method, but only those of one number do it
        return None


def state_names(state: Any) -> dict[str, str]:
    """Return the output that each input which is state takes in the next run."""
    if state is None:
        return {}
    words = (name for pair in state.items() for name in pair) if isinstance(state, Mapping) else (None,)
    if not all(isinstance(word, str) and word for word in words):
        raise InputError(f'state binds inputs to outputs by name, such as {{"past": "present"}}; got {_words(state)}')
    return dict(state)


def host_names(allow_host: Any) -> tuple[str, ...]:
    """Return the names of ops that the host may do; one alone may stand as text."""
    if isinstance(allow_host, str):
        return (allow_host,)
    if not isinstance(allow_host, Iterable):
        raise InputError(f"allow_host lists names of ops, got {_words(allow_host)}")
    names = tuple(allow_host)
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"allow_host lists names of ops, {name!r} is none")
    return names


def require_callable(what: str, given: Any) -> None:
    """Raise InputError unless `given` is None or can be called."""
    if given is not None and not callable(given):
        raise InputError(f"{what} is called with what is being done, and {_words(given)} cannot be called")


def _words(given: Any) -> str:
    return (
        f"{type(given).__name__} ({str(given)[:40]})" if isinstance(given, (str, int, float)) else type(given).__name__
    )


ACTIVATIONS: Mapping[str, DType] = MappingProxyType({"bfp8": DType.bfp8})
"""Block formats that activations may be in, by name."""


def activation_dtype(name: Any, dtype: str) -> DType | None:
    """Return the block format of activations by its name, None for None; InputError unless `dtype` has bf16 values."""
    if name is None:
        return None
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise InputError(f"activations can be in {' or '.join(ACTIVATIONS)}, not in {name!r}")
    if dtype == "fp32":
        raise InputError(f"activations in {name} stand for bf16 ones, of which a program in fp32 has none")
    return ACTIVATIONS[name]
