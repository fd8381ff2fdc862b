"""Replay of a program on L1: the buffers at each node, their addresses, and the circular buffers beside them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from ttc.analysis.liveness import Liveness
from ttc.analysis.memory import Arena
from ttc.calls.banks import bank_bytes
from ttc.calls.call import Call, Workspace, spec_of
from ttc.calls.layout import Deallocate
from ttc.calls.loop import Loop
from ttc.calls.target import L1_SMALL_BYTES, Target
from ttc.ir import Body, Buffer, Graph, Op, Value

HEADROOM = 32 * 1024
"""Bytes per core left free beside the known buffers.

Calls that convert within themselves place buffers of their own, whose sizes are known as a bound only, so that later
addresses may differ from the replayed ones.
"""


@dataclass(frozen=True)
class Moment:
    """A node of a program: its call's workspace, the buffers that the node makes, with their sizes, and those freed."""

    workspace: Workspace
    made: tuple[tuple[Hashable, int], ...]  # (buffer, bytes per core)
    freed: tuple[Hashable, ...]


@dataclass(frozen=True)
class Replay:
    """Most bytes of L1 per core of `buffers`, and with circular buffers at each node; the nodes that do not fit."""

    buffers: int
    in_use: tuple[int, ...]
    clashes: tuple[int, ...]

    @property
    def peak(self) -> int:
        """Return the most bytes in use at any node, circular buffers included."""
        return max(self.in_use, default=0)


def l1_bank(target: Target) -> int:
    """Return the bytes of each core's L1 that buffers and circular buffers may take together."""
    return target.l1_bytes - L1_SMALL_BYTES


def schedule(graph: Graph, target: Target) -> list[Moment]:
    """List the L1 buffers made and freed at each node, each named by the value that it holds first.

    A buffer is freed by its deallocation; before there are any, with its last use. In a loop's body the inputs do not
    count: the program around the loop holds their buffers.
    """
    made: dict[int, list[tuple[Value, int]]] = {}
    freed: dict[int, list[Value]] = {}
    positions = {value: position for position, node in enumerate(graph.nodes) for value in node.results}
    gone = {node.op.tensor: position for position, node in enumerate(graph.nodes) if isinstance(node.op, Deallocate)}
    for life in Liveness(graph).lives:
        spec = spec_of(life.value)
        if spec.memory.buffer is Buffer.L1 and not (life.kept and isinstance(graph, Body)):
            made.setdefault(positions[life.value], []).append((life.value, bank_bytes(spec, target)))
            freed.setdefault(gone.get(life.value, life.end), []).append(life.value)
    return [
        Moment(
            workspace(node.op, target),
            tuple(made.get(position, ())),
            tuple(freed.get(position, ())),
        )
        for position, node in enumerate(graph.nodes)
    ]


def live_at_most(moments: Sequence[Moment]) -> int:
    """Return the most bytes per core that live at any node: no places of the buffers take less.

    A buffer lives until it is freed; a call adds the buffers that it makes and frees inside.
    """
    sizes = {buffer: size for moment in moments for buffer, size in moment.made}
    live = most = 0
    for moment in moments:
        made = sum(size for _, size in moment.made)
        live += made
        most = max(most, live + moment.workspace.beyond(made))
        live -= sum(sizes[buffer] for buffer in moment.freed)
    return most


def workspace(op: Op, target: Target) -> Workspace:
    """Return the memory that a call takes while it runs; for a loop, that of the fullest moment of its body."""
    if isinstance(op, Loop):
        body = replay(schedule(op.body, target), target)
        return Workspace(circular_buffers=body.peak - body.buffers, l1=(body.buffers,) if body.buffers else ())
    return op.workspace(target) if isinstance(op, Call) else Workspace()


def replay(moments: list[Moment], target: Target, without: frozenset[int] = frozenset()) -> Replay:
    """Allocate and free as TTNN would, leaving out the buffers that the nodes `without` make.

    A node clashes where its buffers find no block, or circular buffers and head-room reach the lowest address.
    """
    held = Held(Arena(l1_bank(target)))
    buffers = 0
    in_use: list[int] = []
    clashes: list[int] = []
    for position, moment in enumerate(moments):
        used, fits = held.past(moment, position in without)
        buffers = max(buffers, used)
        in_use.append(used + moment.workspace.circular_buffers)
        if not fits:
            clashes.append(position)
    return Replay(buffers, tuple(in_use), tuple(clashes))


def depths(graph: Graph, target: Target) -> dict[Value, int]:
    """Return how many bytes below the end of L1 each buffer begins, in the replay of a program; loops' bodies aside."""
    held, found = Held(Arena(l1_bank(target))), dict[Value, int]()
    for node, moment in zip(graph.nodes, schedule(graph, target), strict=True):
        held.past(replace(moment, freed=()))
        found.update((value, held.depth(value)) for value in node.results if value in held)
        held.past(Moment(Workspace(), (), moment.freed))
    return found


class Held:
    """The buffers in each core's L1 between two nodes, and their addresses."""

    def __init__(self, arena: Arena, addresses: Mapping[Hashable, int] | None = None):
        self._arena, self._addresses = arena, dict(addresses or {})

    def copy(self) -> Held:
        """Return an L1 of its own with the same buffers."""
        return Held(self._arena.copy(), self._addresses)

    def __contains__(self, buffer: Hashable) -> bool:
        return buffer in self._addresses

    def depth(self, buffer: Hashable) -> int:
        """Return how many bytes below the end of L1 a buffer begins."""
        return self._arena.size - self._addresses[buffer]

    def past(self, moment: Moment, elsewhere: bool = False) -> tuple[int, bool]:
        """Allocate and free what a node does; what the node makes only if that does not lie `elsewhere`.

        Return the bytes that buffers take meanwhile, and whether these, the circular buffers and the head-room fit.
        """
        arena, workspace = self._arena, moment.workspace
        begun = arena.begin(workspace)
        missing, beside = begun is None, arena.lowest
        for buffer, size in () if elsewhere else moment.made:
            address = arena.take(size)
            missing |= address is None
            if address is not None:
                self._addresses[buffer] = address
        used = arena.size - arena.lowest
        free = min(arena.lowest, (beside if workspace.apart else arena.lowest) - workspace.circular_buffers)
        fits = not missing and (not used or free >= HEADROOM)
        arena.end(begun or ())
        arena.end(self._addresses.pop(buffer) for buffer in moment.freed if buffer in self._addresses)
        return used, fits
