"""The pass that makes one product of the projections of one value into heads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from ttc import ops
from ttc.ir import Graph, Node, Value
from ttc.ops.expr import Expr
from ttc.passes.fuse.merged import Group, merged, widths


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
    return merged(graph, _groups(graph), _columns)


def _groups(graph: Graph) -> list[Group]:
    """List the groups of two or more linears over one x, all split into heads; in a group queries come first."""
    readers, constants = graph.readers(), graph.constants
    outputs = {value for _, value in graph.outputs}
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


def _role(node: Node, readers: Mapping[Value, list[Node]]) -> int:
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


def _columns(group: Group, index: int, product: Expr) -> Expr:
    """Build one member's result [.., N], which is a slice of the merged product [.., members * N]."""
    sizes = widths(group)
    start = sum(sizes[:index])
    return product.part(-1, start, start + sizes[index])
