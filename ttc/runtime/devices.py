"""Which device a program runs on: a card if there is one, else the emulator."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ttc.errors import InputError
from ttc.runtime.device import Device

DEVICES = ("emulator", "ttnn")
MODES = ("exact", "tensix")
CARDS = Path("/dev/tenstorrent")
"""Where the kernel driver shows cards; mock descriptors do not appear here."""


def has_card() -> bool:
    """Whether this machine has a card and the library to use it."""
    return CARDS.is_dir() and any(CARDS.iterdir()) and find_spec("ttnn") is not None


def open_device(name: str | None, mode: str = "exact") -> Device:
    """The device called `name`, by default a card if there is one; InputError for others and for a mock card."""
    name = name or ("ttnn" if has_card() else "emulator")
    if mode not in MODES:
        raise InputError(f"no mode is called {mode!r}; choose from {', '.join(MODES)}")
    if name == "emulator":
        from ttc.runtime.emulator.device import EmulatorDevice

        return EmulatorDevice(mode)
    if name != "ttnn":
        raise InputError(f"no device is called {name!r}; choose from {', '.join(DEVICES)}")
    if find_spec("ttnn") is None:
        raise InputError("the device 'ttnn' needs the package ttnn, which this interpreter does not have")
    from ttc.runtime.device_ttnn import TtnnDevice, is_mock

    if is_mock():
        raise InputError("the device 'ttnn' would be a mock card here, which computes nothing; use the emulator or `ttc check`")
    return TtnnDevice()
