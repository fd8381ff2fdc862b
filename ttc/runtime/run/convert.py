"""Numbers at the edges of a program: what the user gives and gets, and what a device takes and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ttc.errors import InputError, first_line
from ttc.ir import DType, Spec, TensorType
from ttc.ir.random import NORMAL, UNIFORM, random_kind
from ttc.ir.state import is_given, state_name
from ttc.ir.weights import NUMPY, bf16_to_float32, float32_to_bf16, in_numpy, kept_finite
from ttc.runtime.run.kept import Kept
from ttc.runtime.run.program import Program, Signature

ON_DEVICE = {
    DType.i32: np.dtype("int32"),
    DType.u32: np.dtype("uint32"),
    DType.u16: np.dtype("uint16"),
    DType.u8: np.dtype("uint8"),
}
"""The numpy dtypes in which integer tensors are uploaded; all other tensors are float32."""


Given = np.ndarray | Kept
"""An input of a run, of its declared type: in an array, or on the device."""


def user_dtype(type: TensorType) -> np.dtype:
    """Return the numpy dtype of a declared type for the user; where numpy has none, one that holds its numbers."""
    return np.dtype("float32") if type.dtype is DType.bf16 else NUMPY[type.dtype]


def generator(seed: Any) -> np.random.Generator:
    """Return the generator of random inputs; InputError for a seed that is no whole number of 0 or more."""
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"a seed is a whole number of 0 or more, got {seed!r}")
    return np.random.default_rng(int(seed))


def bind_inputs(program: Program, inputs: Any) -> dict[str, Given]:
    """Return the inputs of a run by name: from a mapping by name, a sequence in order, or the only input itself.

    A sequence does not count random inputs, nor states, which are the session's own. InputError, naming the culprit,
    for what is missing, unknown, or of another shape or dtype than declared.
    """
    asked = [name for name, _ in program.inputs if is_given(name)]
    given = by_name(asked, inputs)
    declared = {name: type for name, type in program.inputs if state_name(name) is None}
    names = ", ".join(declared) or "no inputs"
    for name in given:
        if name not in declared:
            raise InputError(f"there is no input {name!r}; the program takes {names}")
    for name in declared:
        if name not in given:
            raise InputError(f"input {name!r} is missing; the program takes {names}")
    return {name: _checked(name, given[name], type) for name, type in declared.items()}


def drawn(declared: Signature, given: Mapping[str, Any], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw random numbers for the random inputs that are not given, in the order of the signature."""
    missing = [(name, type, kind) for name, type in declared if name not in given and (kind := random_kind(name))]
    draw = {NORMAL: generator.standard_normal, UNIFORM: generator.random}
    return {name: draw[kind](type.shape, np.dtype("float32")).astype(user_dtype(type)) for name, type, kind in missing}


def by_name(names: Sequence[str], inputs: Any) -> Mapping[str, Any]:
    """Return a run's inputs by name: given so, or one for each of `names` in order, or the only one itself."""
    if isinstance(inputs, Mapping):
        return inputs
    given: Sequence[Any] = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    if len(given) != len(names):
        raise InputError(f"the program takes {len(names)} inputs ({', '.join(names)}), got {len(given)}")
    return dict(zip(names, given, strict=True))


def numbers_of(name: str, item: Any) -> np.ndarray:
    """Return an array, tensor or number as an array in this machine's byte order, bfloat16 tensors as float32.

    InputError for tensors without numbers of their own (meta, sparse) and for what is no array.
    """
    if isinstance(item, np.ma.MaskedArray):
        raise InputError(f"input {name!r} is a masked array: give x.filled(...), and its mask as an input of its own")
    try:
        array = np.asarray(_of_tensor(item) if hasattr(item, "detach") else item)
    except (TypeError, ValueError, RuntimeError, MemoryError) as error:
        raise InputError(f"input {name!r} is no array: {first_line(error)}") from None
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _of_tensor(tensor: Any) -> np.ndarray:
    """Return the numbers of a torch tensor on any device, without its gradient; ValueError if the tensor holds none."""
    if tensor.is_meta or type(tensor).__name__ == "FakeTensor":
        raise ValueError("it is a meta or fake tensor, which has no numbers")
    if str(tensor.layout) != "torch.strided":
        raise ValueError(f"it is a tensor of layout {tensor.layout}: give tensor.to_dense()")
    if tensor.is_nested or tensor.is_quantized:
        raise ValueError("it is a nested or quantized tensor: give a plain one (tensor.dequantize())")
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    small = str(tensor.dtype) == "torch.bfloat16" or "float8" in str(tensor.dtype)
    return (tensor.float() if small else tensor).numpy()


def _checked(name: str, item: Any, type: TensorType) -> Given:
    """Return one input as an array of its declared dtype; plain Python numbers take that dtype, arrays must have it.

    What another run kept on the device stays there.
    """
    if isinstance(item, Kept):
        return item.require(name, type)
    wanted = user_dtype(type)
    array = in_numpy(numbers_of(name, item), type.dtype)
    plain = not hasattr(item, "dtype") and array.dtype.kind in "bif" and wanted.kind in _HOLDS[array.dtype.kind]
    if array.dtype != wanted and not plain:
        raise InputError(f"input {name!r} is {array.dtype}, the program takes {wanted}")
    if array.shape != type.shape:
        raise InputError(f"input {name!r} has shape {list(array.shape)}, the program takes {list(type.shape)}")
    return _rounded(array.astype(wanted, copy=False), type)


def _rounded(array: np.ndarray, type: TensorType) -> np.ndarray:
    """Round the numbers of a declared bfloat16 tensor to bfloat16, held as float32."""
    return np.asarray(bf16_to_float32(float32_to_bf16(array))) if type.dtype is DType.bf16 else array


_HOLDS = {"b": "biuf", "i": "iuf", "f": "f"}
"""For plain Python numbers: which kinds of dtype can stand for which."""


def to_device(name: str, array: np.ndarray, spec: Spec) -> np.ndarray:
    """Return a declared array as float32, int32 or uint32 for upload; InputError where a number does not fit.

    Numbers between the largest of bf16 and that of float32 become the former for a bf16 tensor, not infinite.
    """
    wanted = ON_DEVICE.get(spec.dtype, np.dtype("float32"))
    if array.dtype == wanted:
        return kept_finite(array, spec.dtype) if wanted.kind == "f" else array
    if wanted.kind == "f":
        with np.errstate(over="ignore"):
            narrow = array.astype(wanted)
        lost = np.isinf(narrow) & ~np.isinf(array) if array.dtype.kind == "f" else np.zeros((), bool)
    else:
        limits = np.iinfo(wanted)
        narrow, lost = array.astype(wanted), (array < limits.min) | (array > limits.max)
    if lost.any():
        culprit = array[lost].flat[0] if array.ndim else array
        raise InputError(f"input {name!r} holds {culprit}, which {wanted} on the device cannot hold")
    return kept_finite(narrow, spec.dtype) if wanted.kind == "f" else narrow


def from_device(array: np.ndarray, type: TensorType) -> np.ndarray:
    """Return a downloaded array in the dtype that the model declares; every number but zero is a true boolean."""
    if type.dtype is DType.bool:
        return np.asarray(array != 0)
    with np.errstate(over="ignore", invalid="ignore"):
        return _rounded(array.astype(user_dtype(type), copy=False), type)
