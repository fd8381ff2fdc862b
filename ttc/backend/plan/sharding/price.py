"""Prices of forms: the predicted seconds of a call in a form, and the L1 that the call works in."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

from ttc.analysis.cost.constants import CONSTANTS
from ttc.analysis.cost.price import seconds
from ttc.backend.plan.place import runs_alike_in_l1
from ttc.backend.plan.sharding.forms import Form, forms, over_banks, stated, tensors
from ttc.backend.plan.sharding.layouts import Grids
from ttc.calls.banks import bank_bytes
from ttc.calls.call import Call, Workspace, kind_of, spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.convolution import prepared_bias, prepared_weights
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.target import Target
from ttc.errors import TtcError
from ttc.ir import DRAM, L1, DType, Input, MemoryConfig, Node, Spec, Value

DOUBT = 12e-6
"""Seconds that a conversion must save beside its own: a quarter, the model's mean error, of two calls of 25 us."""


@dataclass(frozen=True)
class Offer:
    """A form of a call with its price: seconds, and bytes of L1 per core.

    These are `workspace`, beside operands and result, and `made`, a result in shards that has a place of its own.
    """

    form: Form
    seconds: float
    workspace: Workspace
    made: int


class Prices:
    """The offers of each kind of call of a program on one card, each found once."""

    def __init__(self, grids: Grids, target: Target):
        self.grids, self.target = grids, target
        self._offers: dict[Hashable, list[Offer]] = {}
        self._moves: dict[tuple[DType, tuple[int, ...], int, int], float] = {}

    def offers(self, call: Call) -> list[Offer]:
        """List the offers of a call that has forms on shards, the one in interleaved memory among them."""
        key = kind_of(call)
        if key not in self._offers:
            plain = Form((None,) * len(tensors(call)), None)
            every = [plain, *forms(call, self.grids, self.target)]
            offers = [offer for form in every if (offer := self._offer(call, form))]
            self._offers[key] = self._competitive(call, offers, plain)
        return self._offers[key]

    def _competitive(self, call: Call, offers: list[Offer], plain: Form) -> list[Offer]:
        """Return the plain offer, and those no slower than the cheapest between moves from, and to, their memories.

        Of offers between the same memories one that is slower may work in less L1: the fastest stands for all.
        """
        best = min(offers, key=lambda offer: offer.seconds)
        specs, result = [spec_of(value) for value in tensors(call)], call.result_types()[0]
        assert isinstance(result, Spec)
        fastest: dict[Hashable, float] = {}
        for offer in offers:
            key = _memories(offer.form)
            fastest[key] = min(offer.seconds, fastest.get(key, offer.seconds))

        def around(form: Form) -> float:
            there = sum(map(self.moving, specs, form.operands, best.form.operands))
            return there + best.seconds + self.moving(result, best.form.result, form.result)

        return [
            offer for offer in offers if offer.form is plain or fastest[_memories(offer.form)] <= around(offer.form)
        ]

    def moving(self, spec: Spec, before: MemoryConfig | None, after: MemoryConfig | None) -> float:
        """Return the seconds that a tensor takes from one memory to another within L1."""
        if before is after:
            return 0.0
        key = (spec.dtype, spec.shape, id(before), id(after))
        if key not in self._moves:
            x = Value(Input(spec, ""), replace(spec, memory=before or L1), "")
            self._moves[key] = self._seconds(ToMemoryConfig(x, after or L1), replace(spec, memory=after or L1))
        return self._moves[key]

    def _offer(self, call: Call, form: Form) -> Offer | None:
        """Return one form with its price; None if TTNN refuses the call in this form."""
        fixed: Any = replace(call, **form.fields) if form.fields else call  # type: ignore[type-var]
        inside = L1 if runs_alike_in_l1(fixed) else DRAM
        moved = tuple(_in(x, memory or inside) for x, memory in zip(tensors(call), form.operands, strict=True))
        changed: Any = stated(call, form, moved, inside)
        try:
            changed = self._banked(changed) if form.banks else _prepared(changed)
            result = changed.infer()
        except TtcError:
            return None
        made = bank_bytes(result, self.target) if form.result and form.into is None else 0
        return Offer(form, self._seconds(changed, result), changed.workspace(self.target), made)

    def _banked(self, call: Any) -> Any:
        """Return a product with weights and bias over the banks of DRAM."""
        placed = {name: _in(getattr(call, name), memory) for name, memory in over_banks(call, self.target).items()}
        return replace(call, **placed)

    def _seconds(self, call: Call, result: Spec) -> float:
        """Predict the time of a call, with the doubt in conversions, and of reading again what is left in DRAM.

        The next call is priced as if all of its operands were in L1.
        """
        left = result.stored_bytes if result.memory == DRAM else 0
        again = left / self.target.dram_bytes_per_second * CONSTANTS[self.target.arch]["dram.share"]
        dispatch = call.dispatch(self.target)
        taken = seconds(Node(call, (Value(call, result, ""),)), self.target, dispatch)
        return taken + dispatch.conversions * DOUBT + again


def _memories(form: Form) -> Hashable:
    """Return a form's memories as a key; each is one object."""
    return tuple(map(id, form.operands)), id(form.result), form.into, form.banks


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
