"""The pass that makes one product of many small linears of one row, as styles and embeddings of time have them."""

from __future__ import annotations

from collections import defaultdict

from ttc import ops
from ttc.ir import Graph, Node
from ttc.ops.expr import Expr
from ttc.passes.fuse.merged import Group, merged, widths

FEWEST = 8
"""Linears that are worth one product: what moves each row of the product to tiles of its own costs about 6 of them."""

SMALL = 2**18
"""Numbers of a weight that is read in less time than a program takes to start; larger ones are not waited for."""


def merge_rows(graph: Graph) -> Graph:
    """Merge small linears of one x [1, K] and one width: one linear, whose result is cut into an entry for each.

    Before, 8 times:
        %a: f32[1,8] = linear(x=%x, w=%wa)
        %b: f32[1,8] = linear(x=%x, w=%wb)
    After:
        %wa_0: f32[64,8] = concat(xs=[%wa, %wb, ..], dim=0)
        %a: f32[1,64] = linear(x=%x, w=%wa_0)
        %a_0: f32[8,1,8] = reshape(x=%a, shape=[8, 1, 8])
        %a_1: f32[1,1,8] = slice(x=%a_0, starts=[0, 0, 0], ends=[1, 1, 8])
        %a_2: f32[1,8] = reshape(x=%a_1, shape=[1, 8])
    """
    return merged(graph, _groups(graph), _entry)


def _groups(graph: Graph) -> list[Group]:
    """List the groups of `FEWEST` or more small linears of one row, of equal widths, with a bias in all or in none."""
    found: defaultdict[tuple, list[Node]] = defaultdict(list)
    constants = graph.constants
    for node in graph.nodes:
        match node.op:
            # x @ w.T + bias, with x [1, K] and weights [N, K]
            case ops.Linear(x=x, w=w, bias=bias, activation="") if x.shape[:-1] == (1,) and w.type.numel <= SMALL:
                if w in constants and (bias is None or bias in constants):
                    found[x, w.shape, bias is None].append(node)
    return [tuple(group) for group in found.values() if len(group) >= FEWEST]


def _entry(group: Group, index: int, product: Expr) -> Expr:
    """Build one member's result [1, N], an entry of the product [1, members * N] as [members, 1, N]."""
    width = widths(group)[0]
    return product.reshape(len(group), 1, width).part(0, index, index + 1).reshape(1, width)
