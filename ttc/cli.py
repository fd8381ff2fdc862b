"""The command line: `ttc compile | run | validate | inspect | check | ops | passes | models | target | ...`.

Exit status: 0 done; 1 a comparison or check failed; 2 bad usage, bad input or an unsupported model.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NoReturn, TextIO

from ttc.commands.options import with_flags
from ttc.commands.output import failure, print_json
from ttc.errors import TtcError, printable
from ttc.version import VERSION

COMMANDS = {
    "compile": "compile a model into a .ttc artifact",
    "run": "run an artifact",
    "validate": "compare a compiled model with its own framework",
    "inspect": "show a program and its numbers",
    "check": "put a program's calls to the real ttnn library, on a mock card or a real one",
    "ops": "list what each op becomes",
    "passes": "list the passes in their order",
    "models": "list the models that ttc carries",
    "models run": "run a system of models, from text or sound to a WAV file",
    "models validate": "compare a system's stages with the package's own modules, with lengths and without",
    "target": "list the cards that programs are compiled for, or measure one",
    "selftest": "try every kind of call and two models on the card, beside the emulator",
    "doctor": "say what this machine has of what ttc can use",
}
"""Each command's line of help; the command's module is `ttc.commands.<name>`, a blank of the name being `_` there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; errors become sentences on stderr, and JSON where asked for."""
    if arguments is not None:
        return _status(arguments)
    # The command line itself: being asked to end is an interrupt, after which things are tidied.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _streams():
        return _status(sys.argv[1:])


def _status(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status, which is 0 only if all of the output is written."""
    given = _joined(with_flags(arguments))
    as_json = "--json" in given
    try:
        parsed = _parser(given).parse_args(given)
        status = _module(parsed.command).run(parsed)
        sys.stdout.flush()
        return status
    except TtcError as error:
        return _failed(error, str(error), as_json)
    except BrokenPipeError:  # the reader of the output has closed the pipe
        return 0
    except OSError as error:  # a folder that cannot be made, a file or output that cannot be read or written
        return _failed(error, f"{error.filename or 'a file or the output'}: {error.strerror or error}", as_json)
    except MemoryError as error:
        return _failed(error, "this needs more memory than this machine gives", as_json)
    except KeyboardInterrupt as error:
        return _failed(error, "interrupted", as_json, 130)


@contextmanager
def _streams() -> Iterator[None]:
    """Let nothing that happens to stdin, stdout and stderr outside end the command inside.

    A stream that is closed from the start becomes the null device: else the next file that is opened would take its
    number, and get what libraries print. Text that a stream does not take goes nowhere in the end: Python would end
    with an error and a status of its own.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            _empty(stream)


def _empty(stream: TextIO) -> None:
    """Write out what a stream holds; nowhere if the file or pipe behind the stream takes no more."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _joined(given: list[str]) -> list[str]:
    """Return the arguments with a command of two words as one."""
    two = " ".join(given[:2])
    return [two, *given[2:]] if two in COMMANDS else given


def _module(command: str) -> Any:
    return import_module(f"ttc.commands.{command.replace(' ', '_')}")


def _failed(error: BaseException, sentence: str, as_json: bool, status: int = 2) -> int:
    """Print what went wrong, as far as the streams take any more, and return the exit status."""
    with suppress(OSError):
        print(printable(f"ttc: {sentence}"), file=sys.stderr)
    with suppress(OSError):
        if as_json:
            print_json(failure(error, sentence))
    return status


class _Parser(argparse.ArgumentParser):
    """Parser that reports errors in the arguments as JSON too, where JSON is asked for."""

    as_json = False

    def error(self, message: str) -> NoReturn:
        if _Parser.as_json:
            print_json({"ok": False, "error": message})
        super().error(printable(message))


def _parser(given: list[str]) -> argparse.ArgumentParser:
    """Return the parser; only the chosen command's module is imported."""
    _Parser.as_json = "--json" in given
    parser = _Parser("ttc", description="Compile PyTorch and ONNX models for Tenstorrent cards.")
    parser.add_argument("--version", action="version", version=f"ttc {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in given if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == chosen:
            _module(name).add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
