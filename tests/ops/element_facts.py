"""The yes-or-no facts of an op's class, found by evaluating the forms of the op, to hold against the stated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from tests.ops.fact_forms import OF_KIND, Sample
from ttc.errors import TypeRuleError
from ttc.ir import DType, Graph, Op, TensorType, Value
from ttc.ir.graph import field_names
from ttc.ir.verify import MISFITS
from ttc.ops.binary import Binary, Where
from ttc.ops.facts import facts_of
from ttc.ops.interpret import evaluate_op
from ttc.ops.torch_types import HELD, to_torch
from ttc.ops.unary import Unary

SIMPLE = (0.0, 1.0, -1.0, 0.3, -7.0, 2.5, 3.0)
FAR = (*SIMPLE, 999.0, -1e4)
ROUNDING = 2.0**-9
"""The relative error of a number in bf16."""

MUCH = 0.25
"""The difference of results, relative to the largest number at hand, that no rounding of operands explains."""

UNCOMPUTED = (DType.u16, DType.u32, DType.u64, *HELD)
"""Dtypes that torch moves, but computes little in."""

WHOLE = ((-128, 127, 100, -100, 3), (-1, 1, 2, 127))
"""Integers of 8 bits for an op's first operand and for the others, where exponents and divisors stand."""


@cache
def found_facts(kind: type[Op]) -> Mapping[str, bool]:
    """Evaluate the op's forms for each fact: those of some results in any form, others in all."""
    forms = OF_KIND[kind]
    return {
        "decides": issubclass(kind, (Unary, Binary, Where)) and all(map(_decides, forms)),
        "commutes": issubclass(kind, Binary) and all(map(_commutes, forms)),
        "moves": all(map(_moves, forms)),
        "overflows": any(map(_overflows, forms)),
        "shrinks": any(map(_shrinks, forms)),
    }


def op_of(form: Sample) -> tuple[Op, Graph]:
    graph, _ = form.graph()
    return next(node.op for node in graph.nodes if isinstance(node.op, form.kind)), graph


def evaluated(op: Op, tensors: Mapping[Value, Tensor]) -> Tensor:
    known = dict(tensors)
    for value in op.operands():
        if value not in known:  # a constant of the form
            known[value] = evaluate_op(value.op, known.__getitem__)[0]
    return evaluate_op(op, known.__getitem__)[0]


def _floats(op: Op) -> list[Value]:
    return [value for value in dict.fromkeys(op.operands()) if value.dtype.is_float and not value.op.operands()]


def _given(form: Sample, graph: Graph) -> dict[Value, Tensor]:
    inputs = {value.op.name: value for value in graph.inputs}  # type: ignore[attr-defined]
    return {inputs[name]: tensor for name, tensor in form.graph()[1].items()}


def drawn(numbers: tuple[float, ...], value: Value, generator: torch.Generator) -> Tensor:
    return torch.tensor(numbers)[torch.randint(len(numbers), value.shape, generator=generator)]


def _decides(form: Sample) -> bool:
    """Whether roundings of the operands change a result by much; relative to its span, or to numbers that it is of."""
    op, graph = op_of(form)
    floats, generator = _floats(op), torch.Generator().manual_seed(0)
    low, high = facts_of(op).span
    for _ in range(200 if floats else 0):
        tensors = _given(form, graph)
        tensors |= {x: drawn(FAR if len(floats) == 1 else SIMPLE, x, generator) for x in floats}
        signs = {x: torch.randint(-1, 2, x.shape, generator=generator) for x in floats}
        rounded = tensors | {x: tensors[x] * (1 + ROUNDING * signs[x]) for x in floats}
        y, other = evaluated(op, tensors).double(), evaluated(op, rounded).double()
        sizes = torch.stack([y.abs(), other.abs(), *(tensors[x].abs().double() for x in floats)]).amax(0)
        scale = sizes if high - low == float("inf") else torch.full_like(y, high - low)
        known = y.isfinite() & other.isfinite()
        if bool((((y - other).abs() > MUCH * scale) & known).any()):
            return True
    return False


def _commutes(form: Sample) -> bool:
    op, graph = op_of(form)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        tensors = _given(form, graph) | {x: drawn(SIMPLE, x, generator) for x in _floats(op)}
        a, b = op.operands()
        y, swapped = evaluated(op, tensors), evaluated(op, {a: tensors[b], b: tensors[a]})
        if not torch.equal(y.nan_to_num(nan=7.0), swapped.nan_to_num(nan=7.0)):
            return False
    return True


