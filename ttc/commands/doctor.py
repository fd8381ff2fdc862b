"""`ttc doctor`: what this machine has of what ttc can use."""

from __future__ import annotations

import platform
from argparse import ArgumentParser, Namespace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ttc.errors import TtcError

PACKAGES = ("tt-compile", "torch", "onnx", "onnxruntime", "transformers", "ttnn", "numpy", "safetensors", "networkx")


def add_arguments(parser: ArgumentParser) -> None:
    """No arguments."""


def run(arguments: Namespace) -> int:
    """Print one line a fact; 1 if nothing can be compiled here."""
    print(f"python {platform.python_version()}")
    found = {name: _version(name) for name in PACKAGES}
    for name, number in found.items():
        print(f"{name} {number or '(not installed)'}")
    print(f"real ttnn for `ttc check`: {_ttnn_interpreter()}")
    cards = (
        sorted(str(path) for path in Path("/dev/tenstorrent").glob("*")) if Path("/dev/tenstorrent").is_dir() else []
    )
    print(f"cards: {', '.join(cards) or 'none; `ttc run` uses the emulator'}")
    return 0 if found["torch"] and found["onnx"] else 1


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _ttnn_interpreter() -> str:
    from ttc.runtime.check import ttnn_interpreter

    try:
        return str(ttnn_interpreter())
    except TtcError as error:
        return str(error)
