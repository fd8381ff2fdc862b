"""The pass that folds constant factors around a linear into the weight, where factors cost nothing at run time."""

from __future__ import annotations

from dataclasses import replace

from ttc import ops
from ttc.ir import Builder, Graph, Op, Value
from ttc.ops.expr import Expr, silu
from ttc.passes.normal import rebuild


def fuse_scale(graph: Graph) -> Graph:
    """Fold into weights a factor before or after a linear or in a gated sigmoid, and masked attention's scale.

    Before:
        %p: f32[4,16] = linear(x=%x, w=%w, bias=%b)
        %s: f32[4,16] = mul(a=%p, b=%c)
        %g: f32[4,16] = sigmoid(x=%s)
        %y: f32[4,16] = mul(a=%p, b=%g)
    After, where %c is 1.702 (the quick gelu of CLIP):
        %w_0: f32[16,8] = mul(a=%w, b=%c)
        %b_0: f32[16] = mul(a=%b, b=%c)
        %p: f32[4,16] = linear(x=%x, w=%w_0, bias=%b_0)
        %g: f32[4,16] = silu(x=%p)
        %y: f32[4,16] = mul(a=%g, b=%c_0)
    """
    return rebuild(graph, _gate, _after, _before, _attention)


def _gate(op: ops.Mul, builder: Builder) -> Expr | None:
    """Match x * sigmoid(c * x) = silu(c * x) / c, where x is a linear that absorbs c."""
    match op:
        # x * gate, where gate = sigmoid(scaled) and scaled = x * c
        case ops.Mul(a=x, b=Value(ops.Sigmoid(x=Value(ops.Mul(a=same, b=c)) as scaled)) as gate) if same is x:
            factor = ops.number_of(c)
            alone = builder.uses[x] <= 2 and builder.uses[scaled] <= 1 and builder.uses[gate] <= 1
            if factor and alone and _is_plain(x.op):
                # c * x is the linear of weight c * w and bias c * b
                return silu(_scaled(x.op, factor, builder)) * (1 / factor)
    return None


def _after(op: ops.Mul, builder: Builder) -> Expr | None:
    """Match (x @ w.T + b) * c = x @ (c * w).T + c * b."""
    match op:
        case ops.Mul(a=x, b=c) if _is_plain(x.op) and builder.uses[x] <= 1 and op.infer() == x.type:
            factor = ops.number_of(c)
            return None if factor is None else _scaled(x.op, factor, builder)
    return None


def _before(op: ops.Linear, builder: Builder) -> Value | None:
    """Match (x * c) @ w.T + b = x @ (c * w).T + b."""
    match op:
        case ops.Linear(x=Value(ops.Mul(a=x, b=c)) as scaled, w=w) if builder.uses[scaled] <= 1:
            factor = ops.number_of(c)
            if factor is not None and x.type == scaled.type and w in builder.constants:
                return builder(replace(op, x=x, w=(Expr(w, builder) * factor).value))
    return None


def _attention(op: ops.Attention, builder: Builder) -> Value | None:
    """Fold the scale of masked attention into the queries' weight, which spares a mul of the scores by layer."""
    match op:
        # softmax(scale * q @ k.T + mask) = softmax((scale * q) @ k.T + mask), where q = heads of x @ w.T + b
        case ops.Attention(
            q=Value(ops.Permute(x=Value(ops.Reshape(x=product, shape=shape)) as split, dims=dims)) as heads,
            mask=mask,
            scale=scale,
        ) if mask is not None and scale != 1.0 and _is_plain(product.op):
            if max(builder.uses[value] for value in (product, split, heads)) > 1:
                return None
            query = _scaled(product.op, scale, builder).reshape(*shape).permute(*dims)
            return builder(replace(op, q=query.value, scale=1.0))
    return None


def _is_plain(op: Op) -> bool:
    """Return whether an op is a linear without activation."""
    return isinstance(op, ops.Linear) and not op.activation


def _scaled(product: Op, factor: float, builder: Builder) -> Expr:
    """Return the linear whose results are `factor` times those of `product`."""
    assert isinstance(product, ops.Linear)
    w = Expr(product.w, builder) * factor
    bias = None if product.bias is None else (Expr(product.bias, builder) * factor).value
    return w.new(replace(product, w=w.value, bias=bias))
