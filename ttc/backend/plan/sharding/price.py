"""Prices of forms: the predicted seconds of a call in a form, and the L1 that the call works in."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from ttc.analysis.cost.roofline import DRAM_EFFICIENCY, roofline
from ttc.analysis.memory import bank_bytes
from ttc.backend.plan.place import runs_alike_in_l1
from ttc.backend.plan.sharding.forms import Form, forms, stated, tensors
from ttc.backend.plan.sharding.layouts import Grids
from ttc.calls.call import Call, kind_of, spec_of
from ttc.calls.conv import Conv2d, prepared_bias, prepared_weights
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.shards import is_sharded, matrix_tiles, most_columns
from ttc.calls.target import Target
from ttc.errors import TtcError
from ttc.ir import DRAM, L1, TILE, Input, MemoryConfig, Node, Sharding, Spec, Value

BYTES_PER_CYCLE = 16
"""Bytes of operands and results that a core unpacks and packs in a cycle, beside L1: tiles of an elementwise call."""

WORTH = 4
"""Moves that a form may cost more than a call's cheapest form: beyond, moving around the call is as cheap."""


@dataclass(frozen=True)
class Offer:
    """A form of a call with its price: seconds, and bytes of L1 per core beside the operands, the result included."""

    form: Form
    seconds: float
    room: int


class Prices:
    """The offers of each kind of call of a program on one card, each found once."""

    def __init__(self, grids: Grids, target: Target):
        self.grids, self.target = grids, target
        self._offers: dict[Hashable, list[Offer]] = {}
        self._moves: dict[Spec, float] = {}

    def offers(self, call: Call) -> list[Offer]:
        """List the offers of a call that has forms on shards, the one in interleaved memory among them."""
        key = kind_of(call)
        if key not in self._offers:
            plain = Form((None,) * len(tensors(call)), None)
            every = [plain, *forms(call, self.grids, self.target)]
            offers = [offer for form in every if (offer := self._offer(call, form))]
            limit = min(offer.seconds for offer in offers) + WORTH * self.moving(spec_of(tensors(call)[0]))
            self._offers[key] = [offer for offer in offers if offer.seconds <= limit or offer.form == plain]
        return self._offers[key]

    def moving(self, spec: Spec) -> float:
        """Return the seconds that a tensor takes from one memory to another within L1."""
        if spec not in self._moves:
            x = Value(Input(spec, ""), replace(spec, memory=L1), "")
            whole = roofline(Node(call := ToMemoryConfig(x, DRAM), (Value(call, spec, ""),)), self.target)
            self._moves[spec] = whole.dispatch_seconds + self._packing([spec_of(x)] * 2, self.target.cores)
        return self._moves[spec]

    def _offer(self, call: Call, form: Form) -> Offer | None:
        """Return one form with its price; None if TTNN refuses the call in this form."""
        inside = L1 if runs_alike_in_l1(replace(call, **form.fields)) else DRAM  # type: ignore[type-var]
        moved = tuple(_in(x, memory or inside) for x, memory in zip(tensors(call), form.operands, strict=True))
        changed: Any = stated(call, form, moved)
        if form.result is None:
            changed = replace(changed, memory_config=inside)
        try:
            changed = _prepared(changed)
            result = changed.infer()
        except TtcError:
            return None
        held = bank_bytes(result, self.target) if form.result else 0
        workspace = changed.workspace(self.target)
        return Offer(form, self._seconds(changed), held + workspace.circular_buffers + workspace.l1)

    def _seconds(self, call: Call) -> float:
        """Predict the time of a call on the cores that its shards lie on, interleaved on as many as there are tiles."""
        results = tuple(Value(call, type, "") for type in call.result_types())
        specs = [spec_of(value) for value in (*tensors(call), *results)]
        whole = roofline(Node(call, results), self.target)
        tiles = prod(matrix_tiles(specs[-1]))
        cores = min(self._cores(call, spec) for spec in specs)
        matrix = whole.matrix_seconds * min(self.target.cores, tiles) / cores
        # what stays in DRAM is read from there by the next call, which is priced as if all of its operands were in L1
        left = specs[-1].stored_bytes if specs[-1].memory == DRAM else 0
        read_again = left / self.target.dram_bytes_per_second / DRAM_EFFICIENCY
        return whole.dispatch_seconds + max(matrix + self._packing(specs, cores), whole.dram_seconds) + read_again

    def _cores(self, call: Call, spec: Spec) -> float:
        """Count the cores that have work all the time: the tiles of a tensor for each tile of the fullest core."""
        rows, columns = matrix_tiles(spec)
        if spec.memory.shard is not None:
            height, width = spec.memory.shard.shape
            return rows * columns / (height // TILE * (width // TILE))
        if isinstance(call, Conv2d) and call.conv_config.shard_layout is Sharding.BLOCK_SHARDED:
            lines = min(rows, self.target.grid[1])
            return rows / -(-rows // lines) * most_columns(columns, self.target.grid[0])
        count = rows if isinstance(call, Conv2d) else rows * columns
        return count / -(-count // self.target.cores)

    def _packing(self, specs: list[Spec], cores: float) -> float:
        """Predict the time of unpacking and packing tensors; interleaved ones come from, or go to, other cores."""
        moved = sum(spec.stored_bytes * (1 if is_sharded(spec) else 2) for spec in specs)
        return moved / cores / BYTES_PER_CYCLE / self.target.clock_hz


def _in(value: Value, memory: MemoryConfig) -> Value:
    return replace(value, type=replace(spec_of(value), memory=memory))


def _prepared(call: Any) -> Any:
    """Return a convolution with weights that are prepared for the call, another call as it is."""
    if not isinstance(call, Conv2d):
        return call
    weight = replace(call.weight_tensor, type=prepared_weights(call, spec_of(call.weight_tensor).dtype))
    bias = call.bias_tensor
    bias = bias and replace(bias, type=prepared_bias(call, spec_of(bias).dtype))
    return replace(call, weight_tensor=weight, bias_tensor=bias)
