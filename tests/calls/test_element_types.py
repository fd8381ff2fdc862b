"""Element types that calls claim to take, put to the real library: every call that samples reach, every type.

A call whose `dtypes` promise more than TTNN takes fails here, block formats and numbers in the place of integer
tensors included. Prepared weights of convolutions are left out: no tensor but the library's own has their padding.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace

import pytest

from tests.calls.programs import BF16, I32, One, one, spec, values
from tests.samples import SAMPLES
from ttc.calls import binary, unary
from ttc.calls.call import Call, spec_of
from ttc.calls.layout import BLOCK_FORMATS
from ttc.calls.loop import Loop, StepCall
from ttc.calls.spelling import DTYPES as STORED
from ttc.calls.target import TARGETS
from ttc.errors import Refusal, Refused, TypeRuleError
from ttc.ir import DType, Graph, Layout, Spec, bodies
from ttc.pipeline import Options, compile_graph
from ttc.runtime.check import check_many


def calls_in(graph: Graph) -> Iterator[Call]:
    """A program's calls, those of bodies as they are at the first step."""
    for node in graph.nodes:
        for body in bodies(node.op):
            yield from calls_in(body)
        if isinstance(node.op, Call) and not isinstance(node.op, Loop):
            yield node.op.at(0) if isinstance(node.op, StepCall) else node.op


def sampled_calls() -> dict[Hashable, Call]:
    """One call of each kind and set of operand types, from the samples' bf16 and fp32 programs."""
    found: dict[Hashable, Call] = {}
    for sample in SAMPLES:
        for dtype in ("bf16", "fp32"):
            try:
                program = compile_graph(sample.graph()[0], Options(TARGETS["n150"], dtype)).program.graph
            except Refused:
                continue
            for call in calls_in(program):
                types = tuple((value.dtype, spec_of(value).layout) for value in call.operands())
                if not any(spec_of(value).padded for value in call.operands()):
                    found.setdefault((type(call), types), call)
    return found


def with_type(spec: Spec, old: DType, new: DType) -> Spec:
    """A spec of this element type, tiled where the type exists in tiles only."""
    if spec.dtype is not old:
        return spec
    return replace(spec, dtype=new, layout=Layout.TILE if new in BLOCK_FORMATS else spec.layout)


def claims(call: Call) -> Iterator[One]:
    """The call with each element type in the place of one that it has, where its type rule takes that."""
    operands = call.operands()
    for old in {value.dtype for value in operands}:
        for new in STORED:
            specs = [with_type(spec_of(value), old, new) for value in operands]

            def make(*values):
                return call.with_operands(dict(zip(operands, values, strict=True)).__getitem__)

            try:
                yield one(make, *specs)
            except (Refusal, TypeRuleError):
                continue


def first_of_each_kind(calls: Iterable[Call]) -> list[Call]:
    return list({type(call): call for call in reversed(list(calls))}.values())


@pytest.mark.parametrize(
    ("target", "every"),
    [("n150", False), *(pytest.param(target, True, marks=pytest.mark.sweep) for target in TARGETS)],
)
def test_real_ttnn_takes_every_type_that_is_claimed(target: str, every: bool, ttnn_python: str):
    sampled = sampled_calls().values()
    chosen = sampled if every else first_of_each_kind(sampled)
    programs = [program for call in chosen for program in claims(call)]
    reports = check_many([program.text for program in programs], TARGETS[target])
    faults = [
        f"{report.refusal or report.spec_mismatches}\n{program.text}"
        for program, report in zip(programs, reports, strict=True)
        if not report.ok
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("dtype", "number", "message"),
    [
        (I32, 0.25, "a tensor of i32 cannot hold the number 0.25"),
        (I32, 2**31, "cannot hold the number 2147483648"),
        (I32, -(2**31) - 1, "cannot hold the number -2147483649"),
        (I32, float("inf"), "cannot hold the number inf"),
        (I32, float("nan"), "cannot hold the number nan"),
        (DType.u32, -1, "a tensor of u32 cannot hold the number -1"),
        (DType.u16, 2**16, "a tensor of u16 cannot hold the number 65536"),
    ],
)
def test_numbers_that_an_integer_tensor_cannot_hold_are_refused(dtype: DType, number: float, message: str):
    (x,) = values(spec(dtype, 2, 33))
    with pytest.raises(Refusal, match=message):
        binary.Multiply(x, number).infer()


@pytest.mark.parametrize("number", [0.25, 2**31, float("nan")])
def test_an_integer_tensor_is_not_selected_beside_such_a_number(number: float):
    (x,) = values(spec(I32, 2, 33))
    for call in (binary.Where(x, x, number), binary.Where(x, number, x)):
        with pytest.raises(Refusal, match="a tensor of i32 cannot hold the number"):
            call.infer()


@pytest.mark.parametrize("bound", [{"min": 0.5}, {"max": -0.5}, {"min": 0, "max": float("inf")}, {"min": 0.0}])
def test_integers_are_clamped_by_integers(bound: dict[str, float]):
    (x,) = values(spec(I32, 2, 33))
    with pytest.raises(Refusal, match=r"a tensor of i32 cannot hold the number|clamped by integers"):
        unary.Clamp(x, **bound).infer()


@pytest.mark.parametrize(("dtype", "number"), [(I32, 2**31 - 1), (I32, -(2**31)), (DType.u16, 2.0), (BF16, 0.25)])
def test_the_ends_of_a_type_are_numbers_of_it(dtype: DType, number: float):
    (x,) = values(spec(dtype, 2, 33))
    assert binary.Add(x, number).infer() == x.type
