"""ONNX operators that make tensors from numbers."""

from __future__ import annotations

import torch
from onnx import TensorProto

from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import Ints, onnx_op
from ttc.frontend.onnx.tensors import Store, dtype_of, tensor_data, weight
from ttc.guard.budget import check_table
from ttc.ir import DType
from ttc.ops.expr import Expr
from ttc.ops.torch_types import to_torch


@onnx_op()
def ConstantOfShape(b: Emitter, shape: Ints, *, value: TensorProto | None = None) -> Expr:
    if value is None:
        return b.full(0.0, DType.f32, shape)
    tensor = tensor_data(weight(value, Store(None)))
    return b.full(tensor.flatten()[0].item(), dtype_of(value.data_type), shape)


@onnx_op()
def EyeLike(b: Emitter, x: Expr, *, dtype=None, k=0) -> Expr:
    rows, columns = x.shape
    check_table(rows, columns)
    kind = x.dtype if dtype is None else dtype_of(dtype)
    offsets = torch.arange(columns)[None, :] - torch.arange(rows)[:, None]
    return b.constant((offsets == k).to(to_torch(kind)))
