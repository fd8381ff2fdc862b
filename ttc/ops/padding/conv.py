"""What sliding windows make of padding: it is masked where a valid window would read it."""

from __future__ import annotations

from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import Value
from ttc.ops import conv
from ttc.ops.binary import Div
from ttc.ops.constant import Full
from ttc.ops.padding.reduce import reduction
from ttc.ops.padding.region import Dim, Factor, Region, Sizes, lowest
from ttc.ops.padding.rules import Flow, transfers
from ttc.ops.reduce import Max, Mean, Reduce
from ttc.ops.rules import window_output
from ttc.ops.shape import Expand


@transfers(conv.Conv)
def convolution(op: conv.Conv, flow: Flow) -> tuple[Value, Region]:
    """Windows that the padding of the convolution itself lets hang over the end read zeros there, as at any end."""
    _checked(op.x, op.rows, flow)
    spatial = op.w.type.rank - 2
    reading = [2 + i for i in range(spatial) if op.padding[i][1] > 0]
    x = _masked(op.x, reading, 0.0, "a convolution reads over the end of the length", flow)
    region = flow.region(x)
    windows = [
        _window(region.axis(2 + i), op.w.shape[2 + i], op.stride[i], op.padding[i], op.dilation[i], False, flow)
        for i in range(spatial)
    ]
    return flow(replace(op, x=x)), _result(region, op.infer().shape[1], windows, flow)


@transfers(conv.ConvTranspose)
def transposed(op: conv.ConvTranspose, flow: Flow) -> tuple[Value, Region]:
    """Each element is spread over a window: padding is masked where its window reaches back before the end."""
    _checked(op.x, op.rows, flow)
    spatial = op.w.type.rank - 2
    kernel = op.w.shape[2:]
    grown = [
        op.dilation[i] * (kernel[i] - 1) + 1 - sum(op.padding[i]) + op.output_padding[i] - op.stride[i]
        for i in range(spatial)
    ]  # the result's length is stride * length + grown
    reaching = [2 + i for i in range(spatial) if grown[i] + op.padding[i][0] > 0]
    x = _masked(op.x, reaching, 0.0, "a transposed convolution spreads the end of the length", flow)
    region = flow.region(x)
    windows: list[Factor] = []
    for i in range(spatial):
        axis = region.axis(2 + i)
        sizes = tuple(op.stride[i] * size + grown[i] for size in axis.over(flow.members))
        windows.append(Factor(sizes, axis.length and axis.length * op.stride[i] + grown[i]))
    return flow(replace(op, x=x)), _result(region, op.w.shape[1] * op.groups, windows, flow)


@transfers(conv.MaxPool, varying=("kernel", "stride"))
def max_pool(op: conv.MaxPool, flow: Flow) -> tuple[Value, Region]:
    """Padding never wins: it becomes the lowest number where a window hangs over the end."""
    _checked(op.x, op.rows, flow)
    if _windows_follow(flow):
        return _over_all(op, Max, flow)
    reading = [2 + i for i, (_, end) in enumerate(op.padding) if end > 0 or op.ceil]
    x = _masked(op.x, reading, lowest(op.x.dtype), "a pooling window reads over the end of the length", flow)
    region = flow.region(x)
    return flow(replace(op, x=x)), _result(region, op.x.shape[1], _pooled(op, region, flow), flow)


