"""Padding safety op by op, in text: at every length and whatever fills the bucket, numbers and claims are right."""

from __future__ import annotations

import math
import re

import pytest
import torch

from tests.passes.check import graph_of, random
from tests.passes.padded_claims import wrong_claims
from ttc import ops
from ttc.errors import Refused
from ttc.ir import Graph, Input
from ttc.ir.lengths import Length
from ttc.passes.padding import Padded, pad

SIZES = ({"T": 12, "S": 9}, {"T": 11, "S": 7}, {"T": 9, "S": 10}, {"T": 7, "S": 8})
LENGTHS = ({"T": 12, "S": 9}, {"T": 8, "S": 4}, {"T": 3, "S": 7})
GARBAGE = (math.nan, math.inf, -math.inf, 1e30, 3.0)
PRELUDE = """
    %x: f32[2,3,{T}] = input(name="x")
    %r: f32[2,{T},3] = permute(x=%x, dims=[0, 2, 1])
    %keep: bool[2,{T}] = input(name="keep")
    %i: i64[2,{T}] = input(name="i")
    %w: f32[3,3] = const(ref="w")
    %zero: f32[] = full(value=0.0)
    %one: f32[] = full(value=1.0)
    %infinite: f32[] = full(value=-inf)
    %sq: f32[2,3,{T}] = mul(a=%x, b=%x)
    %log: f32[2,3,{T}] = log(x=%sq)
    %v1: f32[3,3,1] = const(ref="v1")
    %h: f32[2,3,{T}] = conv(x=%x, w=%v1, stride=[1], padding=[[0, 0]], dilation=[1])
    %over: f32[2,3,{T}] = reciprocal(x=%h)
    %c: bool[2,1,{T}] = reshape(x=%keep, shape=[2, 1, {T}])
"""
"""Padding of %x is anything, of %keep and %i zero; where %x is zero %log is infinite, and %over without a fill."""

