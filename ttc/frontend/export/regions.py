"""Regions of a program under `torch.no_grad`, or under an autocast that is switched off, as part of the program."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import torch
from torch.fx import GraphModule, Node

from ttc.frontend.export.branches import copied

higher_order = torch.ops.higher_order


def regions(module: GraphModule) -> list[Node]:
    """Return the nodes of regions that compute what their own ops compute: gradients are nobody's here."""
    found = module.graph.find_nodes(op="call_function", target=higher_order.wrap_with_set_grad_enabled)
    cast = module.graph.find_nodes(op="call_function", target=higher_order.wrap_with_autocast)
    return [*found, *(node for node in cast if not _enabled(node))]


def inline_regions(module: GraphModule) -> None:
    """Write the nodes of regions into the program, those of regions inside too.

    y = wrap_with_autocast("cpu", None, False, None, graph, x)[0]    ->    y = relu(x), the region's own result
    """
    while found := regions(module):
        for node in found:
            _inline(node, module)


def _enabled(node: Node) -> bool:
    """Return whether a region of autocast casts: device type, dtype and this flag are the first operands."""
    return node.args[2] is not False


def _inline(node: Node, module: GraphModule) -> None:
    region, operands = _parts(node)
    results = copied(region, operands, node, module)
    for user in list(node.users):
        assert user.target is operator.getitem, "torch.export takes each result of a region by its number"
        user.replace_all_uses_with(results[user.args[1]])  # type: ignore[index]
        module.graph.erase_node(user)
    module.graph.erase_node(node)


def _parts(node: Node) -> tuple[object, Sequence[object]]:
    """Return a region's graph and operands: the state before them is one flag, or four settings of autocast."""
    first = 1 if node.target is higher_order.wrap_with_set_grad_enabled else 4
    return node.args[first], node.args[first + 1 :]
