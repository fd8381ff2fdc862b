"""Damage to a `.pt2` file under right checksums, so that what is behind the zip format is reached."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from tests.fuzz.mutate import mutated_bytes, mutated_text, mutated_tree

PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SAMPLES = "data/sample_inputs/model.pt"

HOSTILE = (
    "__import__('os').system('touch canary')", "().__class__", "9**9**9**9", "x' or print('canary') or '", "canary",
    "x\n    import canary", "x\r    import canary", "\x1b[2J", "Symbol('s0')", "torch.ops.aten.from_file.default",
    "torch.load", "torch.ops.load_library", "_operator.call", "#canary:x", "math.factorial", "lambda: 0", "s77//0", "é",
)  # fmt: skip
"""Texts that would run, or could upset whoever prints them."""


def mutated_pt2(data: bytes, other: bytes, names: list[str], random: Random) -> bytes:
    """One part of the file changed: its program, its lists of weights, a member, or the zip around them."""
    members = unpacked(data)
    match random.choice(("program", "program", "program", "text", "text", "list", "member", "zip")):
        case "program":
            _change_json(members, PROGRAM, lambda tree: mutated_tree(tree, random))
        case "text":
            _change_json(members, PROGRAM, lambda tree: _with_text(tree, [*names, *HOSTILE], random))
        case "list":
            _change_json(members, random.choice((WEIGHTS, CONSTANTS)), lambda tree: mutated_tree(tree, random))
        case "member":
            _change_member(members, unpacked(other), random)
        case _:
            return _damaged_zip(members, random)
    return packed(members)


def unpacked(data: bytes) -> dict[str, bytes]:
    """Members by name below the root folder."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def packed(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED, root: str = "model/") -> bytes:
    """The archive of these members, its checksums right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(root + name, content)
    return buffer.getvalue()


def _change_json(members: dict[str, bytes], name: str, change: Callable[[Any], Any]) -> None:
    members[name] = json.dumps(change(json.loads(members[name]))).encode()


def _with_text(tree: Any, words: list[str], random: Random) -> Any:
    """A JSON tree with one of its texts or names replaced."""
    places = list(_texts(tree))
    holder, key = random.choice(places)
    if isinstance(holder, dict) and random.random() < 0.15:
        holder[random.choice(words)] = holder.pop(key)
    elif holder[key].startswith("[") or random.random() < 0.3:
        holder[key] = mutated_text(holder[key], random.choice(words), words, random)
    else:
        holder[key] = random.choice(words)
    return tree


def _texts(tree: Any) -> Any:
    """Where the texts of a JSON tree stand."""
    pending = [tree]
    while pending:
        part = pending.pop()
        items = part.items() if isinstance(part, dict) else enumerate(part)
        for key, item in items:
            if isinstance(item, str):
                yield part, key
            elif isinstance(item, (dict, list)):
                pending.append(item)


def _change_member(members: dict[str, bytes], others: Mapping[str, bytes], random: Random) -> None:
    name = random.choice(list(members))
    match random.randrange(6):
        case 0:
            del members[name]
        case 1:
            members[name] = members[random.choice(list(members))]
        case 2:
            members[name] = random.choice(list(others.values()))
        case 3:
            members[random.choice((f"../{name}", f"/{name}", "models/other.json", "data/aotinductor/x.so"))] = b"canary"
        case 4:
            members[random.choice((PROGRAM, WEIGHTS, CONSTANTS))] = random.choice(BROKEN_JSON)
        case _:
            members[name] = mutated_bytes(members[name], members[name], random)


BROKEN_JSON = (
    b"", b"null", b"[]", b"{}", b'{"config": NaN}', b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"1" * 5000,
    b'{"config": {"w": {"path_name": "weight_0", "is_param": true, "use_pickle": true, "tensor_meta": null}}}',
)  # fmt: skip


def _damaged_zip(members: dict[str, bytes], random: Random) -> bytes:
    """The whole file compressed, a member twice, encrypted, without its folder, with bytes changed, or cut."""
    data = packed(members)
    match random.randrange(6):
        case 0:
            return packed({**members, SAMPLES: bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
        case 1:
            root = "model/"
            return packed({root + name: content for name, content in members.items()}, root=random.choice(("", "../")))
        case 2:
            return _with_directory(data, random, 8, random.choice((1, 8, 0xFFFF)))  # flags: encrypted
        case 3:
            return _with_directory(data, random, random.choice((10, 16, 20, 24, 28, 42)), random.getrandbits(32))
        case 4:
            return data[: random.randrange(len(data))]
    return mutated_bytes(data, data, random)


def _with_directory(data: bytes, random: Random, offset: int, value: int) -> bytes:
    """One field of one entry in the archive's directory changed."""
    places = [place for place in range(len(data) - 4) if data[place : place + 4] == b"PK\x01\x02"]
    at = random.choice(places) + offset
    changed = bytearray(data)
    changed[at : at + 2] = (value & 0xFFFF).to_bytes(2, "little")
    return bytes(changed)