CASES = {
    "cumsum": "%y: f32[2,3,{T}] = cumsum(x=%log, dim=2)",
    "a shear": "%y: f32[2,3,{T}] = skew(x=%x, slope=-1, offset=2, size={T})",
    "a shear to a size of its own": "%y: f32[2,3,5] = skew(x=%x, slope=1, offset=-1, size=5)",
    "a reciprocal of what is not known": "%y: f32[2,3,3] = matmul(a=%over, b=%r)",
    "a logarithm of it": """
        %q: f32[2,3,{T}] = abs(x=%h)
        %l: f32[2,3,{T}] = log(x=%q)
        %y: f32[2,3,{T}] = cumsum(x=%l, dim=2)
    """,
    "a quotient by it": "%d: f32[2,3,{T}] = div(a=%sq, b=%h)\n%y: f32[2,3,3] = matmul(a=%d, b=%r)",
    "one divided by it": "%d: f32[2,3,{T}] = div(a=%one, b=%h)\n%y: f32[2,3,3] = matmul(a=%d, b=%r)",
    "the smaller of it and an infinity": """
        %m: f32[2,3,{T}] = minimum(a=%h, b=%infinite)
        %e: f32[2,3,{T}] = exp(x=%m)
        %y: f32[2,3,3] = matmul(a=%e, b=%r)
    """,
    "a power of it": """
        %e: f32[] = full(value=-1.0)
        %d: f32[2,3,{T}] = pow(a=%h, b=%e)
        %y: f32[2,3,3] = matmul(a=%d, b=%r)
    """,
    "an infinity added to it": """
        %m: f32[2,3,{T}] = add(a=%h, b=%infinite)
        %e: f32[2,3,{T}] = exp(x=%m)
        %y: f32[2,3,3] = matmul(a=%e, b=%r)
    """,
    "a mask added to what is not finite": """
        %low: f32[] = full(value=-3e38)
        %m: f32[2,1,{T}] = where(condition=%c, a=%zero, b=%low)
        %s: f32[2,3,{T}] = add(a=%over, b=%m)
        %p: f32[2,3,{T}] = softmax(x=%s, dim=2)
        %y: f32[2,3,3] = matmul(a=%p, b=%r)
    """,
    "what is not finite, chosen": """
        %n: bool[2,1,{T}] = not(x=%c)
        %m: f32[2,3,{T}] = where(condition=%n, a=%over, b=%sq)
        %y: f32[2,3,3] = matmul(a=%m, b=%r)
    """,
    "zeros times what is not finite": """
        %f: f32[2,1,{T}] = cast(x=%c, dtype=f32)
        %m: f32[2,3,{T}] = mul(a=%over, b=%f)
        %y: f32[2,3,3] = matmul(a=%m, b=%r)
    """,
    "cumsum from the end": "%y: f32[2,3,{T}] = cumsum(x=%x, dim=2, reverse=true)",
    "cumsum of what is not zero, from the end": """
        %t: f32[2,3,{T}] = tanh(x=%x)
        %e: f32[2,3,{T}] = exp(x=%t)
        %y: f32[2,3,{T}] = cumsum(x=%e, dim=2, reverse=true)
    """,
    "cumsum of zeros, then over channels": """
        %g: f32[2,1,{T}] = reshape(x=%k, shape=[2, 1, {T}])
        %s: f32[2,1,{T}] = cumsum(x=%g, dim=2)
        %m: f32[2,3,{T}] = mul(a=%x, b=%s)
        %y: f32[2,3] = sum(x=%m, dims=[2])
    """,
    "cumsum over channels of zeros": """
        %g: f32[2,1,{T}] = reshape(x=%k, shape=[2, 1, {T}])
        %m: f32[2,3,{T}] = mul(a=%sq, b=%g)
        %s: f32[2,3,{T}] = cumsum(x=%m, dim=1)
        %y: f32[2,3] = sum(x=%s, dims=[2])
    """,
    "cumprod": "%t: f32[2,3,{T}] = tanh(x=%x)\n%y: f32[2,3,{T}] = cumprod(x=%t, dim=2)",
    "product": "%t: f32[2,3,{T}] = tanh(x=%x)\n%y: f32[2,3] = prod(x=%t, dims=[2])",
    "sum": "%y: f32[2,3] = sum(x=%log, dims=[2])",
    "mean over all": "%y: f32[2] = mean(x=%log, dims=[1, 2])",
    "mean over channels": "%m: f32[2,{T}] = mean(x=%log, dims=[1])\n%y: f32[2] = max(x=%m, dims=[1])",
    "largest": "%n: f32[2,3,{T}] = neg(x=%sq)\n%y: f32[2,3] = max(x=%n, dims=[2])",
    "smallest": "%y: f32[2,3] = min(x=%sq, dims=[2])",
    "largest of channels": "%m: f32[2,1,{T}] = max(x=%log, dims=[1], keep=true)\n%y: f32[2,3,1] = matmul(a=%x, b=%mt)",
    "the largest two": "%n: f32[2,3,{T}] = neg(x=%sq)\n%y: f32[2,3,2], %at: i64[2,3,2] = topk(x=%n, k=2, dim=2)",
    "the smallest two": "%y: f32[2,3,2], %at: i64[2,3,2] = topk(x=%sq, k=2, dim=2, largest=false)",
    "places of the smallest": "%v: f32[2,3,2], %y: i64[2,3,2] = topk(x=%sq, k=2, dim=2, largest=false)",
    "two channels": """
        %v: f32[2,2,{T}], %at: i64[2,2,{T}] = topk(x=%log, k=2, dim=1)
        %y: f32[2,2] = sum(x=%v, dims=[2])
    """,
    "place of the largest": "%n: f32[2,3,{T}] = neg(x=%sq)\n%y: i64[2,3] = argmax(x=%n, dim=2)",
    "softmax": "%p: f32[2,3,{T}] = softmax(x=%log, dim=2)\n%y: f32[2,3,3] = matmul(a=%p, b=%r)",
    "softmax over channels": "%p: f32[2,3,{T}] = softmax(x=%log, dim=1)\n%y: f32[2,3,3] = matmul(a=%p, b=%r)",
    "softmax over channels of what is excluded": """
        %m: f32[2,3,{T}] = where(condition=%c, a=%x, b=%infinite)
        %p: f32[2,3,{T}] = softmax(x=%m, dim=1)
        %y: f32[2,3,3] = matmul(a=%p, b=%r)
    """,
    "softmax of an excluding mask": """
        %m: f32[2,1,{T}] = where(condition=%c, a=%zero, b=%infinite)
        %s: f32[2,3,{T}] = add(a=%x, b=%m)
        %p: f32[2,3,{T}] = softmax(x=%s, dim=2)
        %y: f32[2,3,3] = matmul(a=%p, b=%r)
    """,
    "an infinity that zeros meet": """
        %m: f32[2,1,{T}] = where(condition=%c, a=%one, b=%infinite)
        %f: f32[2,1,{T}] = cast(x=%c, dtype=f32)
        %z: f32[2,1,{T}] = mul(a=%m, b=%f)
        %y: f32[2,1,3] = matmul(a=%z, b=%r)
    """,
    "an infinity through a choice": """
        %m: f32[2,3,{T}] = where(condition=%c, a=%x, b=%infinite)
        %k2: f32[2,1,{T}] = max(x=%m, dims=[1], keep=true)
        %e: f32[2,1,{T}] = exp(x=%k2)
        %y: f32[2,1,3] = matmul(a=%e, b=%r)
    """,
    "an infinity through a mean": """
        %m: f32[2,3,{T}] = where(condition=%c, a=%x, b=%infinite)
        %k2: f32[2,1,{T}] = mean(x=%m, dims=[1], keep=true)
        %y: f32[2,1,3] = matmul(a=%k2, b=%r)
    """,
    "a number through a sum": """
        %m: f32[2,3,{T}] = where(condition=%c, a=%x, b=%one)
        %k2: f32[2,1,{T}] = sum(x=%m, dims=[1], keep=true)
        %l: f32[2,1,{T}] = sub(a=%k2, b=%one)
        %y: f32[2,1,3] = matmul(a=%l, b=%r)
    """,
    "an infinity joined to what is finite": """
        %m: f32[2,3,{T}] = where(condition=%c, a=%x, b=%infinite)
        %k2: f32[2,6,{T}] = concat(xs=[%m, %x], dim=1)
        %y: f32[2,6,3] = matmul(a=%k2, b=%r)
    """,
    "a known infinity before a product": """
        %f: f32[2,1,{T}] = cast(x=%c, dtype=f32)
        %l: f32[2,1,{T}] = log(x=%f)
        %p: f32[2,3,{T}] = softmax(x=%x, dim=2)
        %lt: f32[2,{T},1] = permute(x=%l, dims=[0, 2, 1])
        %y: f32[2,3,1] = matmul(a=%p, b=%lt)
    """,
    "an added infinity": """
        %m: f32[2,3,{T}] = add(a=%sq, b=%infinite)
        %e: f32[2,3,{T}] = exp(x=%m)
        %y: f32[2,3,3] = matmul(a=%e, b=%r)
    """,
    "a linear layer of zeros": """
        %g: f32[2,{T},1] = reshape(x=%k, shape=[2, {T}, 1])
        %z: f32[2,{T},3] = mul(a=%r, b=%g)
        %l: f32[2,{T},3] = linear(x=%z, w=%w, activation="sigmoid")
        %y: f32[2,3,3] = matmul(a=%x, b=%l)
    """,
    "a linear layer that keeps zeros": """
        %g: f32[2,{T},1] = reshape(x=%k, shape=[2, {T}, 1])
        %z: f32[2,{T},3] = mul(a=%r, b=%g)
        %l: f32[2,{T},3] = linear(x=%z, w=%w, activation="gelu")
        %y: f32[2,3,3] = matmul(a=%x, b=%l)
    """,
    "rows": "%n: f32[2,{T},3] = layer_norm(x=%r, eps=0.0)\n%y: f32[2,3,3] = matmul(a=%x, b=%n)",
    "quotient by a length": """
        %s: f32[2,1,{T}] = sum(x=%sq, dims=[1], keep=true)
        %d: f32[2,3,{T}] = div(a=%x, b=%s)
        %y: f32[2,3,3] = matmul(a=%d, b=%r)
    """,
    "integers divided": """
        %d: i64[2,{T}] = floor_div(a=%i, b=%j)
        %y: i64[2] = sum(x=%d, dims=[1])
    """,
    "a slice from the end": "%y: f32[2,3,2] = slice(x=%log, starts=[0, 0, {T}-2], ends=[2, 3, {T}], steps=[1, 1, 1])",
    "turned": "%f: f32[2,3,{T}] = flip(x=%log, dims=[2])\n%y: f32[2,3,{T}] = cumsum(x=%f, dim=2)",
    "a step before and after": """
        %f: f32[2,3,{T}+3] = pad(x=%log, pads=[[0, 0], [0, 0], [1, 2]], value=0.5)
        %y: f32[2,3] = sum(x=%f, dims=[2])
    """,
    "a channel of numbers before zeros": """
        %m: f32[2,3,{T}] = where(condition=%c, a=%sq, b=%zero)
        %p: f32[2,4,{T}] = pad(x=%m, pads=[[0, 0], [1, 0], [0, 0]], value=0.5)
        %y: f32[2,4] = sum(x=%p, dims=[2])
    """,
    "a channel of infinities": """
        %m: f32[2,4,{T}] = pad(x=%h, pads=[[0, 0], [1, 0], [0, 0]], value=-inf)
        %y: f32[2,4,3] = matmul(a=%m, b=%r)
    """,
    "a channel of infinities, left out": """
        %m: f32[2,4,{T}] = pad(x=%h, pads=[[0, 0], [1, 0], [0, 0]], value=-inf)
        %p: f32[2,4,{T}] = softmax(x=%m, dim=1)
        %y: f32[2,4,3] = matmul(a=%p, b=%r)
    """,
    "two masks of one value": """
        %s: f32[2,3] = sum(x=%log, dims=[2])
        %m: f32[2,3] = max(x=%log, dims=[2])
        %n: f32[2,3] = min(x=%log, dims=[2])
        %a: f32[2,3] = add(a=%s, b=%m)
        %y: f32[2,3] = add(a=%a, b=%n)
    """,
    "infinite numbers of a table": """
        %q: f32[{T}] = literal(data=[{odd}])
        %m: f32[2,3,{T}] = add(a=%h, b=%q)
        %e: f32[2,3,{T}] = exp(x=%m)
        %t: f32[2,3,{T}] = tanh(x=%m)
        %y: f32[2,3,3] = matmul(a=%t, b=%r)
    """,
    "infinite steps around": """
        %f: f32[2,3,{T}+3] = pad(x=%x, pads=[[0, 0], [0, 0], [1, 2]], value=-inf)
        %e: f32[2,3,{T}+3] = softmax(x=%f, dim=2)
        %y: f32[2,3] = max(x=%e, dims=[2])
    """,
    "two lengths": """
        %u: f32[2,3,{S}] = input(name="u")
        %s: f32[2,{T},{S}] = matmul(a=%r, b=%u)
        %p: f32[2,{T},{S}] = softmax(x=%s, dim=2)
        %ut: f32[2,{S},3] = permute(x=%u, dims=[0, 2, 1])
        %o: f32[2,{T},3] = matmul(a=%p, b=%ut)
        %y: f32[2,3,3] = matmul(a=%x, b=%o)
    """,
    "two lengths, the other way": """
        %u: f32[2,3,{S}] = input(name="u")
        %s: f32[2,{T},{S}] = matmul(a=%r, b=%u)
        %q: f32[2,{T},{S}] = mul(a=%s, b=%s)
        %l: f32[2,{T},{S}] = log(x=%q)
        %p: f32[2,{T},{S}] = softmax(x=%l, dim=1)
        %m: f32[2,{S}] = sum(x=%p, dims=[1])
        %y: f32[2] = mean(x=%m, dims=[1])
    """,
    "the largest of two lengths": """
        %u: f32[2,3,{S}] = input(name="u")
        %s: f32[2,{T},{S}] = matmul(a=%r, b=%u)
        %m: f32[2,{T}] = max(x=%s, dims=[2])
        %y: f32[2] = min(x=%m, dims=[1])
    """,
}
ALSO = {
    "%mt": "%mt: f32[2,{T},1] = permute(x=%m, dims=[0, 2, 1])",
    "%k)": "%k: f32[2,{T}] = cast(x=%keep, dtype=f32)",
    "%k,": "%k: f32[2,{T}] = cast(x=%keep, dtype=f32)",
    "%j)": "%two: i64[] = full(value=2)\n%j2: i64[2,{T}] = mul(a=%i, b=%two)\n%j: i64[2,{T}] = sub(a=%j2, b=%i)",
}
"""Lines that a case needs, put before its last line."""


