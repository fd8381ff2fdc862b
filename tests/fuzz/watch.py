"""What a process does beside computing, as Python's audit events tell it: files, code, modules, processes, sockets."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
}  # fmt: skip
FORBIDDEN = (
    "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.", "pickle.find_class",
    "pty.spawn", "urllib.Request", "webbrowser.open", "ftplib.", "smtplib.", "ctypes.dlopen", "os.putenv",
)  # fmt: skip
"""Events, or the beginnings of their names."""

INSTALLED = tuple(
    os.path.realpath(path)
    for path in (
        ROOT,
        sys.prefix,
        sys.base_prefix,
        *sysconfig.get_paths().values(),
        *filter(os.path.isdir, sys.path[1:]),
    )
)
"""Where Python, its packages and this project are."""

READABLE = (*INSTALLED, "/proc", "/sys", "/usr/lib", "/usr/share", "/etc/localtime", os.devnull, "/dev/urandom")

MAKERS = ("dataclasses.py", "collections/__init__.py", "enum.py", "typing.py", "attr/_make.py", "torch/", "sympy/",
          "importlib", "<frozen importlib", "numpy/", "onnx/", "mpmath/", "networkx/", "jinja2/")  # fmt: skip
"""Files of installed packages that make code of texts of their own: functions of a class, of a graph."""

CANARY = "canary"
"""What is in every text that would run if it could."""


class Watch:
    """Notes what is done outside `folder`, and code that is neither Python's nor a package's nor this project's."""

    def __init__(self, folder: Path):
        self.folder = os.path.realpath(folder)
        self.on = False
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        self.on = False  # what is asked here is no event of theirs
        try:
            self._note(event, arguments)
        finally:
            self.on = True

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._opened(*arguments)
        elif event in CHANGES:
            for path in arguments[:2] if event in ("os.rename", "os.link", "os.symlink") else arguments[:1]:
                self._within(event, path, (self.folder,))
        elif event == "import":
            if CANARY in arguments[0]:
                self.seen.append(f"import {arguments[0]}")
        elif event in ("exec", "compile"):
            self._code(event, arguments[0])
        elif event.startswith(FORBIDDEN):
            self.seen.append(f"{event} {str(arguments)[:200]}")

    def _opened(self, path: Any, mode: Any, flags: int) -> None:
        if isinstance(path, (str, bytes, os.PathLike)):
            allowed = (self.folder, os.devnull) if flags & WRITING else (self.folder, *READABLE)
            self._within("open", path, allowed)

    def _within(self, event: str, path: Any, allowed: tuple[str, ...]) -> None:
        real = os.path.realpath(os.fsdecode(path))
        if not any(real == root or real.startswith(root + os.sep) for root in allowed):
            self.seen.append(f"{event} {real}")

    def _code(self, event: str, code: Any) -> None:
        """Code of an installed file may run; a text may become code only by its makers, and says nothing of ours."""
        if isinstance(code, CodeType) and _is_installed(code.co_filename):
            return
        maker = _maker()
        if maker.endswith("ast.py"):  # which only parses
            return
        text = code.decode("utf-8", "replace") if isinstance(code, bytes) else str(code)
        if CANARY in text or not any(name in maker for name in MAKERS):
            self.seen.append(f"{event} by {maker}: {text[:200]!r}")


def _is_installed(file: str) -> bool:
    return file.startswith(("<frozen", *INSTALLED)) or os.path.realpath(file).startswith(INSTALLED)


def _maker() -> str:
    """The file that asks for code to be made or run."""
    frame = sys._getframe()
    while frame and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame.f_code.co_filename if frame else ""
