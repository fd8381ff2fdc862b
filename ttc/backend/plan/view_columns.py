"""Parts of a step's tensor: columns that are views of shards, so that no device program cuts them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import gcd

from ttc.analysis.residency import l1_bank
from ttc.backend.plan.bodies import in_bodies
from ttc.backend.plan.remade import remade, standing_memory
from ttc.calls.banks import bank_bytes
from ttc.calls.binary import BinaryCall
from ttc.calls.call import spec_of
from ttc.calls.loop import Take
from ttc.calls.narrow import Narrow
from ttc.calls.shape import Slice
from ttc.calls.shards import is_sharded, most_columns, width_shards
from ttc.calls.target import Target
from ttc.calls.ternary import Lerp, Where
from ttc.calls.unary import UnaryCall
from ttc.ir import TILE, Graph, MemoryConfig, Node, Op, Spec, Value
from ttc.ir.names import take_name

SHARE = 8
"""A tensor in shards takes at most this part of L1: what else a step computes is to fit beside it."""

READERS = (BinaryCall, UnaryCall, Lerp, Where)
"""Calls that read shards on any cores, one device program each, and write where they are told."""


Columns = tuple[int, int]
"""The first column of a part, and the end."""


@dataclass(frozen=True)
class Whole:
    """A tensor that lies in shards: the value that parts are cut out of, or a step of what a loop scans, by one take.

    `memory` is the shards, `parts` the columns of each part.
    """

    of: Value | Take
    memory: MemoryConfig
    parts: dict[Value, Columns]


def view_columns(graph: Graph, target: Target) -> Graph:
    """Put tensors whose readers all read columns into width shards, in the bodies of loops; the parts are views.

        %t: .. dram = ttnn.add(%p, %x)                    %t: .. l1 width_sharded 8x4 = ttnn.add(%p, %x, memory_config=..)
        %i: .. dram = ttnn.slice(%t, [0,0,0,0], [..])  -> %i: .. l1 width_sharded = ttnn.narrow(%t, 3, 0, 256)
        %f: .. dram = ttnn.slice(%t, [0,0,0,256], [..])   %f: .. l1 width_sharded = ttnn.narrow(%t, 3, 256, 256)

    A part lies in whole rows of cores, and holds whole tiles.
    """  # noqa: E501
    return in_bodies(graph, lambda body: _with_views(body, target))


def _with_views(body: Graph, target: Target) -> Graph:
    """Return a body whose parts are views."""
    wholes = list(_wholes(body, target))
    if not wholes:
        return body
    parts = {part: whole for whole in wholes for part in whole.parts}
    memories = {whole.of: whole.memory for whole in wholes if isinstance(whole.of, Value)}
    new: dict[Value, Value] = {}
    taken: dict[Take, Value] = {}
    names = {value.name for value in body.values()}
    nodes: list[Node] = []
    for node in body.nodes:
        value = node.results[0] if node.results else None
        if value in parts:
            whole = parts[value]
            if isinstance(whole.of, Take) and whole.of not in taken:
                nodes.append(_taken(whole.of, whole.memory, value, names))
                taken[whole.of] = nodes[-1].results[0]
            source = taken[whole.of] if isinstance(whole.of, Take) else new[whole.of]
            first, end = whole.parts[value]
            nodes.append(remade(node, Narrow(source, source.type.rank - 1, first, end - first), None))
        else:
            op = node.op.with_operands(lambda value: new.get(value, value))
            memory = memories.get(value) if value else None
            nodes.append(remade(node, op, memory or standing_memory(node, op)))
        new.update(zip(node.results, nodes[-1].results, strict=True))
    return replace(body, nodes=tuple(nodes), outputs=tuple((name, new[value]) for name, value in body.outputs))


def _taken(take: Take, memory: MemoryConfig, part: Value, names: set[str]) -> Node:
    """Return the node that takes a whole step into shards."""
    op = replace(take, memory_config=memory)
    return Node(op, (Value(op, op.infer(), take_name(f"{part.name}.whole", names), 0, part.location),))


# ---------------------------------------------------------------- which tensors


def _wholes(body: Graph, target: Target) -> Iterator[Whole]:
    """Yield the tensors whose parts can be views."""
    readers, outputs = body.readers(), {value for _, value in body.outputs}
    groups: dict[Value | Take, dict[Value, Columns]] = {}
    for node in body.nodes:
        for value in node.results:
            read = [reader.op for reader in readers[value]]
            cut = {op: columns for op in read if (columns := _columns(op)) is not None}
            if isinstance(node.op, (BinaryCall, UnaryCall)) and read and len(cut) == len(read) and value not in outputs:
                slices = {part: op for part in body.values() if (op := part.op) in cut}
                groups[value] = {part: cut[op] for part, op in slices.items()}
        if isinstance(node.op, Take) and node.op.columns is not None:
            groups.setdefault(replace(node.op, columns=None), {})[node.results[0]] = node.op.columns
    for of, parts in groups.items():
        if len(parts) > 1 and all(isinstance(reader.op, READERS) for part in parts for reader in readers[part]):
            spec = of.infer() if isinstance(of, Take) else spec_of(of)
            memory = _shards(spec, parts.values(), target)
            if memory is not None:
                yield Whole(of, memory, parts)


def _columns(op: Op) -> Columns | None:
    """Return the columns that a slice cuts out of whole rows; None for all other calls."""
    if not isinstance(op, Slice):
        return None
    whole = all(first == 0 for first in op.starts[:-1]) and op.ends[:-1] == op.input_tensor.shape[:-1]
    return (op.starts[-1], op.ends[-1]) if whole and op.by_tiles else None


def _shards(spec: Spec, parts: Iterable[Columns], target: Target) -> MemoryConfig | None:
    """Return the width shards of a tensor whose parts lie in whole rows of cores each; None where there are none."""
    unit = gcd(spec.shape[-1], *(number for part in parts for number in part))
    if is_sharded(spec) or unit % TILE:
        return None
    height = spec.shape[-1] // unit
    if height > target.grid[1]:
        return None
    memory = width_shards(spec, (most_columns(unit // TILE, target.grid[0]), height))
    fits = memory and bank_bytes(replace(spec, memory=memory), target) <= l1_bank(target) // SHARE
    return memory if fits else None