def graph_at(case: str, sizes: dict[str, int]) -> Graph:
    lines = [line.strip() for line in case.strip().splitlines()]
    for used, more in ALSO.items():
        if any(used in line for line in lines):
            at = -1 if used == "%mt" else 0
            lines[at:at] = more.splitlines() if at == 0 else []
            lines = [*lines[:-1], *more.splitlines(), lines[-1]] if at else lines
    text = PRELUDE + "\n".join("    " + line for line in lines)
    odd = ", ".join(("0.0", "-inf")[place % 2] for place in range(sizes["T"]))
    text = text.replace("{odd}", odd)
    text = re.sub(r"\{(\w)\}([+-]\d+)?", lambda found: str(sizes[found[1]] + int(found[2] or 0)), text)
    return graph_of(text + '\n    return "y"=%y')


def padded(case: str) -> Padded:
    sizes = SIZES if "{S}" in case else tuple({"T": each["T"]} for each in SIZES)
    return pad([graph_at(case, each) for each in sizes], sizes)


def given_at(graph: Graph) -> dict[str, torch.Tensor]:
    """The beginning of the same numbers at all sizes; some are masked, no integer is zero, no number is close to it."""
    found = {}
    for value in graph.inputs:
        assert isinstance(value.op, Input)
        whole = random(type(value.type)(value.dtype, (*value.shape[:-1], 12)), value.op.name)
        if value.dtype.is_float:
            whole = whole + whole.sign()
        elif value.op.name == "i":
            whole = whole + 1
        else:
            whole[:, 0] = True
        found[value.op.name] = whole[..., : value.shape[-1]]
    return found


