"""The outline of a trace: which ops a model's own code calls, and with which numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.utils import _pytree as pytree

Called = tuple[object, tuple[int, ...], tuple[object, ...]]
"""An op, the ranks of its results, and its operands that are no tensors."""

Outline = tuple[Called, ...]

LEFT_OUT = (torch.ops.aten.slice.Tensor, torch.ops.aten.alias.default, torch.ops.aten.contiguous.default)
"""Ops that torch leaves out of a trace or writes as an alias where the result is all of the operand, as stored."""


def outline(program: ExportedProgram) -> Outline:
    """Return the ops of a program as traced, in order, with those of regions and branches inside; LEFT_OUT are not."""
    modules = [module for module in program.graph_module.modules() if isinstance(module, GraphModule)]
    called = (node for module in modules for node in module.graph.nodes if node.op == "call_function")
    nodes = (node for node in called if node.target not in LEFT_OUT)
    return tuple((str(node.target), tuple(_ranks(node)), tuple(_numbers(node))) for node in nodes)


def alike(tried: Outline, read: Sequence[Outline]) -> bool:
    """Return whether code does the same as in those outlines that were read: numbers that these share are the same.

    Code that branches on a size in Python does something else on each side, and so does a `squeeze` that drops a size
    of 1. Numbers in which the outlines differ are sizes, or follow them.
    """
    read = [other for other in read if _ops(other) == _ops(tried)]
    rows = zip(tried, *read, strict=True)
    return bool(read) and all(_same(*(numbers for _, _, numbers in row)) for row in rows)


def _ops(outline: Outline) -> list[object]:
    """Return an outline's ops, ranks and counts of numbers."""
    return [(name, ranks, len(numbers)) for name, ranks, numbers in outline]


def _same(tried: tuple[object, ...], *read: tuple[object, ...]) -> bool:
    """Return whether the numbers of an op are those that two or more outlines share."""
    columns = zip(tried, *read, strict=True)
    return len(read) == 1 or all(number == shared[0] or len(set(map(repr, shared))) > 1 for number, *shared in columns)


def _ranks(node: Node) -> Iterator[int]:
    """Yield the rank of each tensor that a node gives."""
    found: Any = node.meta.get("val")
    for item in found if isinstance(found, (list, tuple)) else (found,):
        if isinstance(item, Tensor):
            yield item.ndim


def _numbers(node: Node) -> Iterator[object]:
    """Yield the operands of a node that are no tensors: numbers, flags, words."""
    for leaf in pytree.tree_leaves((node.args, node.kwargs)):
        if isinstance(leaf, (bool, int, float, str)):
            yield leaf
