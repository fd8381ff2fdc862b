"""Tile padding of reduced lines: what is found in a trace, and what the real library does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.calls.programs import BF16, F32, I32, one, spec, values
from ttc.calls.call import Call
from ttc.calls.norm import Softmax
from ttc.calls.reduce import Max, Mean, Prod, Sum, Topk
from ttc.calls.target import TARGETS
from ttc.ir import DType, Value
from ttc.runtime.check import check_many
from ttc.runtime.check.padding import FILL, unfilled_padding

UNALIGNED = (3, 40, 64)

Make = Callable[[Value], Call]


@pytest.mark.parametrize(
    ("make", "reads_padding"),
    [
        (lambda x: Sum(x, (1,)), True),
        (lambda x: Sum(x, (2,)), False),
        (lambda x: Max(x, (0,)), False),
        (lambda x: Mean(x, (0, 1, 2)), True),
        (lambda x: Prod(x, 1), True),
        (lambda x: Prod(x, 2), False),
        (lambda x: Topk(x, 3, 1), True),
        (lambda x: Topk(x, 3, 2), False),
        (lambda x: Softmax(x, 1), False),  # masked by its kernel
    ],
)
def test_a_line_that_ends_inside_a_tile_is_filled_or_found(make: Make, reads_padding: bool):
    call = make(values(spec(BF16, *UNALIGNED))[0])
    assert bool(unfilled_padding(call, ["ReduceDeviceOperation"])) == reads_padding
    assert unfilled_padding(call, [FILL, "ReduceDeviceOperation"]) == ()


def test_the_fault_names_the_call_and_the_tensor():
    call = Sum(values(spec(BF16, *UNALIGNED))[0], (1,))
    (fault,) = unfilled_padding(call, [])
    assert fault == ("ttnn.sum reduces %x0, bf16[3,40,64] tile dram, and ttnn leaves the padding of its tiles unfilled")


MAKERS: list[tuple[DType, Make]] = [
    *((dtype, lambda x, kind=kind: kind(x, (1,))) for dtype in (BF16, F32, I32) for kind in (Sum, Max)),
    *((dtype, lambda x: Mean(x, (1, 2))) for dtype in (BF16, F32)),
    *((dtype, lambda x: Prod(x, 1)) for dtype in (BF16, F32)),
    *((dtype, lambda x: Topk(x, 3, 1)) for dtype in (BF16, F32)),
]


@pytest.mark.parametrize("target", ["n150", "p150"])
def test_the_real_library_fills(target: str, ttnn_python: str):
    reports = check_many([one(make, spec(dtype, *UNALIGNED)).text for dtype, make in MAKERS], TARGETS[target])
    assert [report.faults for report in reports] == [[]] * len(MAKERS)
    assert all(FILL in report.per_call[0]["device_ops"] for report in reports)
