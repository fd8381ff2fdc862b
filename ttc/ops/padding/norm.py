"""What normalisations make of padding: statistics over a length must be those of its valid part."""

from __future__ import annotations

from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import Op, TensorType, Value
from ttc.ops import norm
from ttc.ops.binary import Add, Div, Mul, Sub
from ttc.ops.constant import Full
from ttc.ops.padding.elementwise import elementwise
from ttc.ops.padding.reduce import count
from ttc.ops.padding.region import Dim, Region, is_low, lowest
from ttc.ops.padding.rules import Flow, transfers
from ttc.ops.padding.shape import regrouped
from ttc.ops.ranges import surely_finite
from ttc.ops.reduce import Sum
from ttc.ops.shape import Reshape
from ttc.ops.unary import Rsqrt

WHY = "statistics over the length"


@transfers(norm.LayerNorm)
def layer_norm(op: norm.LayerNorm, flow: Flow) -> tuple[Value, Region]:
    """Row by row; over a length by masked sums."""
    region = flow.region(op.x)
    first = len(region.dims) - op.dims
    normalised = tuple(range(first, len(region.dims)))
    if not any(d in normalised for d in region.padded_dims):
        return flow(op), _by_rows(op, region, flow)
    y, region = _normalised(op.x, normalised, op.eps, flow)
    return _scaled(y, op.w, op.bias, region, flow)


def _by_rows(op: Op, region: Region, flow: Flow) -> Region:
    """Rows that are padding hold anything; zeros over a root of zero are NaN."""
    taint = region.taint if surely_finite(op) else region.taint | {flow.origin}
    return replace(region.without_fills(), taint=taint)


@transfers(norm.RmsNorm)
def rms_norm(op: norm.RmsNorm, flow: Flow) -> tuple[Value, Region]:
    """Row by row."""
    region = flow.region(op.x)
    if len(region.dims) - 1 in region.padded_dims:
        raise Refusal("a root mean square over a length")
    return flow(op), _by_rows(op, region, flow)


@transfers(norm.BatchNorm)
def batch_norm(op: norm.BatchNorm, flow: Flow) -> tuple[Value, Region]:
    """Element by element, by given statistics."""
    region = flow.region(op.x)
    if 1 in region.padded_dims:
        raise Refusal("its channels are a length")
    return flow(op), _by_rows(op, region, flow)


