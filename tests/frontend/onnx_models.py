"""Small ONNX models, and how they are run by onnxruntime and by our reference."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import NodeProto, helper, numpy_helper

from ttc import ops
from ttc.frontend.onnx import load
from ttc.ir import verify

Arrays = Mapping[str, np.ndarray | np.generic]


def model_of(
    nodes: Sequence[NodeProto],
    inputs: Arrays,
    outputs: Sequence[str] = ("y",),
    *,
    weights: Arrays | None = None,
    opset: int = 21,
    domains: Mapping[str, int] | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
    dims: Mapping[str, Sequence[int | str]] | None = None,
) -> onnx.ModelProto:
    """A model of these nodes; `dims` gives inputs symbolic shapes, `weights` are initialisers."""
    declared = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), (dims or {}).get(name, array.shape)
        )
        for name, array in inputs.items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "test",
        declared,
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in (domains or {}).items())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset < 21 else 10, functions=list(functions))


def run_ours(model: onnx.ModelProto, inputs: Arrays, **options) -> dict[str, np.ndarray]:
    """The model's outputs by our reference; the graph is verified on the way."""
    graph = verify(load(model, **options))
    feeds = {value.op.name: torch.from_numpy(np.array(inputs[value.op.name])) for value in graph.inputs}
    return {name: tensor.numpy() for name, tensor in ops.evaluate(graph, feeds).items()}


def run_theirs(model: onnx.ModelProto, inputs: Arrays) -> dict[str, np.ndarray]:
    """The model's outputs by onnxruntime, without its optimiser."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    feeds = {item.name: inputs[item.name] for item in session.get_inputs()}
    return dict(zip(names, session.run(names, feeds), strict=True))


def assert_agree(model: onnx.ModelProto, inputs: Arrays, tolerance: float = 1e-5, **options) -> None:
    """Same names, shapes, dtypes, and values within `tolerance` of the largest."""
    ours, theirs = run_ours(model, inputs, **options), run_theirs(model, inputs)
    assert list(ours) == list(theirs)
    for name, expected in theirs.items():
        assert ours[name].dtype == expected.dtype, f"{name}: {ours[name].dtype} instead of {expected.dtype}"
        assert ours[name].shape == expected.shape, f"{name}: {ours[name].shape} instead of {expected.shape}"
        if not expected.size:
            continue
        np.testing.assert_array_equal(np.isnan(ours[name]), np.isnan(expected))
        scale = np.abs(expected[np.isfinite(expected)].astype(np.float64)).max(initial=1e-30)
        np.testing.assert_allclose(
            ours[name].astype(np.float64), expected.astype(np.float64), rtol=0, atol=tolerance * scale
        )


def check(
    kind: str, inputs: Arrays, opset: int = 21, weights: Arrays | None = None, outputs=("y",), order=None, **attrs
):
    """One node whose inputs are `inputs` and then `weights` (or as `order` says; "" leaves one out)."""
    names = order or [*inputs, *(weights or {})]
    domain = attrs.pop("domain", "")
    node = helper.make_node(kind, names, list(outputs), domain=domain, **attrs)
    domains = {domain: 1} if domain else {}
    named = [name for name in outputs if name]
    assert_agree(model_of([node], inputs, named, weights=weights, opset=opset, domains=domains), inputs)
