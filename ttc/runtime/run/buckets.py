"""Buckets: programs of one model at several sizes; a run takes the smallest that its lengths fit into.

A program of exact sizes is its model's only bucket, and has no lengths. Else inputs are filled up with zeros to the
bucket's size, the true lengths go along as inputs of the program, and outputs are cut to their own true lengths. In a
batch each sample may have a length of its own: outputs are then as long as the longest, with zeros after
each sample's end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ttc.errors import InputError
from ttc.ir import TensorType
from ttc.ir.lengths import Extent, Length
from ttc.ir.state import is_given, state_name
from ttc.runtime.run.convert import by_name, drawn, numbers_of
from ttc.runtime.run.kept import Kept
from ttc.runtime.run.program import Program

Sizes = Mapping[str, int]
"""The sizes of a model's lengths by name; empty where all sizes are exact."""

Lengths = Mapping[str, np.ndarray]
"""The true lengths by name, one for all samples or one for each."""


@dataclass(frozen=True)
class Bucket:
    """One program, and what a run has to know of its lengths.

    `sizes` are those of its named lengths, `names` the inputs that take the true ones (i64[samples]), `multiples` and
    `least` the limits that the model sets to lengths. `inputs` and `outputs` are the extents of the model's own.
    `masks` says which values were masked, and why.
    """

    program: Program
    sizes: Sizes
    names: Mapping[str, str]
    samples: int
    multiples: Mapping[str, int]
    least: tuple[tuple[Length, int], ...]
    inputs: Mapping[str, Extent]
    outputs: Mapping[str, Extent]
    masks: tuple[str, ...] = ()

    @classmethod
    def exact(cls, program: Program) -> Bucket:
        """Return the bucket of a program without lengths: its inputs and outputs are what they are declared to be."""
        inputs, outputs = (
            {name: Extent((None,) * len(type.shape), None) for name, type in side}
            for side in (program.inputs, program.outputs)
        )
        return cls(program, {}, {}, 1, {}, (), inputs, outputs)

    @property
    def takes(self) -> str:
        """Name the inputs that a run may give, in words."""
        return ", ".join(name for name in self.inputs if state_name(name) is None) or "no inputs"

    def bound(self, named: Mapping[str, Any], lengths: Lengths, generator: np.random.Generator) -> dict[str, Any]:
        """Return the program's inputs from the model's; random inputs are drawn at their true lengths."""
        if not self.sizes:
            return {**drawn(self.program.inputs, named, generator), **named}
        types = dict(self.program.inputs)
        own = tuple((name, self.true_type(name, lengths)) for name in types if name in self.inputs)
        given = {**drawn(own, named, generator), **named}
        filled = {
            name: _filled(name, numbers_of(name, item), types[name].shape, self.inputs[name], lengths)
            if any(self.inputs[name].lengths) and not isinstance(item, Kept)
            else item
            for name, item in given.items()
        }
        wide = {taken: np.broadcast_to(lengths[name], (self.samples,)).copy() for name, taken in self.names.items()}
        return {**filled, **wide}

    def true_type(self, name: str, lengths: Lengths) -> TensorType:
        """Return the type of an input at the true lengths."""
        type = dict(self.program.inputs)[name]
        pairs = zip(type.shape, self.inputs[name].lengths, strict=True)
        shape = (size if length is None else int(_numbers(length, lengths).max()) for size, length in pairs)
        return TensorType(type.dtype, tuple(shape))

    def trimmed(self, name: str, array: np.ndarray, lengths: Lengths) -> np.ndarray:
        """Return an output of the program without its padding."""
        return _cleared(array, self.outputs[name], lengths)

    def valid_sizes(self, name: str, lengths: Lengths) -> tuple[np.ndarray, ...]:
        """Return the valid sizes of each dimension of an output: one for all samples, or one for each."""
        shape = dict(self.program.outputs)[name].shape
        pairs = zip(shape, self.outputs[name].lengths, strict=True)
        return tuple(np.array([size]) if length is None else _numbers(length, lengths) for size, length in pairs)


