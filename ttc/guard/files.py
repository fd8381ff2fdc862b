"""The user's files: the one way in which ttc reads and writes files.

ttc reads regular files only, so that it never waits for a pipe or a device. A written file appears whole or not at
all: a draft in the same folder takes the file's name once it is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ttc.errors import InputError

AnyPath = str | os.PathLike[str]

KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

DRAFT = re.compile(r"\.ttc-[0-9a-f]{16}\.part")
"""Names of drafts: short, whatever the file is called, and used by no other program."""


def as_path(path: Any) -> Path:
    """Return a path that a user gives, as text or as an object; InputError for other types."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise InputError(f"a path is text or a pathlib.Path, got {type(path).__name__}")
    return Path(path)


def open_file(path: AnyPath) -> BinaryIO:
    """Open a regular file for reading; InputError, with its name, if the file is missing or cannot be read."""
    with _said("read", path):
        _require_regular(os.stat(path))  # before opening: opening a device may already have an effect
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            _require_regular(os.fstat(handle))
            return os.fdopen(handle, "rb")
        except OSError:
            os.close(handle)
            raise


def read_bytes(path: AnyPath) -> bytes:
    """Read the whole of a regular file; InputError, with its name, if the file cannot be read."""
    with open_file(path) as file, _said("read", path):
        return file.read()


def map_file(path: AnyPath) -> bytes | mmap.mmap:
    """Map a file into memory, so that only pages used are read; changes stay private. InputError as `open_file`."""
    with open_file(path) as file, _said("read", path):
        if not os.fstat(file.fileno()).st_size:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def check_output(path: AnyPath, inputs: Iterable[AnyPath] = ()) -> None:
    """Require that `path` can be written, as far as can be told now, and is none of `inputs`; InputError otherwise."""
    with _said("write", path):
        target, old = _target(path)
        os.stat(target.parent)
        for given in inputs:
            with contextlib.suppress(FileNotFoundError):
                if old and os.path.samestat(old, os.stat(given)):
                    raise OSError("it is an input of the same command")


@contextmanager
def writing(path: AnyPath) -> Iterator[BinaryIO]:
    """Yield a file to fill, which becomes `path` when the block ends; if the block raises, no file has changed.

    A link is followed, a file that is replaced keeps its mode, and drafts of killed processes are removed.
    InputError, with the file's name, for a path that is not a regular file and for refusals of the system.
    """
    with _said("write", path):
        target, old = _target(path)
        with _draft(target, old) as (draft, file):
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(draft, target)


def write_bytes(path: AnyPath, content: bytes) -> None:
    """Write a whole file, as `writing` does."""
    with writing(path) as file:
        file.write(content)


@contextmanager
def filling_folder(path: AnyPath) -> Iterator[Path]:
    """Yield a folder to fill, which becomes `path` when the block ends; if the block raises, there is no such folder.

    A folder that exists is filled as it is. InputError, with the folder's name, for refusals of the system.
    """
    folder = as_path(path)
    if folder.is_dir():
        yield folder
        return
    with _said("write", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = folder.parent / f".ttc-{secrets.token_hex(8)}.part"
        draft.mkdir()
        try:
            yield draft
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)  # after success the draft has the folder's name


def _target(path: AnyPath) -> tuple[Path, os.stat_result | None]:
    """Return the file that `path` stands for, links followed, and the file's present state."""
    name = os.fsdecode(path)
    if not name or name.endswith(os.sep):
        raise OSError("a file must have a name")
    target = Path(os.path.realpath(name))
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return target, None
    _require_regular(old)
    if not os.access(target, os.W_OK):
        raise PermissionError("permission denied")
    return target, old


@contextmanager
def _draft(target: Path, old: os.stat_result | None) -> Iterator[tuple[Path, BinaryIO]]:
    """Yield a new file beside `target`, locked as long as its writer lives, and gone afterwards."""
    _remove_abandoned(target.parent)
    draft, handle = _locked(target.parent, 0o600 if old else 0o666)
    try:
        with os.fdopen(handle, "w+b") as file:
            if old:
                _take_over(handle, old)
            yield draft, file
    finally:
        draft.unlink(missing_ok=True)  # after success the draft has the target's name


def _locked(folder: Path, mode: int) -> tuple[Path, int]:
    """Make a draft locked by this process; another process may take it for abandoned before the lock."""
    while True:
        draft = folder / f".ttc-{secrets.token_hex(8)}.part"
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with contextlib.suppress(OSError):  # file systems without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if draft.exists():
            return draft, handle
        os.close(handle)


def _take_over(handle: int, old: os.stat_result) -> None:
    """Copy the replaced file's mode, and its owner if this process may give files away."""
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, stat.S_IMODE(old.st_mode) & 0o777)


def _remove_abandoned(folder: Path) -> None:
    """Remove drafts whose writers are gone and hold no locks."""
    with contextlib.suppress(PermissionError):  # a folder may be writable and not readable
        for name in os.listdir(folder):
            if DRAFT.fullmatch(name):
                with contextlib.suppress(OSError):  # another user's, or removed meanwhile
                    _remove_if_free(folder / name)


def _remove_if_free(draft: Path) -> None:
    handle = os.open(draft, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.unlink()
    finally:
        os.close(handle)


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(f"is {kind}" if kind == "a directory" else f"is {kind}, not a regular file")


@contextmanager
def _said(verb: str, path: AnyPath) -> Iterator[None]:
    """Turn refusals of the system into a sentence that names the file."""
    name = os.fsdecode(path)
    if "\0" in name:
        raise InputError(f"cannot {verb} {name!r}: the name holds a null byte")
    try:
        yield
    except UnicodeEncodeError:
        raise InputError(f"cannot {verb} {name!r}: the name is not text") from None
    except OSError as error:
        reason = error.strerror.lower() if error.strerror else str(error)
        raise InputError(f"cannot {verb} {name or repr(name)}: {reason}") from None
