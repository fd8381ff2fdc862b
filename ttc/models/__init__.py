"""The models that ttc carries whole: one small file each, found by name without importing the others."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ttc.errors import InputError

if TYPE_CHECKING:
    from ttc.models.model import Model

NAMES = ("bert", "clip_text", "minilm", "vit")


def named(name: str) -> Model:
    """The model called `name`; InputError with the known names otherwise."""
    if name not in NAMES:
        raise InputError(f"no model is called {name!r}; known are {', '.join(NAMES)}")
    return import_module(f"ttc.models.{name}").MODEL
