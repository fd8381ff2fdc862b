"""The transfer function of recurrences: each sample's steps end with its length, in both directions."""

from __future__ import annotations

from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import Value
from ttc.ops import recurrent
from ttc.ops.padding.abstract import AbstractValue, Factor
from ttc.ops.padding.transfer import Flow, transfers
from ttc.ops.shape import Expand, Reshape


@transfers(recurrent.Lstm, recurrent.Gru, recurrent.Rnn)
def recurrence(op: recurrent.Recurrence, flow: Flow) -> tuple[tuple[Value, ...], tuple[AbstractValue, ...]]:
    """Give the op the true lengths, unless the op has lengths of its own; results beyond a length are zero."""
    x = flow.abstract(op.x)
    steps = x.axis(0)
    if any(d in x.padded_dims for d in (1, 2)):
        raise Refusal("its samples or channels are a length")
    if any(factor.sample for d in (0, 2) for factor in x.dims[d]):
        raise Refusal("it mixes samples of the batch, which have lengths of their own")
    if steps.length:
        operand = flow.finite(op.x, "a recurrence along the length")
        op = replace(op, x=operand, lengths=op.lengths or _lengths(op, x, steps, flow))
    results = flow(op)
    taint = flow.abstract(op.x).taint
    batch = x.dims[1]
    last = (Factor(results[0].shape[2]),)
    abstracts = [AbstractValue(((steps.bare(0.0 if steps.length else None),), batch, last), taint)]
    for state in results[1:]:
        first, last = (Factor(size) for size in (state.shape[0], state.shape[2]))
        abstracts.append(AbstractValue(((first,), batch, (last,)), taint))
    return results, tuple(abstracts)


def _lengths(op: recurrent.Recurrence, x: AbstractValue, steps: Factor, flow: Flow) -> Value:
    """Compute the true length of each sample, i64[B]."""
    assert steps.length is not None
    samples = op.x.shape[1]
    number = flow.length(steps.length, AbstractValue((x.dims[1],)))
    return flow(Expand(flow(Reshape(number, number.shape[-1:] or (1,))), (samples,)))
