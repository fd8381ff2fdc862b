"""Comparison of a compiled model with its own framework: of outputs, and op by op where asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from ttc import ops
from ttc.calls.call import Call, spec_of
from ttc.errors import InputError
from ttc.frontend.archive import open_file
from ttc.frontend.export import read_program
from ttc.frontend.export.failure import first_line
from ttc.ir import Value
from ttc.ir.state import state_name
from ttc.ops.torch_types import TORCH
from ttc.pipeline import Build
from ttc.runtime.run.convert import from_device, user_dtype
from ttc.runtime.run.devices import open_device
from ttc.runtime.run.program import Program
from ttc.runtime.run.session import Session
from ttc.validation.accuracy import pcc, scaled_error

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """Closeness of one value to its reference."""

    name: str
    pcc: float
    scaled_error: float

    @classmethod
    def of(cls, name: str, found: np.ndarray, wanted: np.ndarray) -> Comparison:
        """Measure `found` against `wanted`."""
        return cls(name, pcc(found, wanted), scaled_error(found, wanted))


def compare_outputs(found: Arrays, wanted: Arrays) -> list[Comparison]:
    """Compare each output with the wanted one."""
    return [Comparison.of(name, found[name], wanted[name]) for name in found]


def compare_ops(build: Build, inputs: Arrays, mode: str, progress: Callable[[str, int], None]) -> Iterator[Comparison]:
    """Compare each op's value in the program with the same op evaluated by torch in the model's own precision.

    Both run from the inputs on, so differences add up along the program, as they do on a card. Ops that lowering
    merged into others have no value of their own and are passed over. `progress` gets each step, and the number of
    steps that there may be.
    """
    steps = len(build.program.graph.nodes) + len(build.ops.nodes)
    device = open_device("emulator", mode)
    session = Session([build.bucket], build.weights, device)
    by_name = {value.name: value for value in build.program.graph.values()}
    found: dict[str, np.ndarray] = {}
    wanted_names = set(build.names.values())

    def observe(index: int, call: Call, operands: dict[str, Any], results: tuple[Any, ...]) -> None:
        progress(call.mnemonic, steps)
        for value, tensor in zip(build.program.graph.nodes[index].results, results, strict=True):
            if value.name in wanted_names:
                found[value.name] = device.download(tensor, spec_of(value))

    session.run(inputs, observe)
    types = dict(build.program.inputs)
    tensors = {name: torch.from_numpy(array).to(TORCH[types[name].dtype]) for name, array in inputs.items()}
    for value, tensor in ops.steps(build.ops, tensors):
        progress(value.op.mnemonic, steps)
        name = build.names.get(value.name, "")
        if name in found and by_name[name].shape == value.shape:
            yield _compared(value, found[name], tensor)


def _compared(value: Value, found: np.ndarray, wanted: torch.Tensor) -> Comparison:
    plain = wanted.float() if wanted.dtype is torch.bfloat16 else wanted
    return Comparison.of(value.where, from_device(found, value.type), plain.numpy())


def framework(path: Path) -> str:
    """Return the name of a model's framework: torch for .pt2; onnxruntime for .onnx, or onnx's evaluator without it."""
    if path.suffix == ".pt2":
        return "torch"
    if find_spec("onnxruntime") is not None:
        return "onnxruntime"
    return "onnx.reference, which is slow (pip install onnxruntime for the faster one)"


def initial_states(program: Program) -> dict[str, np.ndarray]:
    """Return the numbers from which the states of an ONNX model start, by the names of its inputs."""
    types = ((state_name(name), type) for name, type in program.inputs)
    return {name: np.zeros(type.shape, user_dtype(type)) for name, type in types if name is not None}


def reference(path: Path, inputs: Arrays, trust: bool = False) -> dict[str, np.ndarray]:
    """Compute the outputs of the model's own `framework`; `trust` as for `ttc.compile`."""
    if path.suffix == ".pt2":
        return _torch(path, inputs, trust)
    return _onnxruntime(path, inputs) if find_spec("onnxruntime") is not None else _evaluated(path, inputs)


def _evaluated(path: Path, inputs: Arrays) -> dict[str, np.ndarray]:
    from onnx.reference import ReferenceEvaluator

    try:
        evaluator = ReferenceEvaluator(str(path))
        found = evaluator.run(None, dict(inputs))
    except Exception as error:  # the evaluator reports a missing feature by errors of many kinds
        raise InputError(f"onnx.reference cannot run {path}: {first_line(error)}") from error
    return {str(name): np.asarray(array) for name, array in zip(evaluator.output_names, found, strict=True)}


def _onnxruntime(path: Path, inputs: Arrays) -> dict[str, np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return {name: np.asarray(found) for name, found in zip(names, session.run(names, dict(inputs)), strict=True)}
    except Exception as error:  # onnxruntime's errors share no base of their own
        raise InputError(f"onnxruntime cannot run {path}: {first_line(error)}") from error


def _torch(path: Path, inputs: Arrays, trust: bool) -> dict[str, np.ndarray]:
    program = open_file(path, trust)
    signature = read_program(program).signature
    given = {slot: torch.from_numpy(inputs[slot].copy()) for slot in signature.inputs if isinstance(slot, str)}
    leaves = [given[slot] if isinstance(slot, str) else slot.value for slot in signature.inputs]
    args, kwargs = pytree.tree_unflatten(leaves, signature.in_spec)
    with torch.no_grad():
        results = pytree.tree_leaves(program.module()(*args, **kwargs))
    pairs = zip(signature.outputs, results, strict=True)
    changed = {output: given[name] for name, output in signature.changed}
    return {slot: _array(item) for slot, item in (*pairs, *changed.items()) if isinstance(slot, str)}


def _array(tensor: torch.Tensor) -> np.ndarray:
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).detach().numpy()


def first_departure(comparisons: list[Comparison], least: float) -> Comparison | None:
    """Return the first comparison whose correlation is below `least`."""
    return next((comparison for comparison in comparisons if comparison.pcc < least), None)
