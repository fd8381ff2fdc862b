"""The protocol of devices: a session uploads tensors to one, runs calls on it and downloads results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from ttc.calls.call import Call
from ttc.ir import Spec

Tensor = Any
"""A device's own tensor; sessions pass it around and never look inside."""

Bound = Callable[[Sequence[Tensor]], tuple[Tensor, ...]]
"""A call that is ready to run: from the tensors of its operands, in the order of `call.operands()`, to its results."""


class Device(Protocol):
    """Keeps tensors and runs calls. A tensor is freed when nothing refers to it any more."""

    def scope(self) -> AbstractContextManager[object]:
        """Return the scope that all of a session's work on the device is done in."""
        ...

    def upload(self, array: np.ndarray, spec: Spec) -> Tensor:
        """Upload float32, int32 or uint32 numbers (bf16 weights as uint16 bit patterns) as a tensor of `spec`."""
        ...

    def bind(self, call: Call) -> Bound:
        """Make one call ready to run again and again."""
        ...

    def download(self, tensor: Tensor, spec: Spec) -> np.ndarray:
        """Return the numbers of a tensor as float32, int32 or uint32, in an array of its own."""
        ...


def predicted(call: Call) -> tuple[Spec, ...]:
    """Return the specs of a call's results, as the call states them."""
    return tuple(spec for spec in call.result_types() if isinstance(spec, Spec))
