"""Comparing a compiled model with its own framework: its outputs, and op by op where asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from ttc import ops
from ttc.accuracy import pcc, scaled_error
from ttc.calls.call import Call, spec_of
from ttc.errors import InputError
from ttc.frontend.export import Signature, open_file
from ttc.ir import Value
from ttc.ops.torch_types import TORCH
from ttc.pipeline import Build
from ttc.runtime.convert import from_device
from ttc.runtime.devices import open_device
from ttc.runtime.session import Session

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """How close one value is to its reference."""

    name: str
    pcc: float
    scaled_error: float

    @classmethod
    def of(cls, name: str, found: np.ndarray, wanted: np.ndarray) -> Comparison:
        """Both measures of `found` against `wanted`."""
        return cls(name, pcc(found, wanted), scaled_error(found, wanted))


def compare_outputs(found: Arrays, wanted: Arrays) -> list[Comparison]:
    """Compare each output with what is wanted."""
    return [Comparison.of(name, found[name], wanted[name]) for name in found]


def compare_ops(build: Build, inputs: Arrays, mode: str) -> Iterator[Comparison]:
    """Each op's value in the program against the same op evaluated by torch in the model's own precision.

    Both run from the inputs on, so differences add up along the program, as they do on a card. Ops that
    lowering merged into others have no value of their own and are passed over.
    """
    device = open_device("emulator", mode)
    session = Session(build.program, build.weights, device)
    by_name = {value.name: value for value in build.program.graph.values()}
    found: dict[str, np.ndarray] = {}
    wanted_names = set(build.names.values())

    def observe(index: int, call: Call, operands: dict[str, Any], results: tuple[Any, ...]) -> None:
        for value, tensor in zip(build.program.graph.nodes[index].results, results, strict=True):
            if value.name in wanted_names:
                found[value.name] = device.download(tensor, spec_of(value))

    session.run(inputs, observe)
    types = dict(build.program.inputs)
    tensors = {name: torch.from_numpy(array).to(TORCH[types[name].dtype]) for name, array in inputs.items()}
    for value, tensor in ops.steps(build.ops, tensors):
        name = build.names.get(value.name, "")
        if name in found and by_name[name].shape == value.shape:
            yield _compared(value, found[name], tensor)


def _compared(value: Value, found: np.ndarray, wanted: torch.Tensor) -> Comparison:
    name = f"{value.op.mnemonic} %{value.name}"
    plain = wanted.float() if wanted.dtype is torch.bfloat16 else wanted
    return Comparison.of(name, from_device(found, value.type), plain.numpy())


def reference(path: Path, inputs: Arrays) -> dict[str, np.ndarray]:
    """The outputs of the model's own framework: onnxruntime for .onnx, torch for .pt2."""
    return _onnxruntime(path, inputs) if path.suffix == ".onnx" else _torch(path, inputs)


def _onnxruntime(path: Path, inputs: Arrays) -> dict[str, np.ndarray]:
    try:
        import onnxruntime
    except ImportError:
        raise InputError("comparing an .onnx model needs the package onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return {name: np.asarray(found) for name, found in zip(names, session.run(names, dict(inputs)), strict=True)}
    except Exception as error:  # onnxruntime's errors share no base of their own
        raise InputError(f"onnxruntime cannot run {path}: {str(error).splitlines()[0]}") from error


def _torch(path: Path, inputs: Arrays) -> dict[str, np.ndarray]:
    program = open_file(path)
    signature = Signature.of(program)
    leaves = [torch.from_numpy(inputs[slot]) if isinstance(slot, str) else slot.value for slot in signature.inputs]
    args, kwargs = pytree.tree_unflatten(leaves, signature.in_spec)
    with torch.no_grad():
        results = pytree.tree_leaves(program.module()(*args, **kwargs))
    pairs = zip(signature.outputs, results, strict=True)
    return {slot: _array(result) for slot, result in pairs if isinstance(slot, str)}


def _array(tensor: torch.Tensor) -> np.ndarray:
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).detach().numpy()


def first_departure(comparisons: list[Comparison], least: float) -> Comparison | None:
    """The first comparison whose correlation is below `least`."""
    return next((comparison for comparison in comparisons if comparison.pcc < least), None)
