"""Modules that torch.export cannot trace, told before the attempt."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ttc.errors import InputError
from ttc.frontend.export import tensors_of

QUANTIZED = "torch.ao.nn.quantized"
"""The package of modules whose weights are packed for the CPU's own kernels."""


def require_traceable(model: nn.Module) -> None:
    """Require a module without TorchScript, packed weights and weights that have no shapes; InputError otherwise."""
    for name, module in model.named_modules():
        where = f"{type(model).__name__}.{name}" if name else type(model).__name__
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError(f"{where} is TorchScript, which cannot be exported: give the module it came from")
        if type(module).__module__.startswith(QUANTIZED):
            raise InputError(
                f"{where} is quantized for the CPU, {type(module).__name__} of {QUANTIZED}: give the model as it was "
                'before, and say dtype="bfp8" or "bfp4" for weights of fewer bytes'
            )
    if any(is_lazy(item) for item in tensors_of(model)):
        raise InputError(
            f"{type(model).__name__} is lazy, its weights have no shapes yet: run it once before compiling"
        )