@pytest.mark.parametrize("name", CASES)
def test_numbers_and_claims(name):
    found = padded(CASES[name])
    for lengths in LENGTHS:
        if any(length.at(lengths) < least for length, least in found.least):
            continue
        exact = graph_at(CASES[name], lengths)
        wanted = ops.evaluate(exact, given_at(exact))["y"]
        for garbage in GARBAGE:
            given = {key: _filled(tensor, found, key, garbage) for key, tensor in given_at(exact).items()}
            true = {key: [number] * found.samples for key, number in lengths.items() if key in found.names}
            results = ops.evaluate(found.graph, {**given, **{key: torch.tensor(own) for key, own in true.items()}})
            box = tuple(slice(None if n is None else n.at(lengths)) for n in found.outputs["y"].lengths)
            torch.testing.assert_close(results["y"][box], wanted, rtol=1e-4, atol=1e-5, equal_nan=True)
            assert wrong_claims(found, given, true) == []
            assert unclean_scans(found, {**given, **{key: torch.tensor(own) for key, own in true.items()}}) == []


def unclean_scans(found: Padded, given: dict[str, torch.Tensor]) -> list[str]:
    """What prefix sums along a length read that is not finite: a card multiplies it with a triangle of zeros."""
    tensors = dict(ops.steps(found.graph, given))
    scans = [node.op for node in found.graph.nodes if isinstance(node.op, (ops.Cumsum, ops.Cumprod))]
    along = [op.x for op in scans if op.dim in found.abstracts[op.x].padded_dims]
    return [str(x) for x in along if not tensors[x].isfinite().all()]


