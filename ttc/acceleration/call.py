"""Checks of one call of a module that is to run on the device: each thing that rules a program out is a sentence."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ttc.acceleration.choice import place
from ttc.acceleration.trees import is_object, tensors
from ttc.errors import InputError, Refused

VALUES = (Tensor, bool, int, float, complex, str, type(None), torch.dtype, torch.device, torch.layout)
"""Leaves of arguments that a program takes, as tensors or as constants."""


def require_inference(name: str, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Require that a call asks for results alone; InputError in training mode, or where a gradient is wanted."""
    if any(inner.training for inner in module.modules()):
        raise InputError(f"{place(name, module)} is in training mode, and programs only infer: call model.eval()")
    if torch.is_grad_enabled() and any(
        tensor.requires_grad for tensor in (*tensors(args, kwargs), *module.parameters())
    ):
        raise InputError(
            f"{place(name, module)} is called for a gradient, and programs only infer: use torch.no_grad()"
        )


def require_elements(name: str, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Require that no tensor of a call is empty; InputError otherwise."""
    for tensor in tensors(args, kwargs):
        if not tensor.numel():
            raise InputError(
                f"{place(name, module)} is given an empty tensor {list(tensor.shape)}: there is nothing to run"
            )


def require_values(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Require arguments that are tensors and constants, in lists, dicts and the like; Refused otherwise.

    Other objects, caches of transformers among them, are the caller's, and a forward that is given one writes into it.
    """
    for tree, name in (
        *zip(args, _parameters(module, len(args)), strict=True),
        *((kwargs[name], name) for name in kwargs),
    ):
        for path, leaf in pytree.tree_flatten_with_path(tree, is_leaf=is_object)[0]:
            if not isinstance(leaf, VALUES):
                where, kind = f"{name}{pytree.keystr(path)}", type(leaf).__name__
                reason = f"its argument {where} is of the class {kind}, and programs take tensors and constants alone"
                raise Refused([(type(module).__name__, reason)])


def _parameters(module: nn.Module, count: int) -> list[str]:
    """Return the names of the parameters that so many positional arguments are for."""
    parameters = list(inspect.signature(type(module).forward).parameters.values())[1:]
    names = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    return [names[min(number, len(names) - 1)] for number in range(count)]


def require_no_hooks_inside(module: nn.Module) -> None:
    """Require that nothing is hooked to modules inside; Refused otherwise."""
    for name, inner in module.named_modules():
        if inner is not module and (inner._forward_hooks or inner._forward_pre_hooks):
            reason = f"a hook is on {name!r} in it, and one program for the whole would not call the hook"
            raise Refused([(type(module).__name__, reason)])
