"""Transfer functions of products and attention: where these sum over a length, padding must contribute nothing."""

from __future__ import annotations

from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import DType, TensorType, Value
from ttc.ops import attention, matmul
from ttc.ops.activation import activation_named
from ttc.ops.constant import Full
from ttc.ops.padding.abstract import AbstractValue, Factor, lowest
from ttc.ops.padding.elementwise import Content, broadcast
from ttc.ops.padding.transfer import Flow, transfers
from ttc.ops.shape import Expand

WHY = "a product that sums over the length"


@transfers(matmul.Linear)
def linear(op: matmul.Linear, flow: Flow) -> tuple[Value, AbstractValue]:
    """Compute row by row: padding of rows stays padding."""
    abstract = flow.abstract(op.x)
    if abstract.dims and any(factor.length for factor in abstract.dims[-1]):
        raise Refusal("a linear layer sums over a length, for which its weight is made")
    if flow.abstract(op.w).padded:
        raise Refusal("its weight has a length")
    silent = op.bias is None and (not op.activation or activation_named(op.activation).keeps_zero)
    rows = tuple(tuple(f.bare(0.0 if silent and f.fill == 0 else None) for f in dim) for dim in abstract.dims[:-1])
    out = Factor(op.w.shape[0])
    return flow(op), AbstractValue((*rows, (out,)), abstract.taint)


