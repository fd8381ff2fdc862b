"""`ttc doctor`: the parts of this machine that ttc can use."""

from __future__ import annotations

import platform
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from ttc.errors import TtcError, require
from ttc.runtime.check import ttnn_interpreter
from ttc.runtime.run.devices import CARDS, no_card
from ttc.version import VERSION, version_of

PACKAGES = ("numpy", "torch", "onnx", "networkx", "rich", "onnxruntime", "transformers", "ttnn")


def add_arguments(parser: ArgumentParser) -> None:
    """Add no arguments."""


def run(arguments: Namespace) -> int:
    """Print one line a fact; return 1 if programs can neither be compiled nor run nor checked here."""
    print(f"ttc {VERSION}")
    print(f"python {platform.python_version()}")
    for name in PACKAGES:
        print(f"{name} {version_of(name) or '(not installed)'}")
    cards = sorted(map(str, CARDS.glob("*"))) if CARDS.is_dir() else []
    print(f"cards: {', '.join(cards) or 'none'}")
    can = [_say(what, ask) for what, ask in CAN.items()]
    return 0 if any(can) else 1


def _say(what: str, ask: Callable[[], str]) -> bool:
    """Print whether a task can be done here, and by which means or why not."""
    try:
        print(f"{what}: yes{ask()}")
    except TtcError as error:
        print(f"{what}: no; {error}")
        return False
    return True


def _compile() -> str:
    require("compiling")
    return ""


def _emulate() -> str:
    require("the emulator", ("torch",))
    return ""


def _run_on_card() -> str:
    reason = no_card()
    if reason:
        raise TtcError(reason)
    return ""


def _check() -> str:
    return f", with {ttnn_interpreter()}"


CAN = {
    "compile models": _compile,
    "run on a card": _run_on_card,
    "run emulated": _emulate,
    "check against the real ttnn": _check,
}
"""Tasks of ttc, each with a function that returns the means or raises the reason why there is none."""