def choose(buckets: Sequence[Bucket], lengths: Lengths, named: Mapping[str, Any] | None = None) -> int:
    """Return the index of the smallest bucket for these lengths; InputError, with the limits, if all are too small.

    Of these it is the smallest that takes what is kept on the device with its padding as it is, if one does.
    """
    longest = {name: int(values.max()) for name, values in lengths.items()}
    fitting = [
        number for number, bucket in enumerate(buckets) if all(n <= bucket.sizes[name] for name, n in longest.items())
    ]
    if fitting:
        kept = {name: item.type.shape for name, item in (named or {}).items() if isinstance(item, Kept)}

        def order(number: int) -> tuple[bool, int]:
            shapes = {name: type.shape for name, type in buckets[number].program.inputs}
            return any(shapes[name] != shape for name, shape in kept.items()), prod(buckets[number].sizes.values())

        return min(fitting, key=order)
    limits = {name: max(bucket.sizes[name] for bucket in buckets) for name in longest}
    beyond = [name for name, n in longest.items() if n > limits[name]] or list(longest)
    raise InputError(
        "; ".join(
            f"the length {name} is {longest[name]}, and the largest bucket takes {limits[name]}" for name in beyond
        )
    )


def true_lengths(bucket: Bucket, inputs: Any) -> tuple[dict[str, Any], Lengths]:
    """Return a run's inputs by name, and its true lengths: those given by name, else those that the shapes have.

    InputError, naming the culprit, for lengths that contradict each other and for inputs and lengths that are missing.
    """
    named = _by_name(bucket, inputs)
    given = {name: named.pop(own) for name, own in bucket.names.items() if own in named}
    found: dict[str, np.ndarray] = {name: _stated(name, item, bucket) for name, item in given.items()}
    kept_first = sorted(bucket.inputs, key=lambda own: not isinstance(named.get(own), Kept))
    for own in kept_first:  # which may tell the length of each sample
        extent = bucket.inputs[own]
        if own not in named and not is_given(own):
            continue
        if own not in named:
            raise InputError(f"input {own!r} is missing; the program takes {bucket.takes}")
        if not any(extent.lengths):
            continue
        for dim, (length, sizes) in enumerate(zip(extent.lengths, _sizes(own, named[own]), strict=False)):
            if length is not None:
                _agree(own, dim, length, sizes, found, given)
    missing = [name for name in bucket.names if name not in found]
    if missing:
        raise InputError(
            f"the length {missing[0]} cannot be told from the inputs: give it as {bucket.names[missing[0]]!r}"
        )
    for name, values in found.items():
        _check(name, values, bucket.multiples.get(name, 1))
    for length, least in bucket.least:
        if (shortest := int(_numbers(length, found).min())) < least:
            raise InputError(f"the inputs are too short: the length {length} is {shortest}, the model needs {least}")
    return named, found


def _by_name(bucket: Bucket, inputs: Any) -> dict[str, Any]:
    named = by_name([name for name in bucket.inputs if is_given(name)], inputs)
    unknown = [name for name in named if name not in bucket.inputs and name not in bucket.names.values()]
    if unknown:
        raise InputError(f"there is no input {unknown[0]!r}; the program takes {bucket.takes}")
    return {name: _plain(name, item) for name, item in named.items()}


def _plain(name: str, item: Any) -> Any:
    """Return a torch tensor as an array; Python numbers stay, as they take the declared dtype."""
    return numbers_of(name, item) if hasattr(item, "detach") or hasattr(item, "dtype") else item


def _stated(name: str, item: Any, bucket: Bucket) -> np.ndarray:
    """Return the numbers of a length that the user gives as a whole number, or as one for each sample."""
    values = numbers_of(name, item)
    if values.dtype.kind not in "iu" or values.ndim > 1 or values.size == 0:
        raise InputError(f"the length {name} must be a whole number, or one for each sample")
    values = np.atleast_1d(values).astype(np.int64)
    if values.size not in (1, bucket.samples):
        if bucket.samples == 1 and (values == values[0]).all():
            return values[:1]
        why = "this model mixes its samples, or has one: they share a length" if bucket.samples == 1 else ""
        raise InputError(
            f"the length {name} has {values.size} numbers, the program takes {bucket.samples}. {why}".strip(". ")
        )
    return values


