"""Calls of one kind: those that TTNN treats alike, whichever values they read."""

from __future__ import annotations

from dataclasses import replace

from tests.calls.programs import BF16, F32, spec, values
from ttc.calls.binary import Add
from ttc.calls.call import Call, once_a_kind
from ttc.ir import L1


def test_one_call_of_each_kind_is_asked():
    asked: list[Call] = []

    def ask(call: Call) -> int:
        asked.append(call)
        return len(asked)

    x, y, wide, inside = values(
        spec(BF16, 32, 32), spec(BF16, 32, 32), spec(F32, 32, 32), spec(BF16, 32, 32, memory=L1)
    )
    first = Add(x, y)
    kinds = [first, replace(first, memory_config=L1), Add(x, wide), Add(wide, x), Add(x, inside), Add(x, 2.0)]
    number = once_a_kind(ask)
    assert [number(call) for call in kinds] == [1, 2, 3, 4, 5, 6]
    assert [number(call) for call in (*kinds, Add(y, x), Add(x, x))] == [1, 2, 3, 4, 5, 6, 1, 1]
    assert asked == kinds
    assert once_a_kind(ask)(first) == 7
