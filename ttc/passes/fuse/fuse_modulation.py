"""The pass that folds constant vectors around a linear of few rows, and the sum of two of them, into the weights."""

from __future__ import annotations

from dataclasses import replace

from ttc import ops
from ttc.ir import Builder, Graph, Value
from ttc.ops.expr import Expr
from ttc.passes.fuse.split_linear import MOST_ROWS
from ttc.passes.normal import rebuild


def fuse_modulation(graph: Graph) -> Graph:
    """Fold into a linear the vectors that scale and shift the result, and add up linears of one x: those of styles.

    Before:
        %p: f32[1,16] = linear(x=%x, w=%w, bias=%b)
        %r: f32[1,16,1] = reshape(x=%p, shape=[1, 16, 1])
        %y: f32[1,16,1] = mul(a=%r, b=%c)
    After, for a constant %c of [16, 1]:
        %c_0: f32[16] = reshape(x=%c, shape=[16])
        %w_0: f32[16,8] = mul(a=%w, b=%c)
        %b_0: f32[16] = mul(a=%b, b=%c_0)
        %y: f32[1,16] = linear(x=%x, w=%w_0, bias=%b_0)
        %y_0: f32[1,16,1] = reshape(x=%y, shape=[1, 16, 1])
    """
    return rebuild(graph, _scaled, _summed)


def _scaled(op: ops.Mul, builder: Builder) -> Expr | None:
    """Match (x @ w.T + b) * c = x @ (c * w).T + c * b for a vector c of constants."""
    for product, factor in ((op.a, op.b), (op.b, op.a)):
        linear = _linear(product, builder)
        if linear is None or product.type != op.infer() or (vector := _vector(factor, product, builder)) is None:
            continue
        w = Expr(linear.w, builder) * vector.reshape(vector.shape[0], 1)
        bias = None if linear.bias is None else (Expr(linear.bias, builder) * vector).value
        return Expr(builder(replace(linear, w=w.value, bias=bias)), builder).reshape(*product.shape)
    return None


def _summed(op: ops.Add, builder: Builder) -> Expr | None:
    """Match (x @ v.T + b) + (x @ w.T + c) = x @ (v + w).T + (b + c)."""
    first, second = _linear(op.a, builder), _linear(op.b, builder)
    if first is None or second is None or first.x is not second.x or op.a.shape != op.b.shape:
        return None
    if max(builder.uses[op.a], builder.uses[op.b]) > 1:
        return None
    w = Expr(first.w, builder) + Expr(second.w, builder)
    biases = [Expr(bias, builder) for bias in (first.bias, second.bias) if bias is not None]
    bias = None if not biases else sum(biases[1:], biases[0]).value
    return Expr(builder(replace(first, w=w.value, bias=bias)), builder).reshape(*op.a.shape)


def _linear(value: Value, builder: Builder) -> ops.Linear | None:
    """Return the linear of constant weight whose one row `value` is, perhaps with other dimensions of size 1."""
    product = value.op.x if isinstance(value.op, ops.Reshape) else value
    match product.op:
        case ops.Linear(w=w, activation="") as linear if w in builder.constants and product.type.rank == 2:
            few = product.shape[0] <= MOST_ROWS
            rows = tuple(size for size in product.shape if size > 1) == tuple(size for size in value.shape if size > 1)
            return linear if few and rows else None
    return None


def _vector(factor: Value, product: Value, builder: Builder) -> Expr | None:
    """Return constants, one for each column of the linear that `product` reshapes, as [N]; None for other factors."""
    linear = product.op.x if isinstance(product.op, ops.Reshape) else product
    columns = linear.shape[-1]
    if factor not in builder.constants or factor.type.numel != columns or columns == 1:
        return None
    # the dimension of the columns, counted from the end: the last one that is larger than 1
    place = next(dim for dim in range(-1, -product.type.rank - 1, -1) if product.shape[dim] > 1)
    same = product.shape[place] == columns and -place <= factor.type.rank and factor.shape[place] == columns
    return Expr(factor, builder).reshape(columns) if same else None
