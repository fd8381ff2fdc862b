"""Devices by name: a real card where there is one, else the emulator."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from ttc.calls.target import target_named
from ttc.errors import InputError, TtcError, require
from ttc.runtime.check.interpreter import get_ttnn
from ttc.runtime.mock import MOCK_CARD
from ttc.runtime.run.device import Device

CARDS = Path("/dev/tenstorrent")
"""The directory in which the driver lists its cards."""

DEVICES = ("emulator", "ttnn", "null")
MODES = ("exact", "tensix")


def open_device(
    name: str | None = None, mode: str = "exact", target: str | None = None, trace_region: int = 0
) -> Device:
    """Open the device called `emulator`, `ttnn` (a real card) or `null`; by default a card where there is one.

    `mode` is the emulator's; `target` is what a program was compiled for; a card sets `trace_region` bytes aside for
    traces, unless another session has it open: sessions share a card, and each leaves it. InputError for an unknown
    name or mode, or a card of the wrong kind; TtcError if the device, or a package that it needs, is not there.
    """
    require_names(name, mode)
    name = name or ("ttnn" if has_card() else "emulator")
    match name:
        case "emulator":
            return _emulator(mode)
        case "ttnn":
            return _card(target, trace_region)
        case "null":
            from ttc.runtime.run.device_null import NullDevice

            return NullDevice()
    raise AssertionError(f"no device is called {name}")


def require_names(device: str | None, mode: str) -> None:
    """Require names of a device (None: the default) and of a mode; InputError for any other."""
    if device is not None and not (isinstance(device, str) and device in DEVICES):
        raise InputError(f"no device is called {device!r}; there are {', '.join(DEVICES)}")
    if not isinstance(mode, str) or mode not in MODES:
        raise InputError(f"no mode is called {mode!r}; there are {', '.join(MODES)}")


def emulates(name: str | None) -> bool:
    """Return whether `open_device` gives the emulator for this name."""
    return name == "emulator" or (name is None and not has_card())


def on_card(name: str | None) -> bool:
    """Return whether `open_device` gives a card for this name."""
    return name == "ttnn" or (name is None and has_card())


def has_card() -> bool:
    """Return whether programs can run on a real card here; a mock card computes nothing and does not count."""
    return no_card() is None


def no_card() -> str | None:
    """Explain why no program can run on a real card here, and what to do; return None where one can."""
    if os.environ.get(MOCK_CARD):
        return f"{MOCK_CARD} is set, and a mock card computes nothing: unset it to run on a real one"
    if not _card_files():
        return f"there is no Tenstorrent card in this machine ({CARDS} is empty)"
    if importlib.util.find_spec("ttnn") is None:
        return f"running on a card needs ttnn, which this Python does not have: {get_ttnn()}"
    return None


def _card_files() -> bool:
    return CARDS.is_dir() and any(CARDS.iterdir())


def _emulator(mode: str) -> Device:
    require("the emulator", ("torch",))
    from ttc.runtime.emulator.device import EmulatorDevice

    return EmulatorDevice(mode)


def _card(target: str | None, trace_region: int) -> Device:
    reason = no_card()
    if reason:
        raise TtcError(reason)
    from ttc.runtime.run.device_ttnn import join_card

    return join_card(None if target is None else target_named(target), trace_region)
