"""Transfer functions of normalisations: statistics over a length must be those of its valid part."""

from __future__ import annotations

from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import Op, TensorType, Value
from ttc.ops import norm
from ttc.ops.binary import Add, Div, Mul, Sub
from ttc.ops.constant import Full
from ttc.ops.matmul import Matmul
from ttc.ops.padding.abstract import AbstractValue, Dim, beneath, is_low, lowest
from ttc.ops.padding.elementwise import elementwise
from ttc.ops.padding.reduce import count
from ttc.ops.padding.shape import regrouped
from ttc.ops.padding.transfer import Flow, transfers
from ttc.ops.ranges import surely_finite
from ttc.ops.reduce import Sum
from ttc.ops.shape import Expand, Permute, Reshape
from ttc.ops.unary import Rsqrt

WHY = "statistics over the length"


@transfers(norm.LayerNorm)
def layer_norm(op: norm.LayerNorm, flow: Flow) -> tuple[Value, AbstractValue]:
    """Normalise row by row; over a length by masked sums."""
    abstract = flow.abstract(op.x)
    first = len(abstract.dims) - op.dims
    normalised = tuple(range(first, len(abstract.dims)))
    if not any(d in normalised for d in abstract.padded_dims):
        return flow(op), _by_rows(op, abstract, flow)
    y, abstract = _normalised(op.x, normalised, op.eps, flow)
    return _scaled(y, op.w, op.bias, abstract, flow)


def _by_rows(op: Op, abstract: AbstractValue, flow: Flow) -> AbstractValue:
    """Give the abstract value of normalised rows: nothing is known of the padding, and 0 / sqrt(0) may be NaN."""
    taint = abstract.taint if surely_finite(op) else abstract.taint | {flow.origin}
    return replace(abstract.without_fills(), taint=taint)


@transfers(norm.RmsNorm)
def rms_norm(op: norm.RmsNorm, flow: Flow) -> tuple[Value, AbstractValue]:
    """Normalise row by row; a length in the last dimension is refused."""
    abstract = flow.abstract(op.x)
    if len(abstract.dims) - 1 in abstract.padded_dims:
        raise Refusal("a root mean square over a length")
    return flow(op), _by_rows(op, abstract, flow)


@transfers(norm.BatchNorm)
def batch_norm(op: norm.BatchNorm, flow: Flow) -> tuple[Value, AbstractValue]:
    """Normalise element by element, by given statistics."""
    abstract = flow.abstract(op.x)
    if 1 in abstract.padded_dims:
        raise Refusal("its channels are a length")
    return flow(op), _by_rows(op, abstract, flow)


