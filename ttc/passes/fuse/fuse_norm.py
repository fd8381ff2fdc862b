"""The pass that makes one op of a layer norm or rms norm written out by hand."""

from __future__ import annotations

from dataclasses import replace

from ttc import ops
from ttc.ir import Builder, DType, Graph, Op, Value
from ttc.ops.expr import Expr
from ttc.passes.normal import rebuild


def fuse_norm(graph: Graph) -> Graph:
    """Fuse (x - mean) / sqrt(mean((x - mean)^2) + eps) * w + b over the last dimensions, and the form without mean.

    The weight w and the bias b are constants, or rows of run time, by which diffusion models modulate a norm.

    Before:
        %m: f32[4,8] = mean(x=%x, dims=[1], keep=true)
        %d: f32[4,8] = sub(a=%x, b=%m)
        %q: f32[4,8] = mul(a=%d, b=%d)
        %v: f32[4,1] = mean(x=%q, dims=[1], keep=true)
        %e: f32[4,1] = add(a=%v, b=%eps)
        %r: f32[4,1] = sqrt(x=%e)
        %n: f32[4,8] = div(a=%d, b=%r)
        %s: f32[4,8] = mul(a=%n, b=%w)
        %y: f32[4,8] = add(a=%s, b=%b)
    After:
        %y: f32[4,8] = layer_norm(x=%x, w=%w, bias=%b, eps=1e-05)
    """
    return rebuild(graph, _norm, _scale, _shift)


def _norm(op: ops.Mul | ops.Div, builder: Builder) -> Value | None:
    """Match x / sqrt(shifted) in the ways that models write the reciprocal root."""
    match op:
        # x / sqrt(shifted), x * rsqrt(shifted)
        case ops.Div(a=x, b=Value(ops.Sqrt(x=shifted))) | ops.Mul(a=x, b=Value(ops.Rsqrt(x=shifted))):
            return _normalised(x, shifted, builder)
        # rsqrt(shifted) * x
        case ops.Mul(a=Value(ops.Rsqrt(x=shifted)), b=x):
            return _normalised(x, shifted, builder)
        # x * (1 / sqrt(shifted)), in either order
        case ops.Mul(a=x, b=Value(ops.Reciprocal(x=Value(ops.Sqrt(x=shifted))))):
            return _normalised(x, shifted, builder)
        case ops.Mul(a=Value(ops.Reciprocal(x=Value(ops.Sqrt(x=shifted)))), b=x):
            return _normalised(x, shifted, builder)
        # x / shifted ** 0.5
        case ops.Div(a=x, b=Value(ops.Pow(a=shifted, b=half))) if ops.number_of(half) == 0.5:
            return _normalised(x, shifted, builder)
        # x * shifted ** -0.5
        case ops.Mul(a=x, b=Value(ops.Pow(a=shifted, b=half))) if ops.number_of(half) == -0.5:
            return _normalised(x, shifted, builder)
    return None


def _normalised(x: Value, shifted: Value, builder: Builder) -> Value | None:
    """Match x / sqrt(mean(x^2) + eps): a layer norm of y where x = y - mean(y), else an rms norm of x."""
    match shifted.op:
        # shifted = mean(a * b) + eps
        case ops.Add(a=Value(ops.Mean(x=Value(ops.Mul(a=a, b=b)), dims=dims, keep=True)), b=small):
            eps = ops.number_of(small)
            # a = b = x, so the mean is that of x^2: the variance where x is centred
            if a is not x or b is not x or not eps or not _trailing(dims, x):
                return None
            # x = source - mean(source), over the same dimensions
            source = _uncentred(x, dims)
            if source is not None:
                return builder(ops.LayerNorm(source, dims=len(dims), eps=eps))
            return builder(ops.RmsNorm(x, eps=eps)) if len(dims) == 1 else None
    return None


def _uncentred(x: Value, dims: tuple[int, ...]) -> Value | None:
    """Return y where x is y - mean(y), else None."""
    match x.op:
        case ops.Sub(a=source, b=Value(ops.Mean(x=same, dims=across, keep=True))) if same is source and across == dims:
            return source
    return None


def _trailing(dims: tuple[int, ...], x: Value) -> bool:
    """Return whether `dims` are the last dimensions of x."""
    return dims == tuple(range(x.type.rank - len(dims), x.type.rank))


def _scale(op: ops.Mul, builder: Builder) -> Value | None:
    """Match norm(x) * w, where the norm has no weight or bias yet."""
    match op:
        # norm(x.float()).to(bf16) * w, as models of bf16 write the norm: rounded once, after the weight
        case ops.Mul(a=Value(ops.Cast(x=Value(ops.RmsNorm(w=None) as norm) as x)) as cast, b=w) if (
            w in builder.constants and builder.uses[cast] == 1 and x.dtype is DType.f32 and op.infer() == cast.type
        ):
            wide = builder(ops.Cast(w, x.dtype))
            fitted = _parameter(wide, x, 1, ops.Mul(x, wide), builder)
            return None if fitted is None else builder(ops.Cast(builder(replace(norm, w=fitted)), cast.dtype))
        case ops.Mul(a=Value(ops.LayerNorm(w=None, bias=None, dims=dims) as norm) as x, b=w):
            pass
        case ops.Mul(a=Value(ops.RmsNorm(w=None) as norm) as x, b=w):
            dims = 1
        case _:
            return None
    fitted = _parameter(w, x, dims, op, builder)
    return None if fitted is None else builder(replace(norm, w=fitted))


def _shift(op: ops.Add, builder: Builder) -> Value | None:
    """Match layer_norm(x) + bias, where the norm has no bias yet."""
    match op:
        case ops.Add(a=Value(ops.LayerNorm(bias=None, dims=dims) as norm) as x, b=bias):
            fitted = _parameter(bias, x, dims, op, builder)
            return None if fitted is None else builder(replace(norm, bias=fitted))
    return None


def _parameter(value: Value, x: Value, dims: int, op: Op, builder: Builder) -> Value | None:
    """Return a value as a parameter of the normalised shape; None if unfit, or if x has other readers.

    A value of run time, as of an adaptive norm, must be one whole row of numbers for all of x.
    """
    rank = value.type.rank
    if builder.uses[x] > 1 or op.infer() != x.type or any(size != 1 for size in value.shape[: max(rank - dims, 0)]):
        return None
    shape = value.shape[max(rank - dims, 0) :]
    if value not in builder.constants and (dims > 1 or shape != x.shape[-1:] or shape == (1,)):
        return None
    return Expr(value, builder).reshape(*shape).expand(*x.shape[-dims:]).value