def _sizes(name: str, item: Any) -> tuple[np.ndarray, ...]:
    """Return the sizes of each dimension of an input: one for all samples, or one for each of what was kept."""
    return item.sizes if isinstance(item, Kept) else tuple(np.array([size]) for size in numbers_of(name, item).shape)


def _agree(
    own: str, dim: int, length: Length, sizes: np.ndarray, found: dict[str, np.ndarray], given: Mapping[str, Any]
) -> None:
    """Compare a dimension's sizes with its length; add the length to `found` where the sizes tell the length."""
    size = int(sizes.max())
    unknown = [name for name in length.names if name not in found]
    if len(unknown) == 1 and length == Length.named(unknown[0]):
        found[unknown[0]] = sizes
        return
    if unknown:
        raise InputError(f"the length {unknown[0]} cannot be told from input {own!r}: give it by its name")
    needed = int(_numbers(length, found).max())
    stated = any(name in given for name in length.names)
    if size < needed or (size != needed and not stated):
        raise InputError(f"input {own!r} has size {size} in dimension {dim}, where {length} is {needed}")


def _check(name: str, values: np.ndarray, multiple: int) -> None:
    if values.min() < 1:
        raise InputError(f"the length {name} is {values.min()}: it must be positive")
    if (values % multiple).any():
        raise InputError(
            f"the length {name} is {values[values % multiple != 0][0]}: the model takes multiples of {multiple}"
        )


def _numbers(length: Length, lengths: Lengths) -> np.ndarray:
    """Return the numbers of a length, one for all or one for each sample."""
    count = max((lengths[name].size for name in length.names), default=1)
    wide = {name: np.broadcast_to(lengths[name], (count,)) for name in length.names}
    return np.array([length.at({name: int(values[i]) for name, values in wide.items()}) for i in range(count)])


def _filled(name: str, array: np.ndarray, shape: tuple[int, ...], extent: Extent, lengths: Lengths) -> np.ndarray:
    """Return the valid part of an array, padded with zeros to `shape`."""
    if array.ndim != len(shape):
        raise InputError(f"input {name!r} has {array.ndim} dimensions, the program takes {len(shape)}")
    box = tuple(
        slice(None) if length is None else slice(min(size, own))
        for length, size, own in zip(extent.lengths, shape, array.shape, strict=True)
    )
    part = array[box]
    wide = [
        (0, 0) if length is None else (0, size - own)
        for length, size, own in zip(extent.lengths, shape, part.shape, strict=True)
    ]
    return _clear(np.pad(part, wide), extent, lengths)


def _cleared(array: np.ndarray, extent: Extent, lengths: Lengths) -> np.ndarray:
    """Return the valid part of an array, as long as the longest sample's."""
    if not any(extent.lengths):
        return array
    box = []
    for length in extent.lengths:
        longest = None if length is None else int(_numbers(length, lengths).max())
        if longest is not None and longest < 0:
            raise InputError(f"the inputs are too short: the length {length} would be {longest}")
        box.append(slice(longest))
    return _clear(array[tuple(box)].copy(), extent, lengths)


def _clear(array: np.ndarray, extent: Extent, lengths: Lengths) -> np.ndarray:
    """Write zeros after each sample's own end, in place."""
    for dim, length in enumerate(extent.lengths):
        if length is None:
            continue
        numbers = _numbers(length, lengths)
        rows = np.moveaxis(array, dim, 0)
        if numbers.size == 1 or extent.sample is None:
            rows[numbers.max() :] = 0
            continue
        samples = np.moveaxis(array, (extent.sample, dim), (0, 1))
        for number, end in enumerate(numbers):
            samples[number, end:] = 0
    return array
