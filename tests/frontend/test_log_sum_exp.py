"""Infinities and NaN in the logarithm of a sum of exponentials, in both front ends."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import ttc

INF, NAN = float("inf"), float("nan")
ROWS = [[1.0, 2.0, 3.0], [INF, 2.0, 3.0], [-INF, 2.0, 3.0], [-INF] * 3, [INF, -INF, 0.0], [NAN, INF, 0.0], [1e4] * 3]


class LogSumExp(torch.nn.Module):
    def __init__(self, dims, keep):
        super().__init__()
        self.dims, self.keep = dims, keep

    def forward(self, x):
        return torch.logsumexp(x, self.dims, self.keep)


def in_onnx(dims: list[int], keep: bool) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [len(ROWS), 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    axes = helper.make_tensor("axes", TensorProto.INT64, [len(dims)], dims)
    node = helper.make_node("ReduceLogSumExp", ["x", "axes"], ["y"], keepdims=int(keep))
    graph = helper.make_graph([node], "sums", [x], [y], [axes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize(("dims", "keep"), [([1], False), ([1], True), ([0, 1], False)])
def test_infinities_give_infinities(dims: list[int], keep: bool, dtype: str):
    x = torch.tensor(ROWS)
    module = LogSumExp(dims, keep)
    wanted = module(x).numpy()
    for model, args in ((module, (x,)), (in_onnx(dims, keep), None)):
        (found,) = ttc.compile(model, args, dtype=dtype).run([x.numpy()]).values()
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-2 if dtype == "bf16" else 1e-6)
