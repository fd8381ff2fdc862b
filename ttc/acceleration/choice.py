"""The submodules that an accelerated model computes on the device, chosen by class or by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ttc.errors import InputError


@dataclass(frozen=True)
class Choice:
    """The chosen modules by their names in the model, outer ones before inner ones.

    If they are `named`, each of them is to run on the device; else the largest do that can be compiled.
    """

    modules: Mapping[str, nn.Module]
    named: bool


def chosen(model: Any, replace: Any, exclude: Any) -> Choice:
    """Return the modules that `replace` names without those that `exclude` does; of all modules if it is None.

    What lies in an excluded module is excluded with it. InputError for a model that is no module, for a name or class
    that the model does not have, and if nothing is left.
    """
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule):
        kind = model.__name__ if isinstance(model, type) else type(model).__name__
        raise InputError(f"a model to accelerate is an nn.Module in Python, not {kind}")
    modules = dict(model.named_modules())
    out = _with_inner(select(model, exclude, "exclude"), modules)
    wanted = set(modules) if replace is None else select(model, replace, "replace")
    left = {name: module for name, module in modules.items() if name in wanted and name not in out}
    if replace is None:
        left = {name: module for name, module in left.items() if _computes(module) and not holds(name, out)}
    for name, module in left.items():
        if inner := holds(name, out):
            raise InputError(
                f"{place(name, module)} is to be replaced, and {inner!r} in it is excluded: name one of them"
            )
    if not left:
        raise InputError(f"no module of {type(model).__name__} is left to run on the device")
    return Choice(left, replace is not None)


def select(model: nn.Module, given: Any, what: str) -> set[str]:
    """Return the names of the modules that classes, names of classes, or names in the model stand for.

    A class stands for the modules of that very class. InputError for what stands for no module.
    """
    entries = [given] if isinstance(given, (str, type)) else given
    if not isinstance(entries, Iterable) or isinstance(entries, Mapping):
        raise InputError(f"{what} lists classes of modules, names of classes or names of modules, not {given!r}")
    found: set[str] = set()
    for entry in entries:
        own = {name for name, module in model.named_modules() if _is_meant(entry, name, module)}
        if not own:
            raise InputError(
                f"{what} has {_words(entry)}, and {type(model).__name__} has no such module; {_known(model)}"
            )
        found |= own
    return found


def _is_meant(entry: Any, name: str, module: nn.Module) -> bool:
    if isinstance(entry, str):
        return entry in (name, type(module).__name__)
    return type(module) is entry


def place(name: str, module: nn.Module) -> str:
    """Return the words for a module in the model: its class, and its name unless it is the model itself."""
    return f"{type(module).__name__} {name!r}" if name else type(module).__name__


def holds(name: str, others: Iterable[str]) -> str | None:
    """Return the first of `others` that lies in the module of this name."""
    return next((other for other in others if other != name and _inside(other, name)), None)


def _with_inner(names: set[str], modules: Mapping[str, nn.Module]) -> set[str]:
    """Return these modules and all in them."""
    return {name for name in modules if name in names or any(_inside(name, outer) for outer in names - {name})}


def _inside(name: str, outer: str) -> bool:
    return not outer or name.startswith(f"{outer}.")


def _computes(module: nn.Module) -> bool:
    """Return whether a module has a forward, which a container has not."""
    return type(module).forward is not nn.Module.forward


def _words(entry: Any) -> str:
    return entry.__name__ if isinstance(entry, type) else repr(entry)


def _known(model: nn.Module) -> str:
    kinds = sorted({type(module).__name__ for module in model.modules()})
    return f"its classes are {', '.join(kinds)}"
