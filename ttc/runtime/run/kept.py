"""`Kept`: an output that stays on the device, for a run of another program to take as an input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ttc.errors import InputError
from ttc.ir import Spec, TensorType
from ttc.runtime.run.device import Device, Tensor


def always() -> bool:
    """Return true: nothing writes over what call by call runs leave."""
    return True


class Staying(NamedTuple):
    """The tensor of an output on the device, its spec there, and whether no later run has written over it."""

    tensor: Tensor
    spec: Spec
    current: Callable[[], bool] = always


@dataclass(frozen=True, eq=False)
class Kept:
    """Output `name` of a run, which the model declares as `type`, on its device; `read` reads the valid part.

    `sizes` are the valid sizes of each dimension, one for all samples or one for each. A traced program writes its
    outputs to the same tensors in each run: what is kept of one run cannot be taken after the next.
    """

    name: str
    type: TensorType
    sizes: tuple[np.ndarray, ...]
    staying: Staying
    device: Device
    read: Callable[[Staying], np.ndarray]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the valid part, as long as the longest sample's."""
        return tuple(int(sizes.max()) for sizes in self.sizes)

    def array(self) -> np.ndarray:
        """Read the valid part from the device, in the dtype that the model declares (bfloat16 as float32)."""
        return self.read(self._current())

    def require(self, name: str, type: TensorType) -> Kept:
        """Return the output itself if an input `name` of this type can take it; InputError otherwise.

        Programs rely on zeros in the padding of whole numbers, which look rows up; what a run leaves there is anything.
        """
        if self.type.dtype is not type.dtype:
            raise InputError(f"input {name!r} is kept as {self.type.dtype}, the program takes {type.dtype}")
        if self.type.shape != type.shape:
            kept, wanted = list(self.type.shape), list(type.shape)
            raise InputError(f"input {name!r} is kept with shape {kept}, padding included; the program takes {wanted}")
        padded = any(int(own.min()) < size for own, size in zip(self.sizes, type.shape, strict=True))
        if padded and not type.dtype.is_float:
            raise InputError(f"input {name!r} is kept as whole numbers with padding: give its array(), or keep floats")
        return self

    def as_input(self, name: str, spec: Spec, device: Device) -> Tensor:
        """Return the tensor for an input of this spec; InputError if a program cannot take the tensor as it is."""
        if device is not self.device:
            raise InputError(f"input {name!r} was kept on another device: give its array()")
        if spec != self.staying.spec:
            raise InputError(f"input {name!r} is kept as {self.staying.spec}, the program takes {spec}: link the two")
        return self._current().tensor

    def _current(self) -> Staying:
        if not self.staying.current():
            raise InputError(f"output {self.name!r} is kept no more: its session ran again, or is closed")
        return self.staying
