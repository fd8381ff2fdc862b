"""Projections of one value into heads become one product."""

from __future__ import annotations

from collections import defaultdict

from ttc import ops
from ttc.ir import Builder, Graph, Input, Node, Value, operands_first
from ttc.ops.expr import Expr, apply, concat
from ttc.passes.normal import builder_for

Group = tuple[Node, ...]


def merge_linear(graph: Graph) -> Graph:
    """Linears of equal widths that share x and are split into heads: one linear, and a slice for each.

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
    """Two or more linears over the same x, alike but for their weights, all split into heads; queries first."""
    readers: defaultdict[Value, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        for value in node.op.operands():
            readers[value].append(node)
    outputs = {value for _, value in graph.outputs}
    constants = _constants(graph)
    found: defaultdict[tuple, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        match node.op:
            case ops.Linear(x=x, w=w, bias=bias, activation=""):
                value = node.results[0]
                known = w in constants and (bias is None or bias in constants)
                if known and value not in outputs and _is_split(readers[value]):
                    found[x, w.shape, bias is None].append(node)
    return [tuple(sorted(group, key=lambda node: _role(node, readers))) for group in found.values() if len(group) > 1]


def _role(node: Node, readers: dict[Value, list[Node]]) -> int:
    """0, 1, 2 for what becomes queries, keys, values, the order in which heads are split; 3 for anything else."""
    value = node.results[0]
    while len(readers[value]) == 1:
        reader = readers[value][0]
        match reader.op:
            case ops.Attention(q=q, k=k):
                return 0 if q is value else 1 if k is value else 2
            case ops.Reshape() | ops.Permute():
                value = reader.results[0]
            case _:
                break
    return 3


def _is_split(reading: list[Node]) -> bool:
    """Whether the one reader splits the last dimension into heads: [B, S, H * D] to [B, S, H, D]."""
    match [node.op for node in reading]:
        case [ops.Reshape(x=x, shape=(*batch, heads, size))]:
            return heads * size == x.shape[-1] and len(batch) == 2 and heads > 1
    return False


def _constants(graph: Graph) -> set[Value]:
    """The values that depend on no input."""
    constants: set[Value] = set()
    for node in graph.nodes:
        if not isinstance(node.op, Input) and not node.op.effect and constants.issuperset(node.op.operands()):
            constants.update(node.results)
    return constants


def _weights_first(graph: Graph, groups: dict[Value, Group]) -> list[Node]:
    """The nodes, with all weights of a group before its first member."""
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
    """The result of one member: its slice of the merged product."""
    linears = [node.op for node in group if isinstance(node.op, ops.Linear)]
    first = linears[0]
    w = concat([Expr(new[op.w], builder) for op in linears], 0)
    biases = [Expr(new[op.bias], builder) for op in linears if op.bias is not None]
    product = apply(ops.Linear, Expr(new[first.x], builder), w, concat(biases, 0) if biases else None)
    width = first.w.shape[0]
    return product.part(-1, index * width, (index + 1) * width).value
