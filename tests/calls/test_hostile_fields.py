"""Numbers in a call's fields that nobody computed: a forged program is refused, or is one that can be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import chain
from typing import Any

import pytest

from tests.calls.claims import first_of_each_kind, sampled_calls
from ttc.analysis.cost import cost
from ttc.calls.call import Call
from ttc.calls.target import TARGETS
from ttc.errors import TtcError
from ttc.ir import L1, Node, Value
from ttc.ir.verify import MISFITS

NUMBERS = (-(2**63), -100, -2, -1, 0, 1, 7, 10**9, 2**63)


def forged(call: Call) -> Iterator[Call]:
    """The call, in L1 too, with each number of its fields and their tuples replaced."""
    in_l1 = [replace(call, memory_config=L1)] if hasattr(call, "memory_config") else []
    for standing in (call, *in_l1):
        for field in fields(call):
            for value in others(getattr(call, field.name), "..." in str(field.type)):
                yield replace(standing, **{field.name: value})


def others(value: Any, any_length: bool) -> Iterator[Any]:
    match value:
        case bool() | Value():
            return
        case int():
            yield from NUMBERS
        case float():
            yield from (0.0, -1.0, 1e300, float("inf"), float("-inf"), float("nan"))
        case tuple() if value and not isinstance(value[0], Value):
            if any_length:  # the reader of texts holds the others to their lengths
                yield from (value[:-1], (*value, value[-1]), ())
            for place, item in enumerate(value):
                for other in others(item, any_length):
                    yield (*value[:place], other, *value[place + 1 :])


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return first_of_each_kind(sampled_calls())


def test_forged_numbers_are_refused_or_can_be_looked_at(calls: list[Call]):
    target, faults, taken = TARGETS["n150"], [], 0
    for call in chain.from_iterable(map(forged, calls)):
        try:
            types = call.infer()
        except (TtcError, *MISFITS):  # the verifier says which line it is
            continue
        taken += 1
        try:
            call.workspace(target)
            results = tuple(Value(call, type, "y") for type in (types if isinstance(types, tuple) else (types,)))
            cost(Node(call, results), target)
        except TtcError:
            continue
        except Exception as error:
            faults.append(f"{call}: {error!r}")
    assert not faults, f"{len(faults)} of {taken}:\n" + "\n".join(fault[:300] for fault in faults)
    assert taken > 100