@transfers(norm.GroupNorm)
def group_norm(op: norm.GroupNorm, flow: Flow) -> tuple[Value, Region]:
    """Over a length by masked sums; instance norm is a group for each channel."""
    if op.rows:
        raise Refusal("rows are not known here")
    region = flow.region(op.x)
    if 1 in region.padded_dims:
        raise Refusal("its channels are a length")
    if any(factor.sample for dim in region.dims[1:] for factor in dim):
        raise Refusal("it mixes samples of the batch, which have lengths of their own")
    if not any(d > 1 for d in region.padded_dims):
        return flow(op), _by_rows(op, region, flow)
    batch, channels, *spatial = op.x.shape
    x, grouped = op.x, op.groups not in (1, channels)
    dims = tuple(range(1 if op.groups == 1 else 2, op.x.type.rank))
    if grouped:
        x = _regrouped(x, (batch, op.groups, channels // op.groups, *spatial), region, flow)
        dims = tuple(range(2, x.type.rank))
    y, region = _normalised(x, dims, op.eps, flow)
    if grouped:
        flow.state(y, region)
        y = _regrouped(y, op.x.shape, region, flow)
        region = flow.region(y)
    w, bias = (_per_channel(part, len(spatial), flow) for part in (op.w, op.bias))
    return _scaled(y, w, bias, region, flow)


def _regrouped(x: Value, shape: tuple[int, ...], region: Region, flow: Flow) -> Value:
    """x with its channels taken apart or together again."""
    y = flow(Reshape(x, shape))
    wanted = [(size,) * flow.members for size in shape]
    spatial = len(shape) - 2 if len(shape) <= len(region.dims) else len(region.dims) - 2
    for back in range(1, spatial + 1):
        wanted[-back] = region.sizes(len(region.dims) - back, flow.members)
    wanted[0] = region.sizes(0, flow.members)
    flow.state(y, Region(regrouped(region.factors, wanted), region.taint))
    return y


def _per_channel(w: Value | None, spatial: int, flow: Flow) -> Value | None:
    """[C] as [C, 1, ...]."""
    return None if w is None else flow(Reshape(w, (*w.shape, *(1,) * spatial)))


def _normalised(x: Value, dims: tuple[int, ...], eps: float, flow: Flow) -> tuple[Value, Region]:
    """(x - mean) / sqrt(var + eps) over the valid part of `dims`; zero in their padding."""
    padded = [d for d in flow.region(x).padded_dims if d in dims]
    x = flow.masked(x, padded, 0.0, WHY)
    region = flow.region(x)
    rows = Region(tuple(() if d in dims else dim for d, dim in enumerate(region.dims)), region.taint).without_fills()
    number = count(flow, region, dims, rows, x.dtype)
    mean = flow(Div(flow(Sum(x, dims, keep=True)), number))
    centred = flow(Sub(x, mean))
    flow.state(centred, region.without_fills())
    centred = flow.masked(centred, padded, 0.0, WHY)
    var = flow(Div(flow(Sum(flow(Mul(centred, centred)), dims, keep=True)), number))
    scale = flow(Rsqrt(flow(Add(var, flow(Full(TensorType(x.dtype, ()), eps))))))
    return flow(Mul(centred, scale)), flow.region(centred)


def _scaled(y: Value, w: Value | None, bias: Value | None, region: Region, flow: Flow) -> tuple[Value, Region]:
    """y * w + bias, whose shapes broadcast."""
    for operand in (w, bias):
        if operand is not None and any(part.terms for part in _lengths(operand, flow)):
            raise Refusal("its weights have a length")
    if w is not None:
        y = flow(Mul(y, w))
    if bias is not None:
        return flow(Add(y, bias)), region.without_fills()
    return y, region


def _lengths(value: Value, flow: Flow) -> list:
    """The lengths of an operand that has a region."""
    return [factor.length for factor in flow.region(value).factors if factor.length]


@transfers(norm.Softmax)
def softmax(op: norm.Softmax, flow: Flow) -> tuple[Value, Region]:
    """Along a length padding gets no share: it is masked unless a mask of the model's own has done so."""
    x = _excluded(op.x, op.dim, flow)
    region = flow.region(x)
    dims: list[Dim] = [
        _after_softmax(dim) if d == op.dim else tuple(f.bare() for f in dim) for d, dim in enumerate(region.dims)
    ]
    return flow(replace(op, x=x)), Region(tuple(dims), region.taint)


def _excluded(x: Value, dim: int, flow: Flow) -> Value:
    """x with minus infinity in the padding of a dimension: in an added mask of the model's own, if that is the reason.

    A finite number of the model's own is not enough: rows that it fills are means of all that has it.
    """
    if dim not in flow.region(x).padded_dims:
        return x
    fill, why = flow.region(x).axis(dim).fill, "a softmax over the length"
    if isinstance(x.op, Add) and is_low(fill, x.dtype) and fill != lowest(x.dtype):
        for name in ("a", "b"):
            mask: Value = getattr(x.op, name)
            own = dim - x.type.rank + mask.type.rank
            if mask.type.numel < x.type.numel and own in flow.region(mask).padded_dims:
                lower = flow.masked(mask, [own], lowest(x.dtype), why)
                y, region = elementwise(replace(x.op, **{name: lower}), flow)
                flow.state(y, region)
                return flow.masked(y, [dim], lowest(x.dtype), why)
    return flow.masked(x, [dim], lowest(x.dtype), why)


def _after_softmax(dim: Dim) -> Dim:
    return tuple(factor.bare(0.0) if factor.length else factor for factor in dim)


@transfers(norm.LogSoftmax)
def log_softmax(op: norm.LogSoftmax, flow: Flow) -> tuple[Value, Region]:
    """As softmax; what the padding becomes is very low, perhaps infinite."""
    x = _excluded(op.x, op.dim, flow)
    over = op.dim in flow.region(x).padded_dims
    region = flow.region(x).without_fills()
    return flow(replace(op, x=x)), replace(region, taint=region.taint | ({flow.origin} if over else set()))
