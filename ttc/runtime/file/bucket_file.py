"""The JSON form of an artifact's buckets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ttc.errors import InputError
from ttc.ir.lengths import Extent, Length, from_json, to_json
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import Program


def bucket_to_json(bucket: Bucket) -> dict[str, Any]:
    """Convert a bucket to JSON, all but the program."""
    return {
        "sizes": dict(bucket.sizes),
        "names": dict(bucket.names),
        "samples": bucket.samples,
        "multiples": dict(bucket.multiples),
        "least": [[to_json(length), least] for length, least in bucket.least],
        "inputs": _extents_to_json(bucket.inputs),
        "outputs": _extents_to_json(bucket.outputs),
        "masks": list(bucket.masks),
    }


def bucket_from_json(item: Mapping[str, Any], program: Program) -> Bucket:
    """Read a bucket of this program; InputError for a misfit, ValueError and the like for malformed JSON."""
    bucket = Bucket(
        program,
        {name: _positive(size) for name, size in item["sizes"].items()},
        {name: _name(taken) for name, taken in item["names"].items()},
        _positive(item["samples"]),
        {name: _positive(multiple) for name, multiple in item["multiples"].items()},
        tuple((from_json(length), _whole(least)) for length, least in item["least"]),
        _extents_from_json(item["inputs"]),
        _extents_from_json(item["outputs"]),
        tuple(map(_name, item["masks"])),
    )
    _check(bucket)
    return bucket


def _check(bucket: Bucket) -> None:
    """Check the facts that a run relies on: names, shapes, sizes and samples."""
    inputs, outputs = dict(bucket.program.inputs), dict(bucket.program.outputs)
    told = {length for extent in bucket.inputs.values() for length in extent.lengths}
    unnamed = [name for name in bucket.sizes if name not in bucket.names and Length.named(name) not in told]
    if unnamed or not set(bucket.names) <= set(bucket.sizes) or set(inputs) != {*bucket.inputs, *bucket.names.values()}:
        raise InputError("its bucket does not name the program's inputs")
    if set(outputs) != set(bucket.outputs):
        raise InputError("its bucket does not name the program's outputs")
    if any(inputs[taken].shape != (bucket.samples,) for taken in bucket.names.values()):
        raise InputError("its bucket takes lengths of another shape than the program")
    for types, extents in ((inputs, bucket.inputs), (outputs, bucket.outputs)):
        for name, extent in extents.items():
            _check_extent(name, extent, types[name].shape, bucket)
    for length, _ in bucket.least:
        _check_names(length, bucket)


def _check_extent(name: str, extent: Extent, shape: tuple[int, ...], bucket: Bucket) -> None:
    if len(extent.lengths) != len(shape) or (extent.sample is not None and not 0 <= extent.sample < len(shape)):
        raise InputError(f"its bucket has other dimensions for {name!r} than the program")
    if extent.sample is not None and shape[extent.sample] != bucket.samples:
        raise InputError(f"its bucket has other samples for {name!r} than the program")
    for length, size in zip(extent.lengths, shape, strict=True):
        if length is None:
            continue
        _check_names(length, bucket)
        if length.at(bucket.sizes) != size:
            raise InputError(f"its bucket has other sizes for {name!r} than the program")


def _check_names(length: Length, bucket: Bucket) -> None:
    if not length.names <= set(bucket.sizes):
        raise InputError(f"its bucket has no length for {length}")


def _extents_to_json(extents: Mapping[str, Extent]) -> dict[str, Any]:
    return {
        name: [[length and to_json(length) for length in extent.lengths], extent.sample]
        for name, extent in extents.items()
    }


def _extents_from_json(item: Mapping[str, Any]) -> dict[str, Extent]:
    return {
        name: Extent(
            tuple(None if length is None else from_json(length) for length in lengths),
            None if sample is None else _whole(sample),
        )
        for name, (lengths, sample) in item.items()
    }


def _name(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{str(text)[:50]} is no name")
    return text


def _whole(number: Any) -> int:
    if type(number) is not int or abs(number) >= 1 << 63:
        raise ValueError(f"{str(number)[:50]} is no whole number")
    return number


def _positive(number: Any) -> int:
    if _whole(number) < 1:
        raise ValueError(f"{number} is not positive")
    return number