def _moves(form: Sample) -> bool:
    """Whether the result is made of the operands' elements whatever these are: f(g(x)) = g(f(x)) for any g."""
    op, graph = op_of(form)
    floats, generator = _floats(op), torch.Generator().manual_seed(0)
    tensors = _given(form, graph) | {x: torch.rand(x.shape, generator=generator) for x in floats}
    y = evaluated(op, tensors)
    scrambled = tensors | {x: _scrambled(tensors[x]) for x in floats}
    if not floats or not torch.equal(evaluated(op, scrambled), _scrambled(y)):
        return False
    with suppress(NotImplementedError):
        for dtype in UNCOMPUTED:
            evaluated(op, tensors | {x: (8 * tensors[x]).to(to_torch(dtype)) for x in floats})
        return True
    return False


def _scrambled(x: Tensor) -> Tensor:
    return 5 * torch.cos(40 * x)


def _overflows(form: Sample) -> bool:
    """Whether results on integers of 8 bits are others than those on integers of 64 bits."""
    fields = {name: _in_bytes(item) for name, item in form.fields.items()}
    with suppress(TypeRuleError, RuntimeError, ValueError):
        op, graph = op_of(replace(form, fields=fields))
        return any(map(_overflown(op, graph), range(20)))
    return False


def _in_bytes(item: object) -> object:
    if isinstance(item, list):
        return [_in_bytes(part) for part in item]
    return item.replace("f32[", "i8[").replace("i32[", "i8[") if isinstance(item, str) else item


def _overflown(op: Op, graph: Graph) -> Callable[[int], bool]:
    bytes_ = [x for x in dict.fromkeys(op.operands()) if x.dtype is DType.i8]

    def seen(seed: int) -> bool:
        generator = torch.Generator().manual_seed(seed)
        others = WHOLE[1] if seed % 2 else tuple(n for n in WHOLE[1] if n > 0)
        places = {x: torch.zeros(x.shape, dtype=torch.int64) for x in graph.inputs}
        narrow = {x: drawn(WHOLE[0] if x is bytes_[0] else others, x, generator) for x in bytes_}
        with suppress(RuntimeError):  # of negative exponents
            small = evaluated(op, places | {x: tensor.to(torch.int8) for x, tensor in narrow.items()})
            large = evaluated(op, places | {x: tensor.to(torch.int64) for x, tensor in narrow.items()})
            return not torch.equal(small.double(), large.double())
        return False

    return seen if bytes_ else lambda seed: False


def _shrinks(form: Sample) -> bool:
    """Whether an attribute of 0 or 1 leaves no element."""
    op, _ = op_of(form)
    for changes in _smaller(op):
        with suppress(TypeRuleError, *MISFITS):
            types = replace(op, **changes).infer()  # type: ignore[type-var]
            if any(0 in type.shape for type in (types if isinstance(types, tuple) else (types,))):
                return True
    return False


def _smaller(op: Op) -> Iterator[dict[str, Any]]:
    for name in field_names(type(op)):
        item = getattr(op, name)
        if isinstance(item, int):
            yield from ({name: size} for size in (0, 1))
        elif isinstance(item, tuple) and item and all(isinstance(part, int) for part in item):
            changed = ((*item[:i], size, *item[i + 1 :]) for i in range(len(item)) for size in (0, 1))
            yield from ({name: sizes} for sizes in changed)


def elementwise(form: Sample) -> bool:
    """Whether each element of the result depends on the operands' elements at the same place alone, as others do."""
    op, graph = op_of(form)
    generator = torch.Generator().manual_seed(0)
    result, shapes = op.infer(), {x.shape for x in op.operands()}
    if not isinstance(result, TensorType) or shapes != {result.shape}:
        return False
    for _ in range(20):
        tensors, other = ({x: _typical(x, form, generator) for x in chain(graph.inputs, _floats(op))} for _ in range(2))
        half = torch.arange(result.numel).reshape(result.shape) < result.numel // 2
        mixed = {x: torch.where(half, tensors[x], other[x]) for x in tensors}
        y, of_mixed, turned = (
            evaluated(op, each).nan_to_num(nan=7.0)
            for each in (tensors, mixed, {x: tensor.flatten().flip(0).view(x.shape) for x, tensor in tensors.items()})
        )
        if not torch.equal(y[half], of_mixed[half]) or not torch.equal(y.flatten().flip(0), turned.flatten()):
            return False
    return True


def _typical(x: Value, form: Sample, generator: torch.Generator) -> Tensor:
    if x.dtype.is_float:
        return torch.randn(x.shape, generator=generator)
    if x.dtype is DType.bool:
        return torch.rand(x.shape, generator=generator) < 0.5
    low, high = form.ranges.get(x.op.name, (0, 1))  # type: ignore[attr-defined]
    return torch.randint(int(low), int(high) + 1, x.shape, generator=generator, dtype=torch.int64).to(to_torch(x.dtype))
