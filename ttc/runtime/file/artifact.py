"""The `.ttc` artifact: one safetensors file with a program, its signature, and its weights.

The metadata holds a manifest (JSON), the program's text (that of each bucket, if there are several), and the text
of the graph that computes the program's weights from the model's. The manifest carries a SHA-256 of the whole
file, taken with zeros in the digest's own place: the file is written with zeros there, hashed, and then the digest
is put in.
Nothing in a file is ever run: a program is text for the parser, and the tensors are numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from mmap import mmap
from typing import Any, BinaryIO

import numpy as np

from ttc.errors import InputError, TtcError
from ttc.guard.files import map_file, writing
from ttc.ir import DType, Graph, TensorType, Weight, Weights, print_graph
from ttc.ir.weights import NUMPY, float32_to_bf16, kept_finite
from ttc.runtime.file.bucket_file import bucket_from_json, bucket_to_json
from ttc.runtime.file.manifest import FORMAT, Manifest, read_manifest, read_signature
from ttc.runtime.file.safetensors_file import (
    Header,
    array_at,
    check_places,
    make_header,
    read_header,
    read_json,
)
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import Program, Signature, check_program, parse_program, weight_types
from ttc.version import VERSION

NO_DIGEST = "0" * 64
CHUNK = 1 << 24
MISFITS = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, AssertionError, RecursionError)
"""The errors that a manifest or program with things of the wrong kind in the wrong places may raise."""


Contents = tuple[tuple[Bucket, ...], str, Weights, Weights]
"""An artifact's contents: buckets, the text of the graph of ops that derives their weights from the model's own, the
weights (without data if the model had none), and the literals: known tensors that the derivation needs beside the
model's weights, which only an artifact without data keeps."""


def save(
    path: str | os.PathLike,
    buckets: Sequence[Bucket],
    derivation: str,
    weights: Iterable[tuple[str, np.ndarray]] | None,
    literals: Weights | None = None,
) -> None:
    """Write an artifact; `weights` yields each weight once, in any order, and is None if there is no data.

    Without data the `literals` that derivations need are kept. The file appears whole or not at all. InputError, naming
    the file, if it cannot be written.
    """
    types = _types(buckets)
    tensors = weights
    if tensors is None:
        kept = literals or Weights()
        types = {ref: weight.type for ref, weight in kept.items()}
        tensors = ((ref, kept.read(ref)) for ref in kept)
    header = make_header(_metadata(buckets, derivation, weights is not None), types)
    with writing(path) as file:
        _write(file, header, tensors)


def _types(buckets: Sequence[Bucket]) -> dict[str, TensorType]:
    """Return the types of all weights, those of the last bucket's program first."""
    return weight_types(*(bucket.program for bucket in (buckets[-1], *buckets)))


def _metadata(buckets: Sequence[Bucket], derivation: str, with_weights: bool) -> dict[str, str]:
    """Build the manifest and all texts; fields for a whole file describe the last bucket's program."""
    program = buckets[-1].program
    manifest = {
        "sha256": NO_DIGEST,  # first, so that no name in the file that looks like it comes before
        "format": FORMAT,
        "ttc": VERSION,
        "target": program.target,
        "dtype": program.dtype,
        **_sides(program),
        "weights": "present" if with_weights else "none",
    }
    texts = {"program": print_graph(program.graph, locations=True), "derivation": derivation}
    if buckets[-1].sizes:  # an exact program has no more to tell
        manifest["buckets"] = [{**bucket_to_json(bucket), **_sides(bucket.program, "program ")} for bucket in buckets]
        programs = (print_graph(bucket.program.graph, locations=True) for bucket in buckets)
        texts.update({_place(i, buckets): text for i, text in enumerate(programs)})
    return {"ttc": json.dumps(manifest), **texts}


def _sides(program: Program, prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}{side}": _signature_to_json(getattr(program, side)) for side in ("inputs", "outputs")}


def _place(number: int, buckets: Sequence[Any]) -> str:
    """Name the text of a bucket's program; the last one is "program", which a file of one program has."""
    return "program" if number == len(buckets) - 1 else f"program.{number}"


