"""Tensors that a model makes and then fills part by part, as expressions of their parts."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.fx import Graph, Node

aten = torch.ops.aten

MADE = (
    aten.empty.memory_format,
    aten.empty_like.default,
    aten.full.default,
    aten.full_like.default,
    aten.new_empty.default,
    aten.new_zeros.default,
    aten.zeros.default,
    aten.zeros_like.default,
)
"""Ops whose result lies in memory of its own, which nothing else has been given."""

SCATTERS = {aten.select.int: aten.select_scatter.default, aten.slice.Tensor: aten.slice_scatter.default}
"""Ops that return a tensor with one part replaced, by the view that is this part."""

Filled = tuple[Node, list[Node]]
"""A tensor that is made to be filled, and the copies into its parts, in order."""


def filled_by_parts(graph: Graph) -> list[Filled]:
    """List the tensors whose parts are written one after the other before anything else reads the tensor.

    Each part is a view of its own, which nothing but the copy into the part reads.
    """
    order = {node: position for position, node in enumerate(graph.nodes)}
    made = (node for target in MADE for node in graph.find_nodes(op="call_function", target=target))
    found = [(node, sorted(_copies(node), key=order.__getitem__)) for node in made]
    return [(node, copies) for node, copies in found if copies and _is_read_last(node, copies, order)]


def _copies(made: Node) -> Iterator[Node]:
    """Yield the copies into parts of a tensor whose results nobody reads."""
    for part in made.users:
        if part.target in SCATTERS and len(part.users) == 1:
            (copy,) = part.users
            into = copy.target is aten.copy_.default and copy.args[0] is part and copy.args[1] is not part
            if into and not copy.users:
                yield copy


def _is_read_last(made: Node, copies: list[Node], order: dict[Node, int]) -> bool:
    """Return whether all that reads a tensor, but the views that are copied into, comes after the last copy."""
    parts = [copy.args[0] for copy in copies]
    return all(user in parts or order[user] > order[copies[-1]] for user in made.users)


def scatter_parts(graph: Graph) -> None:
    """Replace copies into parts of tensors by expressions, the same as in torch's own trace.

    part = slice(made, 3, 0, None, 2)      part = slice(made, 3, 0, None, 2)
    copy_(part, x)                         new = slice_scatter(made, copy(part, x), 3, 0, None, 2)
    read(made)                             read(new)
    """
    for made, copies in filled_by_parts(graph):
        latest, parts = made, [copy.args[0] for copy in copies]
        readers = [user for user in made.users if user not in parts]
        for copy in copies:
            latest = _scattered(graph, made, latest, copy)
        made.replace_all_uses_with(latest, delete_user_cb=readers.__contains__)


def _scattered(graph: Graph, made: Node, latest: Node, copy: Node) -> Node:
    """Write one part into the latest form of a tensor, in place of the copy; return the tensor's next form."""
    part, *given = copy.args
    assert isinstance(part, Node)
    with graph.inserting_before(copy):
        copied = graph.call_function(aten.copy.default, (part, *given), copy.kwargs)
        new = graph.call_function(SCATTERS[part.target], (latest, copied, *part.args[1:]), part.kwargs)  # type: ignore[index]
    copied.meta = {**copy.meta, "val": part.meta["val"]}
    new.meta = {**copy.meta, "val": made.meta["val"]}
    graph.erase_node(copy)
    return new