@transfers(conv.AvgPool, varying=("kernel", "stride"))
def average_pool(op: conv.AvgPool, flow: Flow) -> tuple[Value, Region]:
    """Zeros over the end, and where they do not count, the share of each window that is valid as the divisor."""
    _checked(op.x, op.rows, flow)
    if _windows_follow(flow):
        return _over_all(op, Mean, flow)
    hanging = [2 + i for i, (_, end) in enumerate(op.padding) if end > 0 or op.ceil]
    reading = [d for d in flow.region(op.x).padded_dims if d in hanging]
    if reading and op.ceil:
        raise Refusal("an average over windows that ceil mode lets hang over the end of a length")
    x = _masked(op.x, reading, 0.0, "a pooling window reads over the end of the length", flow)
    region = flow.region(x)
    result = _result(region, op.x.shape[1], _pooled(op, region, flow), flow)
    if not reading or op.count_padding:
        return flow(replace(op, x=x)), result
    one = flow(Full(replace(op.x.type, shape=()), 1.0))
    ones = flow(Expand(one, op.x.shape))
    flow.state(ones, replace(region.without_fills(), taint=frozenset()))
    valid = flow.masked(ones, reading, 0.0, "the divisor of an average over windows")
    whole = replace(op, count_padding=True)
    y = flow(Div(flow(replace(whole, x=x)), flow(replace(whole, x=valid))))
    return y, replace(result, taint=result.taint | {flow.origin})


def _windows_follow(flow: Flow) -> bool:
    """Whether a pool's windows are as large as a length; Refusal if their distance alone follows one."""
    first, *others = flow.variants
    if any(other.kernel != first.kernel for other in others):
        return True
    if any(other.stride != first.stride for other in others):
        raise Refusal("its stride follows a length")
    return False


def _over_all(op: conv.MaxPool | conv.AvgPool, kind: type[Reduce], flow: Flow) -> tuple[Value, Region]:
    """A window as large as the length is a reduction over it."""
    whole = all(v.kernel == v.x.shape[2:] and not any(map(any, v.padding)) for v in flow.variants)
    if not whole:
        raise Refusal("its window follows a length")
    return reduction(kind(op.x, tuple(range(2, op.x.type.rank)), keep=True), flow)


def _pooled(op: conv.MaxPool | conv.AvgPool, region: Region, flow: Flow) -> list[Factor]:
    """The spatial dimensions of a pool's result."""
    return [
        _window(region.axis(2 + i), op.kernel[i], op.stride[i], op.padding[i], op.dilation[i], op.ceil, flow)
        for i in range(len(op.kernel))
    ]


def _checked(x: Value, rows: tuple[int, ...], flow: Flow) -> None:
    if rows:
        raise Refusal("rows are not known here")
    region = flow.region(x)
    if any(factor.length for factor in region.dims[1]):
        raise Refusal("it mixes channels whose number is a length")
    if any(factor.sample for dim in region.dims[1:] for factor in dim):
        raise Refusal("it mixes samples of the batch, which have lengths of their own")


def _masked(x: Value, dims: list[int], fill: float, why: str, flow: Flow) -> Value:
    return flow.masked(x, [d for d in flow.region(x).padded_dims if d in dims], fill, why)


def _window(
    axis: Factor, kernel: int, stride: int, pads: tuple[int, int], dilation: int, ceil: bool, flow: Flow
) -> Factor:
    """The result's dimension; its padding holds whatever windows made of both sides of the end."""
    own: Sizes = axis.over(flow.members)
    sizes = tuple(window_output(size, kernel, stride, pads, dilation, ceil) for size in own)
    if axis.length is None:
        return Factor(sizes)
    span = axis.length + (sum(pads) - dilation * (kernel - 1) - 1)
    flow.require(axis.length, max(1, dilation * (kernel - 1) + 1 - sum(pads)))
    if not ceil:
        return Factor(sizes, span // stride + 1)
    if pads[1] + stride > dilation * (kernel - 1) + 1:
        raise Refusal("ceil mode drops windows by a rule that a length does not follow")
    return Factor(sizes, (span + (stride - 1)) // stride + 1)


def _result(region: Region, channels: int, windows: list[Factor], flow: Flow) -> Region:
    """[N, C, *spatial] with these windows."""
    batch = tuple(factor.bare() for factor in region.dims[0])
    dims: list[Dim] = [batch, (Factor((channels,) * flow.members),), *((window,) for window in windows)]
    return Region(tuple(dims), region.taint)
