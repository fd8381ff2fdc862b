"""Systems of models that ttc runs whole, found by name; none imports torch before compiling."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ttc.errors import InputError

if TYPE_CHECKING:
    from ttc.models.systems.system import System

SYSTEMS = {"bark": "Bark", "kokoro": "Speech", "openvoice": "VoiceConversion", "speecht5": "SpeechT5", "vits": "Vits"}
"""The class of each system, in the file of the system's name."""


def system_named(name: str) -> type[System]:
    """Return the class of the system called `name`; InputError with the known names."""
    if name not in SYSTEMS:
        raise InputError(f"no system is called {name!r}; there is {', '.join(SYSTEMS)}")
    return getattr(import_module(f"ttc.models.systems.{name}"), SYSTEMS[name])
