"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from ttc.calls.target import TARGETS
from ttc.errors import InputError

DTYPES = ("bf16", "fp32", "bfp8", "bfp4")


def add_model(parser: ArgumentParser) -> None:
    """The model file and how to compile it."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="a .onnx or .pt2 file")
    add_compilation(parser)


def add_compilation(parser: ArgumentParser) -> None:
    """How a model is compiled: card, numbers, lengths."""
    parser.add_argument("--target", default="n150", help=f"the card: {', '.join(TARGETS)} (default n150)")
    parser.add_argument("--dtype", default="bf16", choices=DTYPES, help="numbers on the card (default bf16)")
    parser.add_argument(
        "--length", dest="lengths", nargs="+", action="extend", default=[], type=length, metavar="NAME=N[,N]",
        help="sizes of the model's named dimensions",
    )  # fmt: skip
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="OP",
        help="an op that the host may do where the card cannot; may be given again",
    )  # fmt: skip


def compilation(arguments: Namespace) -> dict[str, Any]:
    """What `add_compilation` asked for, as `ttc.compile` takes it."""
    return {
        "target": arguments.target,
        "dtype": arguments.dtype,
        "lengths": dict(arguments.lengths),
        "allow_host": arguments.allow_host,
    }


def add_json(parser: ArgumentParser) -> None:
    """Machine-readable output."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def add_mode(parser: ArgumentParser) -> None:
    """The emulator's numerics."""
    parser.add_argument("--mode", default="exact", choices=("exact", "tensix"), help="the emulator's numerics")


def length(text: str) -> tuple[str, list[int]]:
    """`T=64,128` as a name and its sizes."""
    name, equals, sizes = text.partition("=")
    numbers = sizes.split(",")
    if not (name and equals and all(number.isdecimal() for number in numbers)):
        raise ArgumentTypeError(f"{text!r} is no length; write NAME=N or NAME=N,N,...")
    return name, [int(number) for number in numbers]


def existing(path: Path) -> Path:
    """The path, if there is a file; InputError otherwise."""
    if not path.is_file():
        raise InputError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
    return path


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    print(json.dumps(value))
