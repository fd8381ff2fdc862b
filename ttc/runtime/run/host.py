"""Ops that a program leaves to the host: downloaded, done by torch, uploaded again."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ttc.calls.call import spec_of
from ttc.calls.host import HostOp
from ttc.errors import InputError, TtcError, first_line
from ttc.ir import Graph, parse_graph, verify
from ttc.ir.verify import MISFITS
from ttc.runtime.run.convert import from_device, to_device, user_dtype
from ttc.runtime.run.device import Device, Tensor


def run_on_host(call: HostOp, operands: Sequence[Tensor], device: Device) -> tuple[Tensor, ...]:
    """Run a host op and upload its results; InputError where there is no torch or the op is none of ttc's."""
    try:
        vocabulary, types = import_module("ttc.ops"), import_module("ttc.ops.torch_types")
        torch: Any = import_module("torch")
    except ImportError:
        raise InputError(
            f"the program has the host do {call.name}, which needs torch: pip install 'tt-compile[compile]'"
        ) from None
    graph = _graph(call)
    inputs = {}
    for number, (value, tensor) in enumerate(zip(call.operand, operands, strict=True)):
        array = from_device(device.download(tensor, spec_of(value)), call.takes[number])
        if call.takes[number].dtype not in types.TORCH:
            raise InputError(f"the host cannot do {call.name} on {call.takes[number]}")
        inputs[str(number)] = torch.from_numpy(array).to(types.to_torch(call.takes[number].dtype))
    try:
        found = vocabulary.evaluate(graph, inputs)
    except (*MISFITS, RuntimeError) as error:  # numbers that the op does not take, such as an index beyond its table
        raise InputError(f"the host cannot do {call.name}: {first_line(error)}") from error
    results = []
    for type, (name, result), spec in zip(call.gives, found.items(), call.results, strict=True):
        array = (result.float() if not _in_numpy(result) else result).contiguous().numpy()
        array = np.asarray(array, user_dtype(type))
        results.append(device.upload(to_device(f"{call.name}.{name}", array, spec), spec))
    return tuple(results)


def _in_numpy(tensor: Any) -> bool:
    return str(tensor.dtype) != "torch.bfloat16"


def _graph(call: HostOp) -> Graph:
    """Parse the op's text as a graph of its own."""
    lines = [f'%{number}: {type} = input(name="{number}")' for number, type in enumerate(call.takes)]
    made = [f"%y{number}" for number in range(len(call.gives))]
    results = ", ".join(f"{name}: {type}" for name, type in zip(made, call.gives, strict=True))
    outputs = ", ".join(f'"{number}"={name}' for number, name in enumerate(made))
    text = "\n".join(["graph {", *lines, f"{results} = {call.op}", f"return {outputs}", "}"])
    try:
        return verify(parse_graph(text))
    except TtcError as error:
        raise InputError(f"the program has the host do {call.op!r}, which is no op of ttc's: {error}") from None
