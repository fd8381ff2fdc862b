"""The verifier: it infers the types of every node again, once, and compares with the types that the program states."""

from __future__ import annotations

from ttc.errors import TtcError, TypeRuleError
from ttc.ir.graph import Const, Graph, Node, Value
from ttc.ir.loop import bodies

MISFITS = (ArithmeticError, LookupError, ValueError)
"""Errors of a type rule where sizes, dimensions and counts contradict each other."""


def verify(graph: Graph, where: str = "") -> Graph:
    """Return `graph` if it is well formed; else TypeRuleError with both sides and the lines around the fault.

    Checked: each operand is defined earlier, each name once, `infer` agrees with each result type, and outputs exist
    and have distinct names; no op reads an overwritten value, except to release it; the same of every loop's body.
    The message begins with `where` (a pass's name).
    """
    defined: set[Value] = set()
    names: set[str] = set()
    gone: set[Value] = set()
    for position, node in enumerate(graph.nodes):
        fault = _fault(node, defined, names) or _stale(node, gone)
        if fault:
            raise TypeRuleError(f"{where + ': ' if where else ''}{fault}\n{_around(graph, position)}")
        defined.update(node.results)
        names.update(value.name for value in node.results)
        gone.update(node.op.overwrites())
    for name, value in graph.outputs:
        if value in gone:
            raise TypeRuleError(
                f"{where + ': ' if where else ''}output {name!r} is %{value.name}, which is overwritten"
            )
        if value not in defined:
            raise TypeRuleError(
                f"{where + ': ' if where else ''}output {name!r} is %{value.name}, which nothing defines"
            )
    if len({name for name, _ in graph.outputs}) != len(graph.outputs):
        raise TypeRuleError(f"{where + ': ' if where else ''}two outputs share a name")
    return graph


def _fault(node: Node, defined: set[Value], names: set[str]) -> str | None:
    if not defined.issuperset(node.op.operands()):
        missing = next(operand for operand in node.op.operands() if operand not in defined)
        return f"{node.op.mnemonic} reads %{missing.name} before it is defined"
    for value in node.results:
        if value.name in names:
            return f"%{value.name} is defined twice"
    if node.__dict__.get("_fits"):  # as found after an earlier pass: nodes never change
        return None
    try:
        for body in bodies(node.op):
            verify(body, f"the body of {node.op.mnemonic}")
            if any(isinstance(inner.op, Const) for inner in body.nodes):
                return f"the body of {node.op.mnemonic} has constants of its own"
        types = node.op.result_types()
    except TtcError as error:
        return f"{node.op.mnemonic}: {error}"
    except MISFITS as error:
        return f"{node.op.mnemonic}: its operands and attributes do not fit together ({error})"
    stated = tuple(value.type for value in node.results)
    if types != stated:
        return f"{node.op.mnemonic} gives {_list(types)} but the program says {_list(stated)}"
    node.__dict__["_fits"] = True
    return None


def _stale(node: Node, gone: set[Value]) -> str | None:
    """Describe the fault of a node that reads an overwritten value; None if it reads none, or only releases one."""
    if not node.results or gone.isdisjoint(node.op.operands()):
        return None
    stale = next(operand for operand in node.op.operands() if operand in gone)
    return f"{node.op.mnemonic} reads %{stale.name}, which is overwritten before"


def _list(types: tuple) -> str:
    return ", ".join(map(str, types)) or "nothing"


def _around(graph: Graph, position: int) -> str:
    from ttc.ir.text import print_node

    lines = []
    for index in range(max(0, position - 2), min(len(graph.nodes), position + 3)):
        mark = ">" if index == position else " "
        lines.append(f"{mark} {print_node(graph.nodes[index])}")
    return "\n".join(lines)
