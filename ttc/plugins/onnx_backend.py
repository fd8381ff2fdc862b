"""ttc as a backend of ONNX's own interface, `onnx.backend.base`: compiles with dtype fp32 and emulates the card.

import ttc.plugins.onnx_backend as backend
outputs = backend.run_model(model, [x, y])
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

import ttc
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError
from ttc.runtime.run.program import Program


class TtcModel(BackendRep):
    """A compiled model: `run` takes the inputs in order and gives the outputs in order, in the model's dtypes."""

    def __init__(self, model: ModelProto, compiled: Compiled):
        weights = {tensor.name for tensor in model.graph.initializer}
        self._inputs = [value.name for value in model.graph.input if value.name not in weights]
        self._outputs = {value.name: value.type.tensor_type.elem_type for value in model.graph.output}
        self._compiled = compiled

    @property
    def program(self) -> Program:
        """Return the program of the first run."""
        return self._compiled.build.program

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return the outputs, by position or name. InputError or Refused as `ttc.Compiled.run` raises them."""
        items = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if len(items) > len(self._inputs):
            raise InputError(f"the model takes {len(self._inputs)} inputs, got {len(items)}")
        found = self._compiled.run({n: _given(item) for n, item in zip(self._inputs, items, strict=False)}, "emulator")
        arrays = [_declared(found[name], kind) for name, kind in self._outputs.items()]
        return namedtupledict("Outputs", list(self._outputs))(*arrays)


class TtcBackend(Backend):
    """The interface itself; `target` and `dtype` are keywords of `prepare`, n150 and fp32 by default."""

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> TtcModel:
        """Compile before the first run as far as possible; Refused with all reasons if a model cannot be compiled."""
        return TtcModel(
            model, ttc.compile(model, target=kwargs.get("target", "n150"), dtype=kwargs.get("dtype", "fp32"))
        )

    @classmethod
    def run_node(
        cls, node: NodeProto, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any
    ) -> tuple[Any, ...]:
        """Run a model of this one node, at `opset_version` or the newest."""
        given = dict(zip(filter(None, node.input), map(np.asarray, inputs), strict=True))
        entries = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(item.dtype), item.shape)
            for name, item in given.items()
        ]
        results = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], node.op_type, entries, results)
        opset = helper.make_opsetid(node.domain, kwargs.pop("opset_version", onnx.defs.onnx_opset_version()))
        model = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[opset]))
        return cls.run_model(model, list(given.values()), device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Return whether the device is the CPU, the only one: the card's arithmetic is emulated there."""
        return device.split(":")[0] == "CPU"


def _given(item: Any) -> Any:
    """Return an input as ttc takes one: an array."""
    return numpy_helper.to_array(item) if isinstance(item, TensorProto) else item


def _declared(array: np.ndarray, kind: int) -> np.ndarray:
    """Return an output in its ONNX dtype."""
    return array.astype(helper.tensor_dtype_to_np_dtype(kind), copy=False)


prepare = TtcBackend.prepare
run_model = TtcBackend.run_model
run_node = TtcBackend.run_node
supports_device = TtcBackend.supports_device