@transfers(matmul.Matmul)
def product(op: matmul.Matmul, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask a product that sums over a length: one side must be zero in the padding and the other finite."""
    a, b = op.a, op.b
    inner = flow.abstract(a).axis(len(a.shape) - 1)
    if inner.sample or any(f.sample for f in flow.abstract(b).dims[-2]):
        raise Refusal("it sums over the batch, whose samples have lengths of their own")
    if inner.length:
        other = flow.abstract(b).axis(len(b.shape) - 2)
        if other.length is None or not flow.same(inner.length, other.length):
            raise Refusal(f"it multiplies the length {inner.length} with the length {other.length}")
        a, b = _contracted(a, b, flow)
    first, second = flow.abstract(a), flow.abstract(b)
    zero = not inner.length and first.finite and second.finite
    outer = broadcast_outer(flow, a, b)
    rows = tuple(f.bare(0.0 if zero and f.fill == 0 else None) for f in first.dims[-2])
    columns = tuple(f.bare(0.0 if zero and f.fill == 0 else None) for f in second.dims[-1])
    return flow(matmul.Matmul(a, b)), AbstractValue((*outer, rows, columns), first.taint | second.taint)


def _contracted(a: Value, b: Value, flow: Flow) -> tuple[Value, Value]:
    """Mask both sides so that padding adds nothing: the smaller side with zeros, if neither is zero in the padding."""
    last, row = len(a.shape) - 1, len(b.shape) - 2
    zero_a, zero_b = flow.abstract(a).axis(last).fill == 0, flow.abstract(b).axis(row).fill == 0
    if not zero_a and not zero_b:
        zero_a = a.type.numel < b.type.numel
    if zero_a:
        return flow.masked(a, [last], 0.0, WHY), _finite_or_masked(b, row, flow)
    return _finite_or_masked(a, last, flow), flow.masked(b, [row], 0.0, WHY)


def _finite_or_masked(value: Value, dim: int, flow: Flow) -> Value:
    """Make a value finite in the padding of a dimension."""
    if flow.abstract(value).axis(dim).fill == 0:
        return value
    return flow.finite(value, WHY)


def broadcast_outer(flow: Flow, a: Value, b: Value) -> tuple:
    """Broadcast the leading dimensions of a product."""
    abstract_a, abstract_b = flow.abstract(a), flow.abstract(b)
    outer = [AbstractValue(abstract.dims[:-2], abstract.taint) for abstract in (abstract_a, abstract_b)]
    return broadcast(flow, (a, b), _zero_of, outer).dims


def _zero_of(contents) -> float | None:
    """Return 0 where one side is 0 and both are finite, else None."""
    parts: list[Content] = list(contents)
    return 0.0 if all(c.finite for c in parts) and any(c.number == 0 for c in parts) else None


@transfers(attention.Attention)
def attend(op: attention.Attention, flow: Flow) -> tuple[Value, AbstractValue]:
    """Attend to valid keys only: keys beyond the length are masked, unless causality excludes them."""
    keys = flow.abstract(op.k).axis(2)
    values = flow.abstract(op.v).axis(2)
    _check_attention(op, flow)
    if keys.length is None and values.length is None:
        return flow(op), _attended(op, flow)
    if keys.length is None or values.length is None or not flow.same(keys.length, values.length):
        raise Refusal(f"its keys have the length {keys.length}, its values {values.length}")
    k = flow.finite(op.k, "attention over the length")
    v = flow.finite(op.v, "attention over the length")
    op = replace(op, k=k, v=v)
    queries = flow.abstract(op.q).axis(2)
    own = op.causal and queries.length is not None and flow.same(queries.length, keys.length)
    if not own:
        # No key of the padding is the only one of a query: a mask made here leaves at least one, as lengths do.
        op = replace(op, mask=_key_mask(op, flow), empty=op.empty if op.mask is not None else "never")
    return flow(op), _attended(op, flow)


def _check_attention(op: attention.Attention, flow: Flow) -> None:
    for value in (op.q, op.k, op.v):
        abstract = flow.abstract(value)
        if any(d in abstract.padded_dims for d in (0, 1, 3)):
            raise Refusal("its heads, samples or channels are a length")
        if any(factor.sample for dim in abstract.dims[1:] for factor in dim):
            raise Refusal("it mixes samples of the batch, which have lengths of their own")


def _attended(op: attention.Attention, flow: Flow) -> AbstractValue:
    """Give the abstract value of a result [B, H, Sq, Dv]; nothing is known of rows of queries in the padding."""
    q, v = flow.abstract(op.q), flow.abstract(op.v)
    taint = q.taint | v.taint | flow.abstract(op.k).taint
    if op.mask is not None:
        taint |= flow.abstract(op.mask).taint
        taint |= {flow.origin} if _excludes_rows(op.mask, flow) else set()
    rows = tuple(f.bare() for f in q.dims[2])
    return AbstractValue((q.dims[0], q.dims[1], rows, v.dims[3]), taint)


def _excludes_rows(mask: Value, flow: Flow) -> bool:
    """Return whether a mask may leave a query of the padding without any key."""
    abstract = flow.abstract(mask)
    queries = [f for f in abstract.dims[-2] if f.length and not f.alike] if len(abstract.dims) > 1 else []
    return any(f.fill != 1 if mask.dtype is DType.bool else f.fill == float("-inf") for f in queries)


def _key_mask(op: attention.Attention, flow: Flow) -> Value:
    """Mask the keys beyond the length in the op's mask, or in a new one."""
    why = "attention over the length"
    mask = op.mask
    if mask is None:
        mask = flow(Full(TensorType(DType.bool, ()), True))
        abstract = AbstractValue(((), (), (), tuple(f.bare() for f in flow.abstract(op.k).dims[2])))
        shape = (1, 1, 1, op.k.shape[2])
        if any(f.sample for f in flow.abstract(op.k).dims[0]):
            abstract, shape = (
                replace(abstract, dims=(flow.abstract(op.k).dims[0], *abstract.dims[1:])),
                (op.k.shape[0], 1, 1, op.k.shape[2]),
            )
        mask = flow(Expand(mask, shape))
        flow.state(mask, abstract)
        return flow.masked(mask, [3], 0, why)
    last = len(mask.shape) - 1
    axis = flow.abstract(mask).axis(last)
    if axis.length is None:
        raise Refusal("its mask is one for all keys")
    if mask.dtype is DType.bool:
        return flow.masked(mask, [last], 0, why)
    return flow.masked(mask, [last], lowest(mask.dtype), why)


@transfers(attention.Rotary, broadcasts=True)
def rotate(op: attention.Rotary, flow: Flow) -> tuple[Value, AbstractValue]:
    """Compute row by row: nothing is known of the numbers that rows of the padding become."""
    last = op.x.type.rank - 1
    if last in flow.abstract(op.x).padded_dims:
        raise Refusal("the dimension that it rotates is a length")
    abstract = broadcast(flow, op.operands(), lambda contents: None)
    taint = frozenset().union(*(flow.abstract(value).taint for value in op.operands()))
    return flow(op), replace(abstract, taint=taint | ({flow.origin} if abstract.padded else set()))
