"""The pass that folds batch norms, and scales and shifts by channel, into the weights of the product before."""

from __future__ import annotations

from dataclasses import replace

from ttc import ops
from ttc.ir import Builder, Graph, Value
from ttc.ops.expr import Expr, sqrt
from ttc.passes.normal import rebuild


def fuse_batch_norm(graph: Graph) -> Graph:
    """Fold x * scale + shift by channel into the conv, transposed conv or linear before, and chains into one.

    Scale and shift [C] are derived weights. Without such a product before, one mul and one add remain.

    Before:
        %c: f32[1,8,4,4] = conv(x=%x, w=%w, ...)
        %y: f32[1,8,4,4] = batch_norm(x=%c, w=%g, bias=%b, mean=%m, var=%v)
    After:
        %scale = g / sqrt(v + eps); %shift = b - m * scale
        %y: f32[1,8,4,4] = conv(x=%x, w=%w * %scale, bias=%shift, ...)
    """
    return rebuild(graph, _batch_norm, _affine)


def _batch_norm(op: ops.BatchNorm, builder: Builder) -> Expr | None:
    """Match batch norm and rewrite as x * scale + shift."""
    match op:
        # w * (x - mean) / sqrt(var + eps) + bias = x * scale + shift,
        # where scale = w / sqrt(var + eps) and shift = bias - mean * scale
        case ops.BatchNorm(x=x, w=w, bias=bias, mean=mean, var=var, eps=eps):
            scale = Expr(w, builder) / sqrt(Expr(var, builder) + eps)
            shift = Expr(bias, builder) - Expr(mean, builder) * scale
            return _add(_multiply(x, scale, builder).value, shift, builder)
    return None


def _affine(op: ops.Mul | ops.Add, builder: Builder) -> Expr | None:
    """Match a mul or add of a constant vector [C] after an op that can absorb the vector."""
    match op:
        # x * scale
        case ops.Mul(a=x, b=factor) if _takes(x, builder, scale=True):
            vector = _vector(factor, x, builder)
            return None if vector is None else _multiply(x, vector, builder)
        # x + shift
        case ops.Add(a=x, b=term) if _takes(x, builder, scale=False):
            vector = _vector(term, x, builder)
            return None if vector is None else _add(x, vector, builder)
    return None


def _takes(x: Value, builder: Builder, scale: bool) -> bool:
    """Return whether x's op can absorb a scale, or else a shift: x has one reader, and no op is added."""
    if x in builder.constants or builder.uses[x] > 1 or x.type.rank < 2:
        return False
    match x.op:
        case ops.Conv(activation="", rows=()) | ops.Linear(activation="") | ops.ConvTranspose(rows=()):
            return True
        case ops.Mul(a=a, b=b) if scale:
            return a.shape == x.shape and _vector(b, x, builder) is not None
        case ops.Add(a=a, b=b) if a.shape == x.shape:
            return _vector(b, x, builder) is not None and (not scale or _takes(a, builder, scale=True))
    return False


def _channel(x: Value) -> int:
    """Return the channel dimension of x: the last of a linear's result, scaled and shifted or not, else 1."""
    source = x
    while isinstance(source.op, ops.Mul | ops.Add) and source.op.a.shape == x.shape:
        source = source.op.a
    return x.type.rank - 1 if isinstance(source.op, ops.Linear) else 1


def _vector(value: Value, x: Value, builder: Builder) -> Expr | None:
    """Return `value` as [C] if `value` is a constant that differs by channel of x only, else None."""
    if value not in builder.constants or value.type.rank > x.type.rank:
        return None
    channel = _channel(x)
    shape = (1,) * (x.type.rank - value.type.rank) + value.shape
    if any(size != 1 for dim, size in enumerate(shape) if dim != channel):
        return None
    if shape[channel] == 1 and isinstance(x.op, ops.Linear):
        return None  # a scale for all of a projection belongs to the attention that follows
    return Expr(value, builder).reshape(shape[channel]).expand(x.shape[channel])


def _per_channel(vector: Expr, x: Value) -> Expr:
    """Reshape a vector [C] to [C, 1, ..], which broadcasts against x."""
    return vector.reshape(vector.shape[0], *(1,) * (x.type.rank - 1 - _channel(x)))


def _multiply(x: Value, scale: Expr, builder: Builder) -> Expr:
    """Multiply x by scale [C] by channel, in the weights of x's op where these can absorb the scale."""
    if _takes(x, builder, scale=True):
        match x.op:
            # (w * x + bias) * scale = (w * scale) * x + bias * scale, with the scale along w's outputs
            case ops.Conv(w=w, bias=bias) | ops.Linear(w=w, bias=bias):
                column = scale.reshape(scale.shape[0], *(1,) * (w.type.rank - 1))
                w = Expr(w, builder) * column
                return scale.new(replace(x.op, w=w.value, bias=_scaled(bias, scale)))
            case ops.ConvTranspose(w=w, bias=bias, groups=groups):
                w = _scale_outputs(Expr(w, builder), scale, groups)
                return scale.new(replace(x.op, w=w.value, bias=_scaled(bias, scale)))
            # (source * own) * scale = source * (own * scale)
            case ops.Mul(a=source, b=b) if (own := _vector(b, x, builder)) is not None:
                return _multiply(source, own * scale, builder)
            # (source + own) * scale = source * scale + own * scale
            case ops.Add(a=source, b=b) if (own := _vector(b, x, builder)) is not None:
                term = own * scale
                return _add(_multiply(source, scale, builder).value, term, builder)
    return Expr(x, builder) * _per_channel(scale, x)


def _scale_outputs(w: Expr, scale: Expr, groups: int) -> Expr:
    """Scale a transposed convolution's weight [C, O / groups, *kernel] by output channel, scale being [O]."""
    inputs, outputs, *kernel = w.shape
    grouped = w.reshape(groups, inputs // groups, outputs, *kernel)
    factor = scale.reshape(groups, 1, outputs, *(1 for _ in kernel))
    return (grouped * factor).reshape(*w.shape)


def _scaled(bias: Value | None, scale: Expr) -> Value | None:
    """Return bias * scale, or None where there is no bias."""
    return None if bias is None else (Expr(bias, scale.builder) * scale).value


def _add(x: Value, shift: Expr, builder: Builder) -> Expr:
    """Add shift [C] to x by channel, in the bias of x's op where there can be one."""
    if _takes(x, builder, scale=False):
        match x.op:
            # (w * x + bias) + shift = w * x + (bias + shift)
            case ops.Conv(bias=bias) | ops.Linear(bias=bias) | ops.ConvTranspose(bias=bias):
                total = shift if bias is None else Expr(bias, builder) + shift
                return shift.new(replace(x.op, bias=total.value))
            # (source + own) + shift = source + (own + shift)
            case ops.Add(a=source, b=b) if (own := _vector(b, x, builder)) is not None:
                return _add(source, own + shift, builder)
    return Expr(x, builder) + _per_channel(shift, x)
