"""Transfer functions of sliding windows: padding is masked where a valid window would read it."""

from __future__ import annotations

from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import Value
from ttc.ir.lengths import Length
from ttc.ir.symbolic import SymbolicSize
from ttc.ops import conv
from ttc.ops.binary import Div
from ttc.ops.constant import Full
from ttc.ops.padding.abstract import AbstractValue, beneath, dim_of
from ttc.ops.padding.reduce import reduction
from ttc.ops.padding.transfer import Flow, transfers
from ttc.ops.reduce import Max, Mean, Reduce
from ttc.ops.shape import Expand


@transfers(conv.Conv)
def convolution(op: conv.Conv, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask with zeros the padding that windows read where the convolution's own padding lets windows pass the end."""
    _checked(op.x, op.rows, flow)
    spatial = op.w.type.rank - 2
    reading = [2 + i for i in range(spatial) if op.padding[i][1] > 0]
    x = _masked(op.x, reading, 0.0, "a convolution reads over the end of the length", flow)
    for i in range(spatial):
        _check_window(flow.abstract(x), i, op.w.shape[2 + i], op, flow)
    return flow(replace(op, x=x)), _result(flow.abstract(x), flow)


@transfers(conv.ConvTranspose)
def transposed(op: conv.ConvTranspose, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask padding with zeros where the window that an element is spread over reaches back before the end."""
    _checked(op.x, op.rows, flow)
    spatial = op.w.type.rank - 2
    kernel = op.w.shape[2:]
    grown = [
        op.dilation[i] * (kernel[i] - 1) + 1 - sum(op.padding[i]) + op.output_padding[i] - op.stride[i]
        for i in range(spatial)
    ]  # the result's length is stride * length + grown
    reaching = [2 + i for i in range(spatial) if grown[i] + op.padding[i][0] > 0]
    x = _masked(op.x, reaching, 0.0, "a transposed convolution spreads the end of the length", flow)
    for i in range(spatial):
        flow.abstract(x).axis(2 + i)
    return flow(replace(op, x=x)), _result(flow.abstract(x), flow)


@transfers(conv.MaxPool, varying=("kernel", "stride"))
def max_pool(op: conv.MaxPool, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask padding with a number beneath all others where a window passes the end, so that padding is never largest."""
    _checked(op.x, op.rows, flow)
    if _windows_follow(op):
        return _over_all(op, Max, flow)
    reading = [2 + i for i, (_, end) in enumerate(op.padding) if end > 0 or op.ceil]
    x = _masked(op.x, reading, beneath(op.x), "a pooling window reads over the end of the length", flow)
    return flow(replace(op, x=x)), _pooled(op, flow.abstract(x), flow)


@transfers(conv.AvgPool, varying=("kernel", "stride"))
def average_pool(op: conv.AvgPool, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask padding with zeros, and where these do not count, divide by the valid share of each window."""
    _checked(op.x, op.rows, flow)
    if _windows_follow(op):
        return _over_all(op, Mean, flow)
    hanging = [2 + i for i, (_, end) in enumerate(op.padding) if end > 0 or op.ceil]
    reading = [d for d in flow.abstract(op.x).padded_dims if d in hanging]
    if reading and op.ceil:
        raise Refusal("an average over windows that ceil mode lets hang over the end of a length")
    x = _masked(op.x, reading, 0.0, "a pooling window reads over the end of the length", flow)
    abstract = flow.abstract(x)
    result = _pooled(op, abstract, flow)
    if not reading or op.count_padding:
        return flow(replace(op, x=x)), result
    one = flow(Full(replace(op.x.type, shape=()), 1.0))
    ones = flow(Expand(one, op.x.shape))
    flow.state(ones, replace(abstract.without_fills(), taint=frozenset()))
    valid = flow.masked(ones, reading, 0.0, "the divisor of an average over windows")
    whole = replace(op, count_padding=True)
    y = flow(Div(flow(replace(whole, x=x)), flow(replace(whole, x=valid))))
    return y, replace(result, taint=result.taint | {flow.origin})


def _windows_follow(op: conv.MaxPool | conv.AvgPool) -> bool:
    """Return whether a pool's windows are as large as a length; Refusal if their distance alone follows one."""
    if any(isinstance(size, SymbolicSize) for size in op.kernel):
        return True
    if any(isinstance(size, SymbolicSize) for size in op.stride):
        raise Refusal("its stride follows a length")
    return False


def _over_all(op: conv.MaxPool | conv.AvgPool, kind: type[Reduce], flow: Flow) -> tuple[Value, AbstractValue]:
    """Reduce over a length where the window is as large as the length."""
    abstract = flow.abstract(op.x)
    sizes = enumerate(op.kernel, start=2)
    if any(map(any, op.padding)) or not all(abstract.is_whole(dim, size) for dim, size in sizes):
        raise Refusal("its window follows a length")
    return reduction(kind(op.x, tuple(range(2, op.x.type.rank)), keep=True), flow)


def _pooled(op: conv.MaxPool | conv.AvgPool, abstract: AbstractValue, flow: Flow) -> AbstractValue:
    """Give the abstract value of a pool's result."""
    for i, kernel in enumerate(op.kernel):
        length = _check_window(abstract, i, kernel, op, flow)
        if length and op.ceil and op.padding[i][1] + op.stride[i] > op.dilation[i] * (kernel - 1) + 1:
            raise Refusal("ceil mode drops windows by a rule that a length does not follow")
    return _result(abstract, flow)


def _checked(x: Value, rows: tuple[int, ...], flow: Flow) -> None:
    if rows:
        raise Refusal("rows are not known here")
    abstract = flow.abstract(x)
    if any(factor.length for factor in abstract.dims[1]):
        raise Refusal("it mixes channels whose number is a length")
    if any(factor.sample for dim in abstract.dims[1:] for factor in dim):
        raise Refusal("it mixes samples of the batch, which have lengths of their own")


def _masked(x: Value, dims: list[int], fill: float, why: str, flow: Flow) -> Value:
    return flow.masked(x, [d for d in flow.abstract(x).padded_dims if d in dims], fill, why)


def _check_window(
    abstract: AbstractValue, spatial: int, kernel: int, op: conv.Conv | conv.MaxPool | conv.AvgPool, flow: Flow
) -> Length | None:
    """Return the length along which windows slide, if there is one, and require room for one window."""
    length = abstract.axis(2 + spatial).length
    if length:
        flow.require(length, max(1, op.dilation[spatial] * (kernel - 1) + 1 - sum(op.padding[spatial])))
    return length


def _result(abstract: AbstractValue, flow: Flow) -> AbstractValue:
    """Give the abstract value of a result [N, C, *spatial], of whose padding nothing is known."""
    batch = tuple(factor.bare() for factor in abstract.dims[0])
    return AbstractValue((batch, *map(dim_of, flow.results[0].shape[1:])), abstract.taint)
