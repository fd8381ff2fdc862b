"""Damage to .npz files under right checksums: what their arrays claim to be, and the zip around them."""

from __future__ import annotations

import io
import struct
import zipfile
from random import Random

import numpy as np

from tests.fuzz.mutate import WORDS, mutated_bytes, mutated_text

MAGIC = b"\x93NUMPY"
LENGTH = len(MAGIC) + 2

CLAIMS = (
    "|O", "<f4", ">f4", "<f8", "<i8", ">i8", "|b1", "<c8", "|S1000000000", "<U4", "|V2", "<M8[s]", "<f99", "os.system",
    "(1000000000000,)", "(9223372036854775807, 3)", "(-1,)", "(True,)", "()", "(0,)", "[2]", "((2,),)", "None", "2**99",
    "[('a', '<f4')]", "__import__('canary')", "(" * 2000, "[" * 2000 + "]" * 2000, "'" * 3, "1e9", "False", "True",
)  # fmt: skip
"""What an array's header may say of its element type, order and shape."""


def mutated_npz(data: bytes, random: Random) -> bytes:
    """One array's header, data or name changed, or the zip around them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at = random.randrange(len(members))
    name, content = members[at]
    match random.choice((0, 1, 2, 2, 3, 4, 5, 6)):
        case 0 | 1:
            members[at] = name, _with_header(content, random)
        case 2:
            members[at] = name, random.choice((mutated_bytes(content, content, random), _with_numbers(content, random)))
        case 3:
            members[at] = random.choice((f"{random.choice(WORDS)}.npy", random.choice(WORDS), f"../{name}")), content
        case 4:
            members = random.choice(
                (members[1:], [*members, members[at]], [*members, ("canary", b""), ("z.npy", content)])
            )
        case 5:
            bomb = MAGIC + b"\x01\x00" + content[LENGTH : LENGTH + 2] + bytes(random.choice((1 << 16, 1 << 23)))
            return _zipped([*members, ("bomb.npy", bomb)], zipfile.ZIP_DEFLATED)
        case _:
            return _damaged(
                _zipped(members, random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))), content, random
            )
    return _zipped(members, zipfile.ZIP_STORED)


def _with_numbers(content: bytes, random: Random) -> bytes:
    """An array with other numbers, or the same in the other byte order."""
    array = np.load(io.BytesIO(content))
    if random.random() < 0.5:
        array = array.astype(array.dtype.newbyteorder())
    else:
        array.reshape(-1).view(np.uint8)[random.randrange(array.nbytes)] ^= 1 << random.randrange(8)
    file = io.BytesIO()
    np.save(file, np.asfortranarray(array) if random.random() < 0.5 else array)
    return file.getvalue()


def _with_header(content: bytes, random: Random) -> bytes:
    """An array whose header says something else, its length right."""
    (size,) = struct.unpack_from("<H", content, LENGTH)
    start = LENGTH + 2
    text = content[start : start + size].decode("latin1")
    for _ in range(random.choice((1, 1, 2))):
        text = mutated_text(text, text, [*CLAIMS, *(f"'{claim}'" for claim in CLAIMS)], random)
    header = text.encode("latin1", "replace")[:60_000]
    version = random.choice((b"\x01\x00", b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09"))
    length = struct.pack("<I" if version[0] in (2, 3) else "<H", len(header))
    return MAGIC + version + length + header + content[start + size :]


def _zipped(members: list[tuple[str, bytes]], how: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name.encode("utf-8", "ignore").decode() or "x"), content, how)
    return file.getvalue()


def _damaged(data: bytes, array: bytes, random: Random) -> bytes:
    """The file's own bytes changed, the file encrypted as it says, an array alone, or cut."""
    match random.randrange(4):
        case 0:
            return mutated_bytes(data, array, random)
        case 1:
            at = data.index(b"PK\x01\x02") + 8
            return data[:at] + b"\x01" + data[at + 1 :]
        case 2:
            return mutated_bytes(array, data, random) if random.random() < 0.5 else _with_header(array, random)
    return data[: random.randrange(len(data))]
