"""The pass that makes one product of the projections of one value into heads."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate

from ttc import ops
from ttc.ir import Builder, Graph, Node, Value, operands_first
from ttc.ops.expr import Expr, apply, concat
from ttc.passes.normal import builder_for

Group = tuple[Node, ...]


def merge_linear(graph: Graph) -> Graph:
    """Merge linears that share x and are split into heads of one size: one linear, and a slice for each.

    Before:
        %q: f32[1,5,8] = linear(x=%x, w=%wq)
        %k: f32[1,5,8] = linear(x=%x, w=%wk)
    After:
        %wq_0: f32[16,8] = concat(xs=[%wq, %wk], dim=0)
        %q: f32[1,5,16] = linear(x=%x, w=%wq_0)
        %q_0: f32[1,5,8] = slice(x=%q, starts=[0, 0, 0], ends=[1, 5, 8])
        %k: f32[1,5,8] = slice(x=%q, starts=[0, 0, 8], ends=[1, 5, 16])
    """
    groups = {node.results[0]: group for group in _groups(graph) for node in group}
    if not groups:
        return graph
    builder = builder_for(graph)
    new: dict[Value, Value] = {}
    for node in _weights_first(graph, groups):
        builder.at(node.results)
        group = groups.get(node.results[0]) if node.results else None
        if group:
            new[node.results[0]] = _part(group, group.index(node), new, builder)
            continue
        results = builder.again(node, node.op.with_operands(new.__getitem__))
        new.update(zip(node.results, results, strict=True))
    return builder.finish((name, new[value]) for name, value in graph.outputs)


def _groups(graph: Graph) -> list[Group]:
    """List the groups of two or more linears over one x, all split into heads; in a group queries come first."""
    readers: defaultdict[Value, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        for value in node.op.operands():
            readers[value].append(node)
    outputs = {value for _, value in graph.outputs}
    constants = graph.constants
    found: defaultdict[tuple, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        match node.op:
            # x @ w.T + bias, with weights [N, K] of any N, heads of one size, and a bias in all or in none
            case ops.Linear(x=x, w=w, bias=bias, activation=""):
                value = node.results[0]
                known = w in constants and (bias is None or bias in constants)
                head = _head_size(readers[value])
                if known and value not in outputs and head is not None:
                    found[x, head, bias is None].append(node)
    return [tuple(sorted(group, key=lambda node: _role(node, readers))) for group in found.values() if len(group) > 1]


def _role(node: Node, readers: dict[Value, list[Node]]) -> int:
    """Return 0, 1, 2 for queries, keys, values, the order in which TTNN splits heads; 3 for any other linear."""
    value = node.results[0]
    while len(readers[value]) == 1:
        reader = readers[value][0]
        match reader.op:
            # attention(q=heads of x @ wq.T, k=heads of x @ wk.T, v=heads of x @ wv.T)
            case ops.Attention(q=q, k=k):
                return 0 if q is value else 1 if k is value else 2
            # what is done to heads on their way to the attention
            case ops.Reshape() | ops.Permute() | ops.RmsNorm() | ops.LayerNorm() | ops.Rotary() | ops.Concat():
                value = reader.results[0]
            case _:
                break
    return 3


def _head_size(reading: list[Node]) -> int | None:
    """Return D where the one reader splits the last dimension into heads: [B, S, H * D] to [B, S, H, D]; else None.

    Of one row, S = 1, the heads may be [B, H, 1, D]: that is the same order of elements.
    """
    match [node.op for node in reading]:
        case [ops.Reshape(x=x, shape=(_, heads, 1, size))] if heads > 1 and x.type.rank == 3:
            return size if heads * size == x.shape[-1] else None
        case [ops.Reshape(x=x, shape=(*batch, heads, size))]:
            return size if heads * size == x.shape[-1] and len(batch) == 2 and heads > 1 else None
    return None


def _weights_first(graph: Graph, groups: dict[Value, Group]) -> list[Node]:
    """Order the nodes so that all weights of a group come before the group's first member."""
    producer = {value: node for node in graph.nodes for value in node.results}
    order: dict[int, Node] = {}

    for node in graph.nodes:
        group = groups.get(node.results[0], ()) if node.results else ()
        needed = (value for member in group for value in member.op.operands())
        for value in operands_first(needed, lambda value: id(producer[value]) not in order):
            order[id(producer[value])] = producer[value]
        order.setdefault(id(node), node)
    return list(order.values())


def _part(group: Group, index: int, new: dict[Value, Value], builder: Builder) -> Value:
    """Build one member's result [.., N], which is a slice of the merged product [.., members * N]."""
    linears = [node.op for node in group if isinstance(node.op, ops.Linear)]
    first = linears[0]
    # x @ [w0; w1; ..].T + [b0; b1; ..] = [x @ w0.T + b0, x @ w1.T + b1, ..]
    w = concat([Expr(new[op.w], builder) for op in linears], 0)
    biases = [Expr(new[op.bias], builder) for op in linears if op.bias is not None]
    product = apply(ops.Linear, Expr(new[first.x], builder), w, concat(biases, 0) if biases else None)
    ends = list(accumulate(op.w.shape[0] for op in linears))
    return product.part(-1, ends[index] - linears[index].w.shape[0], ends[index]).value