def _filled(tensor: torch.Tensor, found: Padded, name: str, garbage: float) -> torch.Tensor:
    """A tensor in the bucket: garbage after its end, zeros if it is not floating."""
    size = next(value.shape[-1] for value in found.graph.inputs if value.op.name == name)  # type: ignore[attr-defined]
    whole = torch.full((*tensor.shape[:-1], size), garbage if tensor.is_floating_point() else 0).to(tensor.dtype)
    whole[..., : tensor.shape[-1]] = tensor
    return whole


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("%y: f32[2,3,{T}] = add(a=%x, b=%u)", "may be"),
        ("%a: f32[2,{S},3] = permute(x=%u, dims=[0, 2, 1])\n%y: f32[2,3,3] = matmul(a=%x, b=%a)", "may be"),
    ],
)
def test_lengths_that_only_happen_to_be_equal_are_refused(lines, reason):
    case, sizes = f'%u: f32[2,3,{{S}}] = input(name="u")\n{lines}', [{"T": n, "S": n} for n in (12, 9, 7)]
    with pytest.raises(Refused, match=reason):
        pad([graph_at(case, each) for each in sizes], sizes)


def test_what_is_chosen_asks_for_as_many():
    assert padded(CASES["the smallest two"]).least == ((Length.named("T"), 2),)
