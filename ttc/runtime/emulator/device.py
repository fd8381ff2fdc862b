"""The emulator as a device: the program's very calls, on this machine's CPU, in the card's number formats.

Tensors are torch tensors in their logical shape, held as `numerics.STORED` says: the padding of tiles reaches no
result on the card either, so the emulator has no padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ttc.calls.call import Call
from ttc.calls.layout import Deallocate
from ttc.errors import InputError, first_line
from ttc.guard.torch_settings import own_settings
from ttc.ir import DType, Spec
from ttc.ir.operands import operand_places, tensors_by_field
from ttc.runtime.emulator.numerics import Mode, load, store
from ttc.runtime.emulator.registry import EMULATIONS, STORED_OPERANDS
from ttc.runtime.run.device import Bound, predicted


class EmulatorDevice:
    """A device that runs calls by their emulations in one numeric mode."""

    def __init__(self, mode: Mode | str = Mode.exact):
        self.mode = Mode(mode)

    def scope(self) -> AbstractContextManager[object]:
        """Return the scope of ttc's own settings of torch."""
        return own_settings()

    def upload(self, array: np.ndarray, spec: Spec) -> Tensor:
        """Round numbers to the format of `spec`; bf16 bit patterns are taken without a copy."""
        if spec.dtype.is_float and array.dtype == np.uint16:
            x = torch.from_numpy(_writable(array).view(np.int16)).view(torch.bfloat16)
        elif array.dtype.kind == "u":
            x = torch.from_numpy(array.astype(np.int64))
        else:
            x = torch.from_numpy(_writable(array))
        return store(x.reshape(spec.shape), spec)

    def bind(self, call: Call) -> Bound:
        """Return a function that emulates the call; places of operands and specs of results are found once."""
        if isinstance(call, Deallocate):
            return lambda tensors: ()
        places, specs = operand_places(call), predicted(call)
        return lambda tensors: self.run(call, tensors_by_field(places, tensors), specs)

    def run(self, call: Call, operands: Mapping[str, Any], specs: tuple[Spec, ...]) -> tuple[Tensor, ...]:
        """Emulate one call, operands by field name, and round its results to the formats of `specs`.

        AssertionError if a result has not the predicted shape.
        """
        emulation = EMULATIONS[type(call)]
        stored = type(call) in STORED_OPERANDS
        given = operands if stored else {name: _loaded(item) for name, item in operands.items()}
        try:
            results = emulation(call, self.mode, **given)
        except (IndexError, RuntimeError) as error:  # a user's index is beyond its table, or memory ran out
            raise InputError(f"the emulator cannot run {call.mnemonic}: {first_line(error)}") from error
        results = results if isinstance(results, tuple) else (results,)
        return tuple(_finished(call, x, spec, stored) for x, spec in zip(results, specs, strict=True))

    def download(self, tensor: Tensor, spec: Spec) -> np.ndarray:
        """Return the tensor's numbers in an array of its own."""
        if spec.dtype.is_float:
            return tensor.to(torch.float32, copy=True).numpy()
        array = tensor.to(torch.int64 if spec.dtype is DType.u32 else torch.int32, copy=True).numpy()
        return array.astype(np.uint32) if spec.dtype is DType.u32 else array


def _finished(call: Call, x: Tensor, spec: Spec, stored: bool) -> Tensor:
    if tuple(x.shape) != spec.shape:
        raise AssertionError(f"the emulation of {call.mnemonic} gave {list(x.shape)}, the call says {spec}")
    return x if stored else store(x, spec)


def _loaded(item: Any) -> Any:
    if isinstance(item, list):
        return [load(x) for x in item]
    return None if item is None else load(item)


def _writable(array: np.ndarray) -> np.ndarray:
    """Return an array that torch accepts, which wants arrays that could be written to."""
    return array if array.flags.writeable and array.flags.c_contiguous else np.array(array, order="C")
