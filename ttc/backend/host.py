"""Ops on the host: only those that the user names, and of these only the ones that lowering refuses."""

from __future__ import annotations

from collections.abc import Iterable

from ttc import ops
from ttc.calls.host import HostOp
from ttc.errors import InputError
from ttc.ir import Builder, Input, Node, Op, Spec, Value
from ttc.ir.text import print_node


def host_ops(names: Iterable[str]) -> frozenset[type[Op]]:
    """Return the ops of these names: mnemonics, or ONNX's names for the same ops; InputError for an unknown name."""
    known = {_plain(name): kind for name, kind in Op.registry.items() if kind.__module__.startswith(ops.__name__)}
    unknown = [name for name in names if _plain(name) not in known]
    if unknown:
        raise InputError(f"no op is called {', '.join(map(repr, unknown))}; `ttc ops` lists them")
    return frozenset(known[_plain(name)] for name in names)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def host_op(op: Op, operands: tuple[Value, ...], results: tuple[Spec, ...]) -> HostOp:
    """Return the call that has the host do `op`; `operands` are its operands as stored on the card."""
    builder = Builder()
    given = {v: builder(Input(v.type, str(n)), str(n)) for n, v in enumerate(dict.fromkeys(op.operands()))}
    made = builder.add(op.with_operands(given.__getitem__))
    text = print_node(Node(made[0].op, ()))
    takes, gives = (tuple(value.type for value in values) for values in (given, made))
    return HostOp(operands, op=text, takes=takes, gives=gives, results=results)
