"""Damage to a `.ttc` file under a right checksum, so that what is behind the checksum is reached."""

from __future__ import annotations

import hashlib
import json
from random import Random
from typing import Any

from tests.fuzz.mutate import mutated_bytes, mutated_text, mutated_tree
from tests.fuzz.mutate_graph import mutated_program
from ttc.runtime.file.artifact import NO_DIGEST

LENGTH_BYTES = 8


def mutated_artifact(data: bytes, other: bytes, names: list[str], random: Random) -> bytes:
    """One part of the file changed: the program, the derivations, the manifest, the header, or the weights."""
    header, weights = _taken_apart(data)
    metadata = header["__metadata__"]
    match random.choice(("program", "program", "program", "derivation", "manifest", "header", "weights")):
        case "program" | "derivation" as part:
            donor = _taken_apart(other)[0]["__metadata__"][part]
            if part == "program" and random.random() < 0.5:
                metadata[part] = mutated_program(metadata[part], random)
            else:
                metadata[part] = mutated_text(metadata[part], donor, names, random)
        case "manifest":
            metadata["ttc"] = json.dumps(mutated_tree(json.loads(metadata["ttc"]), random))
        case "header":
            header = mutated_tree(header, random)
        case _:
            weights = mutated_bytes(weights, weights, random)
    return _sealed(header, weights)


def resealed(data: bytes) -> bytes:
    """The file with a right checksum, if it still has the form of one."""
    try:
        header, weights = _taken_apart(data)
    except ValueError:
        return data
    return _sealed(header, weights)


def _taken_apart(data: bytes) -> tuple[dict[str, Any], bytes]:
    start = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    return json.loads(data[LENGTH_BYTES:start]), data[start:]


def _sealed(header: Any, weights: bytes) -> bytes:
    """The file of these parts, its checksum right if its manifest still has a place for one."""
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    text = metadata.get("ttc") if isinstance(metadata, dict) else None
    manifest = _json(text) if isinstance(text, str) else None
    if isinstance(manifest, dict) and isinstance(manifest.get("sha256"), str):
        metadata["ttc"] = json.dumps({**manifest, "sha256": NO_DIGEST})
    head = json.dumps(header).encode()
    content = len(head).to_bytes(LENGTH_BYTES, "little") + head
    digest = hashlib.sha256(content + weights).hexdigest()
    return content.replace(NO_DIGEST.encode(), digest.encode(), 1) + weights


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
