"""Type rules: what each refuses, one step beyond what it takes; and that each of their conditions is tried."""

from __future__ import annotations

import ast
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import pytest

import ttc.ops
from tests.ops.refused import REFUSED
from tests.ops.written import changed, evaluated, inferred, op_of
from tests.samples import SAMPLES
from tests.samples.form import Pattern, Sample
from ttc.errors import TypeRuleError
from ttc.ir import Const, DType, Input, Op, TensorType, Value
from ttc.ir.verify import MISFITS

OPS = Path(ttc.ops.__file__).parent
CHECKS = (
    "require",
    "check_floating",
    "check_dim",
    "check_number",
    "same_dtype",
    "broadcast",
    "images",
    "gate",
    "window_output",
)


@pytest.mark.parametrize(("text", "changes", "message"), REFUSED)
def test_one_step_further_is_refused(text: str, changes: str, message: str):
    good = op_of(text)
    assert inferred(good) == evaluated(good)
    with pytest.raises(TypeRuleError) as error:
        changed(text, changes).infer()
    assert str(error.value).startswith(message)


def test_every_condition_of_a_type_rule_is_seen_to_refuse():
    """So that an op whose rule has a condition without a row above fails here."""
    assert not sorted(conditions() - set().union(*(reached(text, changes) for text, changes, _ in REFUSED)))


@cache
def conditions() -> frozenset[tuple[str, int]]:
    """File and line of every refusal in `ttc/ops`: of `require`, of the shared checks, of `raise TypeRuleError`.

    Meanings (`eval`, and what has a Tensor in hand) come after type rules, and refuse nothing; expressions come before
    them, and have a test of their own.
    """
    found = set()
    for path in sorted(set(OPS.glob("*.py")) - {OPS / "expr.py"}):
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        meanings = {id(inner) for f in functions if "Tensor" in ast.unparse(f.args) for inner in ast.walk(f)}
        meanings -= {id(inner) for f in functions if f.name == "infer" for inner in ast.walk(f)}
        for node in ast.walk(tree):
            match node:
                case _ if id(node) in meanings:
                    continue
                case ast.Call(func=ast.Name(id=name)) if name in CHECKS:
                    found.add((path.name, node.lineno))
                case ast.Raise(exc=ast.Call(func=ast.Name(id="TypeRuleError"))):
                    found.add((path.name, node.lineno))
    return frozenset(found)


def reached(text: str, changes: str) -> set[tuple[str, int]]:
    """The conditions that a refusal went through."""
    with pytest.raises(TypeRuleError) as error:
        changed(text, changes).infer()
    frames = traceback.extract_tb(error.value.__traceback__)
    return {(Path(frame.filename).name, line) for frame in frames for line in _statement(frame)}


def _statement(frame: traceback.FrameSummary) -> range:
    """The lines of what a frame executes: a call may go over several."""
    first = frame.lineno or 0
    return range(first, (frame.end_lineno or first) + 1)


def neighbours(op: Op) -> Iterator[Op]:
    """The op with one thing changed: an operand's rank, a size, its dtype; a number one more or one less."""
    for spec in fields(op):  # type: ignore[arg-type]
        value = getattr(op, spec.name)
        if isinstance(value, Value):
            for type in _types(value.type):  # type: ignore[arg-type]
                yield replace(op, **{spec.name: Value(Input(type, "x"), type, "x")})  # type: ignore[type-var]
        elif spec.name not in ("type", "rows"):
            for other in _others(value):
                yield replace(op, **{spec.name: other})  # type: ignore[type-var]


def _types(type: TensorType) -> Iterator[TensorType]:
    for dim, size in enumerate(type.shape):
        for other in (size + 1, size - 1):
            if other > 0:  # tensors without elements never reach torch: passes/simplify/empty.py
                yield replace(type, shape=(*type.shape[:dim], other, *type.shape[dim + 1 :]))
    yield replace(type, shape=(1, *type.shape))
    yield replace(type, shape=type.shape[1:])
    for dtype in (DType.f32, DType.bf16, DType.i32):
        yield replace(type, dtype=dtype)


def _others(value: object) -> Iterator[object]:
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, value - 1, 0, -value)
        case tuple() if not any(isinstance(part, Value) for part in value):
            yield value[1:]
            yield (*value, *value[:1])
            for i, part in enumerate(value):
                pairs = ((other, *part[1:]) for other in _others(part[0])) if isinstance(part, tuple) else _others(part)
                yield from ((*value[:i], other, *value[i + 1 :]) for other in pairs)


def smallest() -> list[Sample]:
    """Of each kind of op the two samples that have the fewest elements."""
    by_kind: defaultdict[type[Op], list[Sample]] = defaultdict(list)
    for sample in SAMPLES:
        if not isinstance(sample, Pattern):
            by_kind[sample.kind].append(sample)
    size = {id(sample): sum(value.type.numel for value in sample.graph()[0].values()) for sample in SAMPLES}
    return [sample for found in by_kind.values() for sample in sorted(found, key=lambda sample: size[id(sample)])[:2]]


@pytest.mark.parametrize("sample", smallest(), ids=str)
def test_what_a_rule_takes_has_a_meaning(sample):
    """Each neighbour of a sample is refused, or means what the rule says: no rule takes what torch stumbles over."""
    for node in sample.graph()[0].nodes:
        for op in () if isinstance(node.op, (Input, Const)) else neighbours(node.op):
            try:
                types = inferred(op)
            except (TypeRuleError, *MISFITS):  # as the verifier has it
                continue
            assert evaluated(op) == types, op


@pytest.mark.parametrize("kind", ["max_pool", "avg_pool"])
def test_a_pool_takes_whole_windows_unless_it_rounds_up(kind: str):
    text = f"{kind}(x=f32[1,2,5], kernel=[2], stride=[2], padding=[[0, 0]], dilation=[1])"
    assert op_of(text).infer().shape == (1, 2, 2)
    assert op_of(text.replace(")", ", ceil=true)")).infer().shape == (1, 2, 3)
