"""`torch.cond` without control flow: both branches are computed, and the condition chooses element by element."""

from __future__ import annotations

import operator

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from ttc.errors import InputError
from ttc.frontend.location import location


def inline_branches(program: ExportedProgram) -> ExportedProgram:
    """Write the nodes of both branches of every `torch.cond` into the program, and a choice for each result.

        y = cond(p, true_graph, false_graph, [x])[0]    ->    y = where(p, a, b), a and b the branches' results of x

    Branches that are traced change nothing, so only the chosen one's numbers are seen. InputError for branches whose
    results differ in size.
    """
    module = program.graph_module
    if not branches(module):
        return program
    while found := branches(module):
        _inline(found[0], module)
    module.recompile()
    return program


def branches(module: GraphModule) -> list[Node]:
    """Return the nodes of `torch.cond`."""
    return module.graph.find_nodes(op="call_function", target=torch.ops.higher_order.cond)


def _inline(node: Node, module: GraphModule) -> None:
    condition, true, false, operands = node.args
    if not isinstance(condition, Node):
        chosen = copied(true if condition else false, operands, node, module)
        pairs = list(zip(chosen, chosen, strict=True))
    else:
        pairs = list(zip(*(copied(branch, operands, node, module) for branch in (true, false)), strict=True))
    for user in list(node.users):
        assert user.target is operator.getitem, "torch.export takes each result of a cond by its number"
        taken, other = pairs[user.args[1]]  # type: ignore[index]
        result = taken
        if taken is not other:
            _require_one_size(taken, other, user)
            with module.graph.inserting_before(user):
                result = module.graph.call_function(torch.ops.aten.where.self, (condition, taken, other))
            result.meta = dict(user.meta)
        user.replace_all_uses_with(result)
        module.graph.erase_node(user)
    module.graph.erase_node(node)


def _require_one_size(taken: Node, other: Node, user: Node) -> None:
    sizes = [list(result.meta["val"].shape) for result in (taken, other)]
    if sizes[0] != sizes[1]:
        where = location(user)
        raise InputError(
            f"the branches of torch.cond{f' in {where}' if where else ''} give {sizes[0]} and {sizes[1]}: "
            "a program has one size for each result"
        )


def copied(branch: object, operands: object, place: Node, module: GraphModule) -> list[Node]:
    """Copy a branch's nodes before a place; return the branch's results."""
    assert isinstance(branch, Node)
    assert isinstance(operands, (list, tuple))
    inner = getattr(module, str(branch.target))
    new = dict(zip(inner.graph.find_nodes(op="placeholder"), operands, strict=True))
    with module.graph.inserting_before(place):
        for node in inner.graph.nodes:
            if node.op == "get_attr":
                name = f"{branch.target}_{node.target}"  # a branch may have branches
                module.add_submodule(name, getattr(inner, node.target))
                new[node] = module.graph.get_attr(name)
            elif node.op == "call_function":
                new[node] = module.graph.node_copy(node, lambda operand: new[operand])
    (results,) = inner.graph.output_node().args
    return [new[result] for result in results]
