"""The pass that makes one recurrence of two LSTMs, the second of which reads the first."""

from __future__ import annotations

from collections.abc import Mapping, Set

import torch

from ttc import ops
from ttc.ir import TILE, Builder, Graph, Node, Op, Value, rebuilt
from ttc.ops.expr import Expr, apply, concat, constant, where
from ttc.ops.torch_types import to_torch
from ttc.passes.normal import builder_for

SMALL = 2**22
"""Numbers of a recurrent weight that L1 holds beside what a step computes: in bf16 8 MiB over all cores."""

SHORTEST = 4
"""Fewest steps that are worth what is cut and joined around them."""


def stack_lstm(graph: Graph) -> Graph:
    """Stack two LSTMs of one hidden size H into one of 2 H, in which the second layer is a step behind the first.

    In step t the first layer computes position t, and the second position t - 1, of which the state holds the first
    layer's result. So T + 1 steps do for 2 T.

    Before:
        %y: f32[9,1,32], .. = lstm(x=%x, w=%w, r=%r, bias=%b)
        %z: f32[9,1,32], .. = lstm(x=%y, w=%v, r=%s, bias=%c)
    After, for each gate:
        weights of inputs [[w, 0], [0, c]] of x and 1, recurrent weights [[r, 0], [v, s]], bias [b, 0]
        %y: f32[10,1,64], .. = lstm(x=%x_and_1, w=%w_0, r=%r_0, bias=%b_0)
        %z: f32[9,1,32] = slice(x=%y, starts=[1, 0, 32], ends=[10, 1, 64])
    """
    below = _below(graph)
    if not below:
        return graph
    builder, firsts = builder_for(graph), frozenset[Op](below.values())

    def new_results(node: Node, new: Mapping[Value, Value]) -> tuple[Value, ...] | None:
        if node.op in firsts:
            return ()
        first = below.get(node.op)
        if first is not None and isinstance(node.op, ops.Lstm):
            return _stacked(first, node.op, new, builder)
        return None

    return rebuilt(graph, builder, new_results)


def _below(graph: Graph) -> dict[Op, ops.Lstm]:
    """Return, by the second of each two layers to be stacked, the first."""
    readers, outputs = graph.readers(), {value for _, value in graph.outputs}
    found: dict[Op, ops.Lstm] = {}
    for node in graph.nodes:
        if not isinstance(node.op, ops.Lstm) or node.op in found or not _is_plain(node.op, graph.constants):
            continue
        y, *states = node.results
        read = readers[y]
        alone = len(read) == 1 and not any(readers[state] for state in states) and outputs.isdisjoint(node.results)
        # y2 = lstm(lstm(x)), both of H hidden numbers
        match read[0].op if alone else None:
            case ops.Lstm(x=x, lengths=lengths) as second if x is y and lengths is node.op.lengths:
                if second.hidden == node.op.hidden and _is_plain(second, graph.constants):
                    found[second] = node.op
    return found


def _is_plain(op: ops.Lstm, constants: Set[Value]) -> bool:
    """Return whether an LSTM goes forward from zeros, by known weights that L1 holds stacked."""
    weights = (op.w, op.r, *(() if op.bias is None else (op.bias,)))
    return (
        op == ops.Lstm(op.x, op.w, op.r, op.bias, op.lengths, op.h, op.c)  # and nothing else that an LSTM may have
        and all(state is None or ops.number_of(state) == 0 for state in (op.h, op.c))
        and op.directions == 1
        and constants >= {*weights}
        and op.hidden % TILE == 0
        and 16 * op.hidden**2 <= SMALL
        and op.x.shape[0] >= SHORTEST
    )


def _stacked(first: ops.Lstm, second: ops.Lstm, new: Mapping[Value, Value], builder: Builder) -> tuple[Value, ...]:
    """Build the second layer's results, y and the final states, of both layers in one."""
    steps, hidden = second.x.shape[0], second.hidden
    x, w1, r1, w2, r2 = (Expr(new[value], builder) for value in (first.x, first.w, first.r, second.w, second.r))
    lengths = None if second.lengths is None else Expr(new[second.lengths], builder)
    if lengths is not None:
        # the first layer's step behind a sample's end reads no padding: the second layer's last step follows
        position = constant(builder, torch.arange(steps)[:, None, None])
        x = where(position < lengths.cast(position.dtype).reshape(1, x.shape[1], 1), x, 0.0)
    w, rows = _layers(_gates(w1, hidden), None), x.pad(0, 0, 1)
    if second.bias is not None:
        # the second layer's bias is the weight of a column of ones, but in step 0: from zeros without a bias come zeros
        ones = torch.ones(steps + 1, x.shape[1], 1, dtype=to_torch(x.dtype))
        ones[0] = 0
        rows = concat([rows, constant(builder, ones)], 2)
        w = concat([w, _layers(None, _gates(Expr(new[second.bias], builder).reshape(1, 4 * hidden, 1), hidden))], 2)
    r = concat([_layers(_gates(r1, hidden), _gates(w2, hidden)), _layers(None, _gates(r2, hidden))], 2)
    bias = None
    if first.bias is not None:
        bias = _layers(_gates(Expr(new[first.bias], builder).reshape(1, 4 * hidden, 1), hidden), None)
        bias = bias.reshape(1, 8 * hidden)
    w, r = w.reshape(1, 8 * hidden, rows.shape[2]), r.reshape(1, 8 * hidden, 2 * hidden)
    y, *states = apply(ops.Lstm, rows, w, r, bias, None if lengths is None else lengths + 1)
    return tuple(value.value for value in (y.part(0, 1).part(2, hidden), *(state.part(2, hidden) for state in states)))


def _gates(weight: Expr, hidden: int) -> Expr:
    """Return a weight [1, 4 H, K] by gates, [4, H, K]."""
    return weight.reshape(4, hidden, weight.shape[2])


def _layers(first: Expr | None, second: Expr | None) -> Expr:
    """Put the rows of two layers [4, H, K] one below the other, zeros in place of those that are None."""
    if first is not None and second is not None:
        return concat([first, second], 1)
    if first is not None:
        return first.pad(1, 0, first.shape[1])
    assert second is not None
    return second.pad(1, second.shape[1], 0)