@transfers(norm.GroupNorm)
def group_norm(op: norm.GroupNorm, flow: Flow) -> tuple[Value, AbstractValue]:
    """Normalise over a length by masked sums; instance norm is a group for each channel."""
    if op.rows:
        raise Refusal("rows are not known here")
    abstract = flow.abstract(op.x)
    if 1 in abstract.padded_dims:
        raise Refusal("its channels are a length")
    if any(factor.sample for dim in abstract.dims[1:] for factor in dim):
        raise Refusal("it mixes samples of the batch, which have lengths of their own")
    if not any(d > 1 for d in abstract.padded_dims):
        return flow(op), _by_rows(op, abstract, flow)
    batch, channels, *spatial = op.x.shape
    x, grouped = op.x, op.groups not in (1, channels)
    dims = tuple(range(1 if op.groups == 1 else 2, op.x.type.rank))
    if grouped:
        x = _regrouped(x, (batch, op.groups, channels // op.groups, *spatial), abstract, flow)
        dims = tuple(range(2, x.type.rank))
    y, abstract = _normalised(x, dims, op.eps, flow)
    if grouped:
        flow.state(y, abstract)
        y = _regrouped(y, op.x.shape, abstract, flow)
        abstract = flow.abstract(y)
    w, bias = (_per_channel(part, len(spatial), flow) for part in (op.w, op.bias))
    return _scaled(y, w, bias, abstract, flow)


def _regrouped(x: Value, shape: tuple[int, ...], abstract: AbstractValue, flow: Flow) -> Value:
    """Reshape x so that the channels are split into groups, or merged again."""
    y = flow(Reshape(x, shape))
    spatial = min(len(shape), len(abstract.dims)) - 2
    grouped = regrouped([f for dim in abstract.dims[1 : len(abstract.dims) - spatial] for f in dim], shape[1:-spatial])
    flow.state(y, AbstractValue((abstract.dims[0], *grouped, *abstract.dims[-spatial:]), abstract.taint))
    return y


def _per_channel(w: Value | None, spatial: int, flow: Flow) -> Value | None:
    """Reshape [C] to [C, 1, ...]."""
    return None if w is None else flow(Reshape(w, (*w.shape, *(1,) * spatial)))


def _normalised(x: Value, dims: tuple[int, ...], eps: float, flow: Flow) -> tuple[Value, AbstractValue]:
    """Normalise (x - mean) / sqrt(var + eps) over the valid part of `dims`."""
    last = dims == (x.type.rank - 1,) and _aligned(flow.abstract(x))
    centred, var = _by_products(x, flow) if last else _by_sums(x, dims, flow)
    scale = flow(Rsqrt(flow(Add(var, flow(Full(TensorType(x.dtype, ()), eps))))))
    return flow(Mul(centred, scale)), flow.abstract(centred)


def _aligned(abstract: AbstractValue) -> bool:
    """Return whether rows [.., T] of three dimensions or more have one length, or one for each row of the first."""
    outer, *inner = abstract.dims
    samples = any(factor.sample for dim in inner for factor in dim) or (
        any(factor.sample for factor in outer) and len(outer) > 1
    )
    return len(inner) > 1 and not samples


def _by_products(x: Value, flow: Flow) -> tuple[Value, Value]:
    """Return x - mean and the variance along the last dimension, which products with each position's share sum.

    The padding has no share, so that nothing is masked; of centred x nothing is known there but that it is finite.
    """
    last = x.type.rank - 1
    filled = [f.fill for f in flow.abstract(x).dims[last] if f.length]
    x = flow.finite(x, WHY) if set(filled) <= {None, 0.0} else flow.masked(x, [last], 0.0, WHY)
    shares, rows = _shares(x, flow)
    mean = flow(Matmul(x, shares))
    flow.state(mean, rows)
    centred = flow(Sub(x, mean))
    flow.state(centred, flow.abstract(x).without_fills())
    squares = flow(Mul(centred, centred))
    flow.state(squares, flow.abstract(centred))
    var = flow(Matmul(squares, shares))
    flow.state(var, rows)
    return centred, var


def _shares(x: Value, flow: Flow) -> tuple[Value, AbstractValue]:
    """Return the share of each position of x [B, .., T] in a mean, [B or 1, .., T, 1], and a mean's abstract value.

    That is 1 / length in the valid part, and 0 in the padding.
    """
    abstract, one = flow.abstract(x), (1,) * (x.type.rank - 2)
    batch = abstract.dims[0] if any(factor.sample for factor in abstract.dims[0]) else ()
    samples = x.shape[0] if batch else 1
    ones = flow(Expand(flow(Full(TensorType(x.dtype, ()), 1.0)), (samples, *one, x.shape[-1])))
    flow.state(ones, AbstractValue((batch, *((),) * len(one), tuple(f.bare() for f in abstract.dims[-1]))))
    valid = flow.masked(ones, [x.type.rank - 1], 0.0, WHY)
    each = AbstractValue((batch, *((),) * (len(one) + 1)))
    shares = flow(Div(valid, count(flow, abstract, (x.type.rank - 1,), each, x.dtype)))
    flow.state(shares, flow.abstract(valid))
    column = flow(Permute(shares, (*range(len(one)), len(one) + 1, len(one))))
    dims = flow.abstract(valid).dims
    flow.state(column, AbstractValue((*dims[:-2], dims[-1], dims[-2])))
    return column, AbstractValue((*abstract.dims[:-1], ()), abstract.taint).without_fills()


def _by_sums(x: Value, dims: tuple[int, ...], flow: Flow) -> tuple[Value, Value]:
    """Return x - mean and the variance over `dims` by masked sums, with zeros in the padding of centred x."""
    padded = [d for d in flow.abstract(x).padded_dims if d in dims]
    x = flow.masked(x, padded, 0.0, WHY)
    abstract = flow.abstract(x)
    rows = AbstractValue(
        tuple(() if d in dims else dim for d, dim in enumerate(abstract.dims)), abstract.taint
    ).without_fills()
    number = count(flow, abstract, dims, rows, x.dtype)
    mean = flow(Div(flow(Sum(x, dims, keep=True)), number))
    centred = flow(Sub(x, mean))
    flow.state(centred, abstract.without_fills())
    centred = flow.masked(centred, padded, 0.0, WHY)
    return centred, flow(Div(flow(Sum(flow(Mul(centred, centred)), dims, keep=True)), number))


def _scaled(
    y: Value, w: Value | None, bias: Value | None, abstract: AbstractValue, flow: Flow
) -> tuple[Value, AbstractValue]:
    """Scale and shift: y * w + bias, whose shapes broadcast."""
    for operand in (w, bias):
        if operand is not None and any(part.terms for part in _lengths(operand, flow)):
            raise Refusal("its weights have a length")
    if w is not None:
        y = flow(Mul(y, w))
    if bias is not None:
        return flow(Add(y, bias)), abstract.without_fills()
    return y, abstract


def _lengths(value: Value, flow: Flow) -> list:
    """List the lengths of an operand."""
    return [factor.length for factor in flow.abstract(value).factors if factor.length]


@transfers(norm.Softmax)
def softmax(op: norm.Softmax, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask padding along the softmax's dimension, so that padding gets no share."""
    x = _excluded(op.x, op.dim, flow)
    abstract = flow.abstract(x)
    dims: list[Dim] = [
        _after_softmax(dim) if d == op.dim else tuple(f.bare() for f in dim) for d, dim in enumerate(abstract.dims)
    ]
    return flow(replace(op, x=x)), AbstractValue(tuple(dims), abstract.taint)


def _excluded(x: Value, dim: int, flow: Flow) -> Value:
    """Mask the padding of a dimension of x: by minus infinity in an added mask of the model's own, if there is one.

    A finite number in the model's own mask is not enough: a row of that number alone is the mean of all elements.
    """
    if dim not in flow.abstract(x).padded_dims:
        return x
    fill, why = flow.abstract(x).axis(dim).fill, "a softmax over the length"
    if isinstance(x.op, Add) and is_low(fill, x.dtype) and fill != lowest(x.dtype):
        for name in ("a", "b"):
            mask: Value = getattr(x.op, name)
            own = dim - x.type.rank + mask.type.rank
            if mask.type.numel < x.type.numel and own in flow.abstract(mask).padded_dims:
                lower = flow.masked(mask, [own], lowest(x.dtype), why)
                y, abstract = elementwise(replace(x.op, **{name: lower}), flow)
                flow.state(y, abstract)
                return flow.masked(y, [dim], lowest(x.dtype), why)
    return flow.masked(x, [dim], beneath(x), why)


def _after_softmax(dim: Dim) -> Dim:
    return tuple(factor.bare(0.0) if factor.length else factor for factor in dim)


@transfers(norm.LogSoftmax)
def log_softmax(op: norm.LogSoftmax, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask as softmax does; what the padding becomes is very low, perhaps infinite."""
    x = _excluded(op.x, op.dim, flow)
    over = op.dim in flow.abstract(x).padded_dims
    abstract = flow.abstract(x).without_fills()
    return flow(replace(op, x=x)), replace(abstract, taint=abstract.taint | ({flow.origin} if over else set()))
