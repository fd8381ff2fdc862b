"""Order of calls: a large result is computed right before the first call that reads it, if L1 then holds less."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from ttc.analysis.liveness import Liveness
from ttc.analysis.residency import l1_bank
from ttc.calls.banks import bank_bytes
from ttc.calls.call import Call, spec_of
from ttc.calls.target import Target
from ttc.ir import L1, Buffer, Graph, Node, Value

SHARE = 32
"""Results of less than one part in so many of L1 stay where the model computes them: their order decides nothing."""


def delay_calls(graph: Graph, target: Target) -> Graph:
    """Move each call of a large result down to the first call that reads the result, where fewer bytes live meanwhile.

        %n = ttnn.layer_norm(%x)              %y = ttnn.linear(%t, %w)
        %y = ttnn.linear(%t, %w)         ->   %n = ttnn.layer_norm(%x)
        %z = ttnn.linear(%n, %v)              %z = ttnn.linear(%n, %v)
        %a = ttnn.add(%x, %z)                 %a = ttnn.add(%x, %z)

    In a model of two streams, a call of one then no longer holds L1 during the calls of the other. A call stays
    whose operands live on for that call alone and are as large as the result, or are overwritten meanwhile; and one
    that would come where shards live, whose places in L1 are planned around the calls beside them.
    """
    order = _Order(graph, target)
    for node in reversed(graph.nodes):
        if order.is_movable(node):
            order.delay(node)
    return replace(graph, nodes=tuple(order.nodes)) if order.changed else graph


class _Order:
    """Nodes of a program in the order of running, and the readers of each value and of each buffer."""

    def __init__(self, graph: Graph, target: Target):
        self.nodes, self.changed = list(graph.nodes), False
        self._target, self._liveness = target, Liveness(graph)
        self._at = {id(node): at for at, node in enumerate(graph.nodes)}
        self._readers = graph.readers()
        self._users: defaultdict[Value, list[Node]] = defaultdict(list)
        self._overwriting: list[tuple[Node, set[Value]]] = []
        for node in graph.nodes:
            for value in dict.fromkeys(node.op.operands()):
                self._users[self._liveness.base(value)].append(node)
            if gone := node.op.overwrites():
                self._overwriting.append((node, {self._liveness.base(value) for value in gone}))
        lives = self._liveness.lives
        self._shards = [(graph.nodes[life.start], life.value) for life in lives if _in_l1(life.value)]
        self._fixed = {value for _, value in graph.outputs} | set(graph.states.values())
        self._lasting = {self._liveness.base(value) for value in self._fixed}

    def is_movable(self, node: Node) -> bool:
        """Return whether a node is a call of a large result that does nothing but compute the result, in every run."""
        call = node.op
        if not isinstance(call, Call) or call.effect or call.overwrites() or not self._fixed.isdisjoint(node.results):
            return False
        if any(map(_in_l1, (*call.operands(), *node.results))):
            return False
        held = sum(bank_bytes(replace(spec_of(value), memory=L1), self._target) for value in node.results)
        return SHARE * held >= l1_bank(self._target) and not any(map(self._liveness.kept, node.results))

    def delay(self, node: Node) -> None:
        """Move a node right before the first that reads one of its results, if fewer bytes live meanwhile."""
        here, there = self._at[id(node)], self._first_reader(node)
        last = there
        # calls that wait for the same reader, or for one another, stay: they would change places for ever
        while there > here + 1 and self.is_movable(before := self.nodes[there - 1]):
            if self._first_reader(before) > last:
                break
            there -= 1
        if there > here + 1 and self._is_better(node, here, there):
            self.nodes.insert(there - 1, self.nodes.pop(here))
            self._at |= {id(self.nodes[at]): at for at in range(here, there)}
            self.changed = True

    def _first_reader(self, node: Node) -> int:
        """Return where the first node stands that reads a result; 0 without one."""
        return min((self._at[id(reader)] for value in node.results for reader in self._readers[value]), default=0)

    def _is_better(self, node: Node, here: int, there: int) -> bool:
        """Return whether a call may stand before the node at `there`, and operands kept for that are the smaller."""
        operands = {self._liveness.base(value) for value in node.op.operands() if not self._liveness.kept(value)}
        for other, gone in self._overwriting:
            if here < self._at[id(other)] < there and not gone.isdisjoint(operands):
                return False
        if any(self._lives_at(shards, there) for shards in self._shards):
            return False
        longer = (x for x in operands - self._lasting if all(self._at[id(user)] < there for user in self._users[x]))
        made = [value for value in node.results if self._liveness.base(value) is value]
        return not made or sum(map(_bytes, longer)) < sum(map(_bytes, made))

    def _lives_at(self, shards: tuple[Node, Value], there: int) -> bool:
        """Return whether a buffer is made before the node at `there`, and read by that node or a later one."""
        maker, value = shards
        return self._at[id(maker)] < there and any(self._at[id(user)] >= there for user in self._users[value])


def _in_l1(value: Value) -> bool:
    return spec_of(value).memory.buffer is Buffer.L1


def _bytes(value: Value) -> int:
    return spec_of(value).stored_bytes
