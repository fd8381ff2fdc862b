"""Valid elements that are all infinite, or all masked by the model itself, in a bucket: as torch has them."""

from __future__ import annotations

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.passes.padded_claims import wrong_claims
from tests.passes.padded_models import check, in_bucket, module, padded, steps
from ttc import ops
from ttc.ir import Input
from ttc.passes.padding import Padded

LOW = torch.finfo(torch.float32).min


def masked(x: torch.Tensor, number: float) -> torch.Tensor:
    """Scores of each step for each, of which those with a negative first channel see nothing."""
    return (x @ x.mT) + torch.where(x[:, :, :1] < 0, number, 0.0)


CASES = {
    "softmax": lambda x: x.softmax(1),
    "its sum without NaN": lambda x: x.softmax(1).nan_to_num(0.0).sum(1),
    "log softmax": lambda x: x.log_softmax(1),
    "largest": lambda x: x.amax(1),
    "smallest": lambda x: (-x).amin(1),
    "place of the largest": lambda x: x.argmax(1),
    "largest two": lambda x: x.topk(2, 1)[0],
    "what is at their places": lambda x: x.gather(1, x.topk(2, 1)[1]),
    "what is at the places of the smallest two": lambda x: x.gather(1, (-x).topk(2, 1, largest=False)[1]),
    "rows that see nothing": lambda x: masked(x.nan_to_num(0.0, 0.0, 0.0), LOW).softmax(-1),
    "rows overwritten": lambda x: (
        (x.nan_to_num(0.0, 0.0, 0.0) @ x.nan_to_num(0.0, 0.0, 0.0).mT)
        .masked_fill(x[:, :, :1].nan_to_num(0.0, 0.0, 0.0) < 9, -1e4)
        .softmax(-1)
    ),
}


@cache
def special() -> tuple[nn.Module, Padded]:
    """All cases as one model, in a bucket."""
    model = module(lambda x: tuple(case(x) for case in CASES.values()))
    return model, padded(model)


@pytest.mark.parametrize("number", [-torch.inf, torch.inf, LOW])
def test_a_column_of_one_special_number(number):
    model, found = special()
    for length in (2, 9):
        torch.manual_seed(2)
        x = steps(length)
        x[0, :, 1] = number
        given = {"x": in_bucket(x, length)}
        results = ops.evaluate(found.graph, {**given, "T": torch.full((found.samples,), length)})
        for case, (name, y), wanted in zip(CASES, results.items(), model(x), strict=True):
            box = tuple(slice(None if n is None else n.at({"T": length})) for n in found.outputs[name].lengths)
            assert torch.allclose(y[box], wanted, equal_nan=True), case


BOUNDED = {
    "shares of bounded scores": (lambda x: x.tanh().softmax(1), "-1001"),
    "largest of what is not negative": (lambda x: x.relu().amax(1), "-1000"),
    "smallest of shares": (lambda x: x.sigmoid().amin(1), "1001"),
    "largest two": (lambda x: x.clamp(-3, 3).topk(2, 1)[0], "-1003"),
    "a window over the end": (lambda x: F.max_pool1d(x.abs().mT, 3, 2, 1), "-1000"),
    "shares of what is bounded above alone": (lambda x: (-x.abs()).softmax(1), "-inf"),
    "largest of what is too low": (lambda x: x.clamp(min=-2e4).amax(1), "-inf"),
    "largest of a product": (lambda x: (x.tanh() @ x.tanh().mT).amax(1), "-inf"),
}


def test_what_intervals_bound_is_masked_with_a_finite_number():
    model = module(lambda x: tuple(case(x) for case, _ in BOUNDED.values()))
    found = padded(model)
    fills = [str(mask).split(", ")[1].split()[0] for mask in found.masks if "inf or NaN" not in str(mask)]
    assert fills == [fill for _, fill in BOUNDED.values()]
    for length in (2, 9):
        check(model, found, length)


def test_masks_of_the_models_own_lie_above_padding():
    """Scores of a key mask that excludes every key: shares of all valid keys alone, and one mask for both layers."""

    def keyed(x, keep):
        added = (1 - keep[:, None].float()) * LOW
        for _ in range(2):
            x = (x @ x.mT + added).softmax(-1) @ x
        return x

    model = module(keyed)
    found = padded(model, steps, lambda length: torch.ones(2, length, dtype=torch.bool))
    assert [str(mask) for mask in found.masks][1:] == ["%mul_0, -inf beyond T: a softmax over the length (%softmax)"]
    torch.manual_seed(2)
    x, keep = steps(9), torch.ones(2, 9, dtype=torch.bool)
    keep[1] = False
    names = [value.op.name for value in found.graph.inputs if isinstance(value.op, Input)]
    given = dict(zip(names, (in_bucket(x, 9), in_bucket(keep, 9)), strict=False))
    results = ops.evaluate(found.graph, {**given, "T": torch.full((found.samples,), 9)})
    assert torch.allclose(next(iter(results.values()))[:, :9], model(x, keep), atol=1e-5)
    assert wrong_claims(found, given, {"T": [9] * found.samples}) == []
