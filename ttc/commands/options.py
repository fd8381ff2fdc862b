"""Options that several commands share, and the values of their text."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ttc.calls.call import MathFidelity
from ttc.calls.target import TARGETS
from ttc.compiled.arguments import ACTIVATIONS, LEVELS
from ttc.errors import InputError
from ttc.guard.files import open_file
from ttc.runtime.file.safetensors_file import read_json

DTYPES = ("bf16", "fp32", "bfp8", "bfp4")
FIDELITIES = tuple(item.name for item in MathFidelity)
MODELS = (".onnx", ".pt2")
"""Endings of the names of model files."""

INPUTS = "arrays by input name, or one array for a model of one input; random ones if not given"


def path(text: str) -> Path:
    """Return a path that can name a file."""
    if not text or "\0" in text:
        raise ArgumentTypeError(f"{text!r} names no file")
    return Path(text)


def seed(text: str) -> int:
    """Return a seed that numpy and torch both take."""
    if not re.fullmatch(r"\d{1,19}", text, re.ASCII) or int(text) >= 1 << 63:
        raise ArgumentTypeError(f"a seed is a whole number from 0 to 2^63 - 1, got {text[:30]!r}")
    return int(text)


def add_model(parser: ArgumentParser, by_weight: bool = False) -> None:
    """Add the model file and the options of its compilation."""
    parser.add_argument("model", metavar="MODEL", type=path, help="a .onnx or .pt2 file")
    add_compilation(parser, by_weight)


def add_compilation(parser: ArgumentParser, by_weight: bool = False) -> None:
    """Add the options of compilation: card, numbers (where `by_weight`, of each weight, too), lengths, state."""
    parser.add_argument("--target", help=f"the card: {', '.join(TARGETS)} (default n150)")
    if by_weight:
        parser.add_argument(
            "--dtype", type=dtype_of_weights, metavar=f"{'|'.join(DTYPES)}|auto|FILE.json",
            help="numbers on the card (default bf16); auto chooses for each weight, by --inputs; FILE.json is what "
            "--json gave of a choice",
        )  # fmt: skip
    else:
        parser.add_argument("--dtype", choices=DTYPES, help="numbers on the card (default bf16)")
    parser.add_argument(
        "--activations", choices=tuple(ACTIVATIONS),
        help="format of what products, convolutions, sums and pools hand on to each other (bf16 if not given)",
    )  # fmt: skip
    parser.add_argument(
        "--fidelity",
        choices=FIDELITIES,
        help="passes of the matrix engine in all calls; by card and weights if not given",
    )
    parser.add_argument(
        "-O", dest="optimize", type=int, choices=LEVELS,
        help="-O0 keeps each op alone and every value in DRAM, for comparison and for debugging; "
        "-O3 places values by an exact solver (default 1)",
    )  # fmt: skip
    parser.add_argument(
        "--length", dest="lengths", action="append", default=[], type=length, metavar="NAME=N[,N]",
        help="a size, or several, of one of the model's named dimensions; may be given for each of them",
    )  # fmt: skip
    parser.add_argument(
        "--state", action="append", default=[], type=state, metavar="INPUT=OUTPUT",
        help="an input of an ONNX model that takes an output of the run before; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--trust", action="store_true", help="let torch read a .pt2 file as it does, with whatever code the file holds"
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="OP",
        help="an op that the host may do where the card cannot; may be given again",
    )  # fmt: skip


def compilation(arguments: Namespace) -> dict[str, Any]:
    """Return the options of `add_compilation` that were given, as `ttc.compile` takes them."""
    options = {
        "target": arguments.target,
        "dtype": arguments.dtype,
        "lengths": _once(arguments.lengths) or None,
        "allow_host": arguments.allow_host or None,
        "activations": arguments.activations,
        "fidelity": arguments.fidelity,
        "optimize": arguments.optimize,
        "state": _states(arguments.state) or None,
        "trust": arguments.trust or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def dtype_of_weights(text: str) -> str | dict[str, str]:
    """Read a dtype, `auto`, or the dtypes by name in the JSON file of a choice."""
    if text in (*DTYPES, "auto"):
        return text
    if not text.endswith(".json"):
        raise ArgumentTypeError(f"{text!r} is no dtype; choose from {', '.join(DTYPES)}, auto, or name a .json file")
    try:
        with open_file(path(text)) as file:
            found = read_json(file.read())["weight_dtypes"]
        return {str(name): str(dtype) for name, dtype in found.items()}
    except (InputError, OSError) as error:
        raise ArgumentTypeError(str(error)) from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ArgumentTypeError(
            f"{text} holds no weight_dtypes: `ttc compile --dtype auto --json` gives them"
        ) from None


def add_system(parser: ArgumentParser, names: Collection[str]) -> None:
    """Add a system of models, one of `names`, the size and weights of its models, and the seed."""
    parser.add_argument("system", choices=tuple(names), metavar="SYSTEM", help=", ".join(names))
    parser.add_argument("--size", default="real", help="the published size, or tiny (default real)")
    parser.add_argument("--weights", metavar="FILE", type=path, help="a checkpoint; random weights if not given")
    parser.add_argument("--seed", type=seed, default=0, help="of random weights, and of what the models draw")


def add_json(parser: ArgumentParser) -> None:
    """Add machine-readable output."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def add_mode(parser: ArgumentParser) -> None:
    """Add the emulator's numerics."""
    parser.add_argument("--mode", default="exact", choices=("exact", "tensix"), help="the emulator's numerics")


