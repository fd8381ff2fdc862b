"""Buffers in L1 beside their planned places: counted where both are known."""

from __future__ import annotations

from typing import Any

from ttc.ir import L1, Builder, Input, Spec
from ttc.ir.types import DType
from ttc.runtime.check.addresses import Addresses, l1_top

TOP = 5000


class Card:
    """A card whose tensors are their addresses, None outside L1."""

    def empty(self, spec: Spec) -> Any:
        assert spec.memory == L1
        return TOP - 2048

    def l1_address(self, tensor: Any) -> int | None:
        return tensor


def test_l1_ends_above_the_first_tile():
    assert l1_top(Card()) == TOP


def test_buffers_are_compared_where_a_plan_has_them():
    builder = Builder()
    planned, view = (builder(Input(Spec(DType.bf16, (32, 32)), name)) for name in "xy")
    addresses = Addresses(Card(), TOP)
    addresses.planned = {planned: 100}
    found = []
    for value, address in ((planned, TOP - 100), (planned, None), (view, 7), (planned, TOP - 101), (planned, TOP - 99)):
        addresses.note(value, address)
        found.append((addresses.found, addresses.misplaced))
    assert found == [(1, 0), (1, 0), (1, 0), (2, 1), (3, 2)]
