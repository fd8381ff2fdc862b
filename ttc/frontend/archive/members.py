"""Members of a `.pt2` archive: whole, stored uncompressed, each once, and read without torch."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ttc.errors import InputError
from ttc.guard.budget import JSON_PARTS, MEMBERS, within

LOCAL_HEADER = 30
"""Bytes of a member's local header before its name, by the zip format; the lengths of name and extra end it."""

BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, EOFError, UnicodeError, RuntimeError)
"""Errors that Python's reader raises for damaged archives."""

ENCRYPTED = 0x1

END = b"PK\x05\x06" + bytes(18)
"""End of an archive: a mark, the place of the directory, and a comment of no length."""


@dataclass(frozen=True)
class Member:
    """Place of a member's bytes in the file, and their checksum."""

    name: str
    start: int
    size: int
    checksum: int

    @property
    def end(self) -> int:
        """Return the position behind the member's bytes."""
        return self.start + self.size


@dataclass(frozen=True)
class Archive:
    """Open archive; the names of members are below its one root folder."""

    file: IO[bytes]
    members: Mapping[str, Member]

    def read(self, name: str) -> bytearray:
        """Read a member's bytes; InputError if the member is missing or damaged."""
        member = self.members.get(name)
        if member is None:
            raise InputError(f"it has no member {name!r}")
        self.file.seek(member.start)
        content = bytearray(member.size)
        if self.file.readinto(content) != member.size:  # type: ignore[attr-defined]
            raise InputError(f"its member {name!r} is cut short")
        if zlib.crc32(content) != member.checksum:
            raise InputError(f"its member {name!r} is damaged: the checksum differs")
        return content

    def json(self, name: str) -> Any:
        """Read a member's JSON; InputError for other text, and for JSON outside the format (NaN, depth, size)."""
        content = self.read(name)
        within(sum(map(content.count, (b",", b"[", b"{"))), JSON_PARTS, f"values in its member {name!r}")
        try:
            return json.loads(content.decode(), parse_constant=_no_number)
        except RecursionError:
            raise InputError(f"its member {name!r} is nested too deeply") from None
        except ValueError as error:
            raise InputError(f"its member {name!r} is not JSON: {error}") from None


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is not a number")


def open_archive(file: IO[bytes], size: int) -> Archive:
    """Open the archive in a file of `size` bytes; InputError if the file is damaged or another archive."""
    file.seek(max(0, size - len(END)))
    end = file.read()
    if end[:4] != END[:4] or end[-2:] != END[-2:]:
        raise InputError("it is not a zip archive, or is cut short")
    try:
        with zipfile.ZipFile(file) as found:
            listed = found.infolist()
    except BROKEN_ZIP as error:
        raise InputError(f"it is not a zip archive: {error}") from None
    within(len(listed), MEMBERS, "members of an archive")
    if not listed:
        raise InputError("it holds nothing")
    if min(info.header_offset for info in listed) != 0:
        raise InputError("it does not begin with a member: it may be an archive in another")
    members = [_member(file, info, size) for info in listed]
    _refuse_overlaps(members, size)
    return Archive(file, _by_name(members))


def _member(file: IO[bytes], info: zipfile.ZipInfo, size: int) -> Member:
    """Return a member, whose local header must agree with the archive's directory."""
    where = f"its member {info.filename!r}"
    if info.flag_bits & ENCRYPTED:
        raise InputError(f"{where} is encrypted")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise InputError(f"{where} is compressed: torch.export.save stores members uncompressed")
    if not 0 <= info.header_offset < size:
        raise InputError(f"{where} does not lie in the file")
    file.seek(info.header_offset)
    header = file.read(LOCAL_HEADER)
    if len(header) != LOCAL_HEADER or header[:4] != b"PK\x03\x04":
        raise InputError(f"{where} does not lie where the archive says")
    name_length, extra_length = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    if file.read(name_length) != info.orig_filename.encode():
        raise InputError(f"{where} has another name where it lies")
    start = info.header_offset + LOCAL_HEADER + name_length + extra_length
    return Member(info.orig_filename, start, info.file_size, info.CRC)


def _refuse_overlaps(members: list[Member], size: int) -> None:
    """Refuse members that share bytes, or reach beyond the file: no archive then gives more than it holds."""
    end = 0
    for member in sorted(members, key=lambda member: (member.start, member.end)):
        if member.start < end and member.size:
            raise InputError(f"its member {member.name!r} overlaps another")
        if member.end > size:
            raise InputError(f"its member {member.name!r} is cut short")
        end = max(end, member.end)


def _by_name(members: list[Member]) -> dict[str, Member]:
    roots = {member.name.split("/")[0] for member in members}
    if len(roots) != 1 or any("/" not in member.name for member in members):
        raise InputError("its members are not in one folder, as torch.export.save writes them")
    found: dict[str, Member] = {}
    for member in members:
        name = member.name.partition("/")[2]
        if name in found:
            raise InputError(f"it has two members {name!r}")
        found[name] = member
    return found


def archive_of(path: Path, file: IO[bytes]) -> Archive:
    """Return the archive in an open file."""
    return open_archive(file, path.stat().st_size)