def _write(file: BinaryIO, header: Header, weights: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write the header, the weights at the header's places, and the digest of the whole file."""
    file.write(header.content)
    missing = set(header.places)
    for ref, array in weights:
        if ref not in missing:
            raise TtcError(f"weight {ref!r} is given twice or is none of the program's")
        missing.remove(ref)
        place = header.places[ref]
        file.seek(place.start)
        file.write(_stored(ref, array, place.type).view(np.uint8).data)
        del array  # before the next one is made
    if missing:
        raise TtcError(f"weight {min(missing)!r} is not given")
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(header.content.index(NO_DIGEST.encode()))
    file.write(digest.hexdigest().encode())


def _stored(ref: str, array: np.ndarray, type: TensorType) -> np.ndarray:
    """Convert a weight to the file's form, flat; float32 is rounded where bf16 is kept."""
    if type.dtype is DType.bf16 and array.dtype == np.float32:
        array = float32_to_bf16(kept_finite(array, type.dtype))
    if array.dtype != NUMPY[type.dtype] or array.size != type.numel:
        raise TtcError(f"weight {ref!r} is {array.dtype}{list(array.shape)}, the program wants {type}")
    return np.ascontiguousarray(array).reshape(-1)


def load(path: str | os.PathLike) -> Contents:
    """Read and verify an artifact; its weights stay in the file until they are read.

    InputError, naming the file, if it is no artifact, not whole, changed, or newer than this ttc.
    """
    file = map_file(path)
    try:
        return _read(file)
    except TtcError as error:
        raise InputError(f"{path} is no usable .ttc file: {error}") from None


def _read(file: bytes | mmap) -> Contents:
    header = read_header(file)
    try:
        fields = read_json(header.metadata["ttc"])
        digest = fields["sha256"], fields["format"]
    except (KeyError, TypeError, ValueError):
        raise InputError("it has no manifest of ttc's") from None
    _verify_digest(file, header, digest[0])
    check_places(header, len(file))
    manifest = read_manifest(fields)
    try:
        texts = header.metadata
        program = check_program(Program(_graph(texts, "program"), *_sides_of(manifest)))
        several = tuple(_bucket(number, manifest, texts) for number in range(len(manifest.buckets)))
        buckets = several or (Bucket.exact(program),)
        weights = _weights(file, header, _types(buckets), manifest.has_weights)
        literals = Weights() if manifest.has_weights else _stored_weights(file, header)
        return buckets, _text(texts, "derivation"), weights, literals
    except MISFITS as error:  # the checksum is right, so somebody made it so
        raise InputError(f"its program is malformed ({type(error).__name__}: {str(error)[:200]})") from None


def _verify_digest(file: bytes | mmap, header: Header, digest: Any) -> None:
    if len(file) < header.file_bytes:
        raise InputError("it is cut off")
    stated = digest.encode() if isinstance(digest, str) and len(digest) == len(NO_DIGEST) else b""
    if not stated or header.content.count(stated) != 1:
        raise InputError("its header is damaged")
    found = hashlib.sha256(header.content.replace(stated, NO_DIGEST.encode()))
    with memoryview(file) as view:
        for start in range(len(header.content), len(file), CHUNK):
            found.update(view[start : start + CHUNK])
    if found.hexdigest().encode() != stated:
        raise InputError("it has been changed since it was written (its checksum differs)")


def _text(texts: dict[str, str], name: str) -> str:
    if name not in texts:
        raise InputError(f"it holds no {name}")
    return texts[name]


def _graph(texts: dict[str, str], name: str) -> Graph:
    return parse_program(_text(texts, name))


def _sides_of(manifest: Manifest) -> tuple[Signature, Signature, str, str]:
    return manifest.inputs, manifest.outputs, manifest.target, manifest.dtype


def _bucket(number: int, manifest: Manifest, texts: dict[str, str]) -> Bucket:
    item = manifest.buckets[number]
    graph = _graph(texts, _place(number, manifest.buckets))
    inputs, outputs = (read_signature(item, f"program {side}") for side in ("inputs", "outputs"))
    program = check_program(Program(graph, inputs, outputs, manifest.target, manifest.dtype))
    return bucket_from_json(item, program)


def _weights(file: bytes | mmap, header: Header, types: dict[str, TensorType], present: bool) -> Weights:
    if not present:
        return Weights({ref: Weight(type) for ref, type in types.items()})
    if {ref: place.type for ref, place in header.places.items()} != types:
        raise InputError("its weights are not those of its program")
    return _stored_weights(file, header)


def _stored_weights(file: bytes | mmap, header: Header) -> Weights:
    places = header.places.items()
    return Weights({ref: Weight(place.type, lambda place=place: array_at(file, place)) for ref, place in places})


def _signature_to_json(signature: Signature) -> list[list[Any]]:
    return [[name, type.dtype.name, list(type.shape)] for name, type in signature]
