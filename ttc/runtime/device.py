"""What a device is to a session: a place that keeps tensors and runs calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from ttc.calls.call import Call
from ttc.ir import Spec

Tensor = Any
"""A device's own tensor; sessions pass it around and never look inside."""


class Device(Protocol):
    """Keeps tensors and runs calls."""

    def upload(self, array: np.ndarray, spec: Spec) -> Tensor:
        """A tensor of `spec` from float32, int32 or uint32 numbers (bf16 weights as uint16 bit patterns)."""
        ...

    def run(self, call: Call, operands: Mapping[str, Any]) -> tuple[Tensor, ...]:
        """Run one call; `operands` by field name: a tensor, a list of tensors, or None."""
        ...

    def download(self, tensor: Tensor, spec: Spec) -> np.ndarray:
        """The numbers of a tensor as float32, int32 or uint32."""
        ...