def with_flags(given: Iterable[str]) -> list[str]:
    """Return the arguments with a `--length` before each length: one flag may be followed by several lengths."""
    found: list[str] = []
    listing = False
    for word in given:
        if listing and found[-1] != "--length" and _is_length(word):
            found.append("--length")
        else:
            listing = word == "--length" or (listing and found[-1] == "--length")
        found.append(word)
    return found


def _once(lengths: list[tuple[str, list[int]]]) -> dict[str, list[int]]:
    """Return the sizes by name; InputError for a name that is given twice."""
    found: dict[str, list[int]] = {}
    for name, sizes in lengths:
        if name in found:
            both = ",".join(map(str, (*found[name], *sizes)))
            raise InputError(f"the length {name} is given twice: for several sizes write --length {name}={both}")
        found[name] = sizes
    return found


def length(text: str) -> tuple[str, list[int]]:
    """Read `T=64,128` as a name and its sizes."""
    if not _is_length(text):
        raise ArgumentTypeError(f"{text!r} is not a length; write NAME=N or NAME=N,N,... with whole numbers from 1 on")
    name, _, sizes = text.rpartition("=")
    return name, [int(number) for number in sizes.split(",")]


def state(text: str) -> tuple[str, str]:
    """Read `past=present` as the names of an input and of an output."""
    before, _, after = text.partition("=")
    if not before or not after:
        raise ArgumentTypeError(f"{text!r} is no state; write INPUT=OUTPUT")
    return before, after


def _states(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the output of each input; InputError for an input that is given twice."""
    found = dict(pairs)
    for name, _ in pairs:
        if len(outputs := [after for before, after in pairs if before == name]) > 1:
            raise InputError(f"the input {name!r} is bound twice as state: to {' and '.join(outputs)}")
    return found


def _is_length(text: str) -> bool:
    return re.fullmatch(r".+=0*[1-9][0-9]{0,17}(,0*[1-9][0-9]{0,17})*", text) is not None


def existing(path: Path) -> Path:
    """Return the path of a file that can be read; InputError otherwise."""
    open_file(path).close()
    return path


def model_file(path: Path) -> Path:
    """Return the path of a model; InputError if the file is missing, or an artifact."""
    if existing(path).suffix == ".ttc":
        raise InputError(f"{path} is an artifact, which is compiled already: give the .onnx or .pt2 file")
    return path


def artifact_file(path: Path) -> Path:
    """Return the path of an artifact; InputError if the file is missing, or a model."""
    if existing(path).suffix in MODELS:
        raise InputError(
            f"{path} is a model: compile it first, with `ttc compile {path} -o {path.with_suffix('.ttc')}`"
        )
    return path
