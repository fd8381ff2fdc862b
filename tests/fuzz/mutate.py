"""Damage to bytes, to text and to JSON; each function gives a changed copy, the same for the same generator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

INTEGERS = (0, 1, -1, 2, 3, 7, 31, 32, 33, 64, 127, 128, 255, 256, 4096, 65535, 1 << 24, (1 << 24) + 1,
            (1 << 31) - 1, 1 << 31, -(1 << 31), 1 << 40, (1 << 63) - 1, -(1 << 63))  # fmt: skip
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-38, 3e38, 1e308, float("inf"), float("-inf"), float("nan"), 1e-5)
HOSTILE = (
    "m\r    import canary", "m\n    import canary", "m\x0c\x0bimport canary", "m\u2028import canary", "m\x85import",
    "0.0.\rimport canary.0.w", "'+__import__('canary')+'", '"); __import__("canary"); ("', "__class__", "\\", '\\"',
    "RELU), __import__('canary'), (0", "<script>canary</script>", "\x1b[2J", "\u202e", "\ud800", "\U0001f600",
)  # fmt: skip
"""Names that would run, leave their comment, or upset a terminal, if they were anything but names."""

WORDS = (
    "",
    "x",
    "input",
    "none",
    "true",
    "inf",
    "nan",
    "../../x",
    "/etc/passwd",
    "a" * 300,
    "\0",
    "é",
    "%",
    '"',
    *HOSTILE,
)

_TOKEN = re.compile(r'%[\w.]+|"(?:[^"\\]|\\.)*"|-?\d[\d.e+-]*|[A-Za-z_][\w.]*|\s+|.', re.DOTALL)


def mutated_bytes(data: bytes, other: bytes, random: Random) -> bytes:
    """One to four of the usual accidents; `other` is spliced in now and then."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        random.choice(_BYTE_ACCIDENTS)(changed, other, random)
    return bytes(changed)


def _flip(data: bytearray, other: bytes, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _overwrite(data: bytearray, other: bytes, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _insert(data: bytearray, other: bytes, random: Random) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.randint(1, 9))


def _delete(data: bytearray, other: bytes, random: Random) -> None:
    start, end = _range(data, random)
    del data[start:end]


def _repeat(data: bytearray, other: bytes, random: Random) -> None:
    start, end = _range(data, random)
    data[end:end] = data[start:end]


def _cut(data: bytearray, other: bytes, random: Random) -> None:
    del data[random.randrange(len(data) + 1) :]


def _splice(data: bytearray, other: bytes, random: Random) -> None:
    (start, end), (first, last) = _range(data, random), _range(other, random)
    data[start:end] = other[first:last]


def _number(data: bytearray, other: bytes, random: Random) -> None:
    size = random.choice((1, 2, 4, 8))
    at = random.randrange(len(data) + 1)
    data[at : at + size] = (random.choice(INTEGERS) & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def _range(data: bytes | bytearray, random: Random) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 2, 4, 8, 16, 64, 256)))


_BYTE_ACCIDENTS: tuple[Callable[[bytearray, bytes, Random], None], ...] = (
    _flip, _overwrite, _insert, _delete, _repeat, _cut, _splice, _number,
)  # fmt: skip


def mutated_text(text: str, other: str, names: Sequence[str], random: Random) -> str:
    """A text with one token or line changed, seldom more; `names` are the words that mean something in it."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        text = _changed_lines(text, other, random) if random.random() < 0.25 else _changed_token(text, names, random)
    return text


def _changed_lines(text: str, other: str, random: Random) -> str:
    lines = text.splitlines(keepends=True)
    if not lines:
        return other
    at = random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(random.randrange(len(lines) + 1), lines[at])
        case 2:
            to = random.randrange(len(lines))
            lines[at], lines[to] = lines[to], lines[at]
        case _:
            lines[at] = random.choice(other.splitlines(keepends=True) or [""])
    return "".join(lines)


def _changed_token(text: str, names: Sequence[str], random: Random) -> str:
    tokens = _TOKEN.findall(text)
    places = [place for place, token in enumerate(tokens) if not token.isspace()]
    if not places:
        return random.choice(names)
    at = random.choice(places)
    match random.randrange(6):
        case 0:
            tokens[at] = tokens[random.choice(places)]
        case 1:
            tokens[at] = ""
        case 2:
            tokens[at] *= 2
        case _:
            tokens[at] = _token_like(tokens[at], names, random)
    return "".join(tokens)


def _token_like(token: str, names: Sequence[str], random: Random) -> str:
    """Another token, mostly of the same kind."""
    if re.fullmatch(r"-?\d+", token) and random.random() < 0.8:
        near = int(token) + random.choice((-1, 1))
        return str(random.choice((near, random.choice(INTEGERS), random.choice(FLOATS), "[]", "none")))
    if re.fullmatch(r"[A-Za-z_].*", token) and random.random() < 0.8:
        return random.choice(names)
    if token.startswith('"') and random.random() < 0.5:
        word = random.choice(WORDS)
        return json.dumps(word) if random.random() < 0.7 else f'"{word}"'
    return random.choice((*map(str, INTEGERS), "[", "]", "(", ")", "{", "}", "<", ">", ",", "=", "%0", *WORDS))


def mutated_tree(tree: Any, random: Random) -> Any:
    """A JSON tree with one of its parts changed, left out, or doubled."""
    if isinstance(tree, dict) and tree and random.random() < 0.85:
        key = random.choice(list(tree))
        if random.random() < 0.2:
            return {name: part for name, part in tree.items() if name != key}
        return {name: mutated_tree(part, random) if name == key else part for name, part in tree.items()}
    if isinstance(tree, list) and tree and random.random() < 0.85:
        at = random.randrange(len(tree))
        if random.random() < 0.3:
            return [*tree[:at], *tree[at + 1 :]] if random.random() < 0.5 else [*tree[:at], tree[at], *tree[at:]]
        return [*tree[:at], mutated_tree(tree[at], random), *tree[at + 1 :]]
    if isinstance(tree, int) and random.random() < 0.5:
        return tree + random.choice((-1, 1, 4))
    return random.choice((None, True, [], {}, [[]], *INTEGERS, *FLOATS[:9], *WORDS))
