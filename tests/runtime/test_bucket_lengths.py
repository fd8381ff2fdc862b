"""Which bucket a run takes and which lengths it has: of two lengths, of samples that each have their own, at limits."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from ttc.errors import InputError
from ttc.ir import DType, TensorType
from ttc.ir.lengths import Extent, Length
from ttc.runtime.run.buckets import Bucket, choose, true_lengths

T, S = Length.named("T"), Length.named("S")


def bucket(t: int, s: int) -> Bucket:
    """x is [2, T], u is [2, S], both is [2, T + S]; T is at least 3, T - S at least 1, S even."""
    sizes = {"x": (2, t), "u": (2, s), "both": (2, t + s)}
    program = SimpleNamespace(inputs=tuple((name, TensorType(DType.f32, shape)) for name, shape in sizes.items()))
    extents = {"x": Extent((None, T), 0), "u": Extent((None, S), 0), "both": Extent((None, T + S), 0)}
    least = ((T, 3), (T - S, 1))
    names = {"T": "T", "S": "S"}
    return Bucket(
        cast("Any", program), {"T": t, "S": s}, names, 2, {"S": 2}, least, extents, {"y": Extent((None, T), 0)}
    )


BUCKETS = [bucket(t, s) for t, s in product((8, 16), (4, 8))]


def given(t: int, s: int, **more: Any) -> dict[str, Any]:
    return {"x": np.ones((2, t)), "u": np.ones((2, s)), "both": np.ones((2, t + s)), **more}


@pytest.mark.parametrize(
    ("t", "s", "sizes"),
    [
        ([7], [4], (8, 4)), ([8], [4], (8, 4)), ([9], [4], (16, 4)), ([8], [6], (8, 8)), ([9], [8], (16, 8)),
        ([3, 9], [2, 2], (16, 4)), ([9, 3], [2, 6], (16, 8)), ([16, 16], [8, 8], (16, 8)),
    ],
)  # fmt: skip
def test_the_smallest_bucket_that_takes_both_lengths_of_all_samples(t, s, sizes):
    chosen = BUCKETS[choose(BUCKETS, {"T": np.array(t), "S": np.array(s)})]
    assert (chosen.sizes["T"], chosen.sizes["S"]) == sizes


@pytest.mark.parametrize(
    ("t", "s", "message"),
    [(17, 8, "length T is 17, and the largest bucket takes 16$"), (16, 10, "length S is 10, and .* takes 8$"),
     (17, 10, "length T is 17, .*; the length S is 10")],
)  # fmt: skip
def test_the_length_that_is_too_large_is_named(t, s, message):
    with pytest.raises(InputError, match=message):
        choose(BUCKETS, {"T": np.array([t]), "S": np.array([s])})


def test_lengths_are_those_of_shapes_or_as_stated():
    _, found = true_lengths(BUCKETS[3], given(9, 4))
    assert {name: values.tolist() for name, values in found.items()} == {"T": [9], "S": [4]}
    _, found = true_lengths(BUCKETS[3], given(9, 4, T=[9, 5]))
    assert found["T"].tolist() == [9, 5]
    _, found = true_lengths(BUCKETS[3], given(9, 4, T=[7, 5]))
    assert found["T"].tolist() == [7, 5]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({**given(9, 4), "both": np.ones((2, 12))}, "'both' has size 12 in dimension 1, where S \\+ T is 13"),
        ({**given(9, 4), "both": np.ones((2, 14))}, "'both' has size 14 in dimension 1, where S \\+ T is 13"),
        (given(9, 4, T=[10, 5]), "'x' has size 9 in dimension 1, where T is 10"),
        (given(2, 2), "too short: the length T is 2, the model needs 3"),
        (given(9, 4, T=[9, 2]), "too short: the length T is 2, the model needs 3"),
        (given(9, 4, T=[2, 9]), "too short: the length T is 2, the model needs 3"),
        (given(9, 4, T=[9, 4]), "the length -1\\*S \\+ T is 0, the model needs 1"),
        (given(9, 4, T=[9, 5], S=[4, 0]), "the length S is 0: it must be positive"),
        (given(9, 4, T=[9, 5], S=[4, 3]), "the length S is 3: the model takes multiples of 2"),
        (given(9, 4, T=[9, 5, 7]), "has 3 numbers, the program takes 2"),
        (given(9, 4, T=[9.5, 5.0]), "must be a whole number"),
    ],
)
def test_lengths_that_contradict_or_fall_short_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        true_lengths(BUCKETS[3], inputs)


def test_lengths_at_their_least_are_taken():
    _, found = true_lengths(BUCKETS[3], given(9, 2, T=[9, 3]))
    assert found["T"].tolist() == [9, 3]


def test_what_is_beyond_each_sample_is_zero():
    lengths = {"T": np.array([5, 3]), "S": np.array([4])}
    bound = BUCKETS[0].bound(given(5, 4), lengths, np.random.default_rng(0))
    assert (bound["x"] != 0).sum(1).tolist() == [5, 3]
    assert (bound["both"] != 0).sum(1).tolist() == [9, 7]
    assert bound["x"].shape == (2, 8)
    assert bound["T"].tolist() == [5, 3]
    assert bound["S"].tolist() == [4, 4]
    trimmed = BUCKETS[0].trimmed("y", np.ones((2, 8)), lengths)
    assert trimmed.shape == (2, 5)
    assert trimmed.sum(1).tolist() == [5, 3]
