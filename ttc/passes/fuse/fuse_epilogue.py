"""The pass that makes an activation the epilogue of the product before."""

from __future__ import annotations

from dataclasses import replace

from ttc import ops
from ttc.ir import Builder, Graph, Value
from ttc.ops.activation import epilogue_of
from ttc.ops.unary import Unary
from ttc.passes.normal import rebuild


def fuse_epilogue(graph: Graph) -> Graph:
    """Fuse an activation into the linear or conv before, if the activation is the product's only reader.

    Before:
        %p: f32[4,16] = linear(x=%x, w=%w, bias=%b)
        %y: f32[4,16] = relu(x=%p)
    After:
        %y: f32[4,16] = linear(x=%x, w=%w, bias=%b, activation="relu")
    """
    return rebuild(graph, _activation)


def _activation(op: Unary, builder: Builder) -> Value | None:
    """Match f(w * x + b), where f is an activation that TTNN's products take."""
    match op:
        case Unary(x=Value(ops.Linear(activation="") | ops.Conv(activation="") as product) as x):
            name = epilogue_of(op)
            if name is not None and builder.uses[x] <= 1:
                return builder(replace(product, activation=name))
    return None
