"""At which sizes a model is read: its buckets, and as many others as the model takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from ttc.compiled.lengths import MORE_PROBES, PROBES, LengthReader
from ttc.errors import InputError, NeedsValues, TtcError
from ttc.ir.lengths import Length


class Model:
    """A source that takes multiples of some sizes, and notes at which it is read."""

    def __init__(self, multiple: int = 1, unbound: tuple[str, ...] = (), undecided: tuple[str, ...] = ()):
        self.multiple, self.read, self.traced = multiple, [], []
        self.does_the_same: Callable[[Mapping[str, int]], bool] = lambda sizes: True
        self.unbound = lambda: list(unbound)
        self.needs = lambda: NeedsValues([("reshape", "needs its shape")], undecided, True) if undecided else None

    def at(self, lengths: Mapping[str, int]) -> Any:
        if lengths:
            self.read.append(dict(lengths))
        if self.unbound() or self.needs() or any(size % self.multiple for size in lengths.values()):
            return None
        return tuple(lengths.items())

    def same_code(self, lengths: Mapping[str, int], read: Sequence[Mapping[str, int]]) -> bool:
        self.traced.append(dict(lengths))
        if any(size % self.multiple for size in lengths.values()):
            raise TtcError("not taken")
        return self.does_the_same(lengths)


def reader(model: Any, **sizes: tuple[int, ...]) -> LengthReader:
    return LengthReader(cast("Any", model), sizes, lambda what: None)


def sizes_of(found: LengthReader, more: bool, **own: int) -> list[dict[str, int]]:
    return [dict(sizes) for _, sizes in found.readings(own, more)]


def test_own_sizes_come_first_then_the_other_buckets_then_others():
    model = Model()
    found = reader(model, T=(16, 32))
    assert found.buckets == [{"T": 16}, {"T": 32}]
    assert sizes_of(found, False, T=32)[:2] == [{"T": 32}, {"T": 16}]
    probes = sizes_of(found, False, T=16)[2:]
    assert len(probes) == PROBES
    assert len(sizes_of(found, True, T=16)) == 2 + MORE_PROBES
    assert {"T": 16} not in probes


def test_no_size_is_read_twice():
    model = Model()
    found = reader(model, T=(16, 32))
    for own in (16, 32):
        for more in (False, True, False):
            sizes_of(found, more, T=own)
    assert len(model.read) == len({tuple(sizes.items()) for sizes in model.read})


def test_sizes_that_the_model_does_not_take_are_passed_over():
    found = reader(Model(multiple=4), T=(16, 32))
    assert all(sizes["T"] % 4 == 0 for sizes in sizes_of(found, False, T=16))
    with pytest.raises(TtcError, match="no form at T=15"):
        found.at({"T": 15})


def test_each_length_has_sizes_of_its_own_at_the_smallest_of_the_others():
    found = reader(Model(), T=(16, 32), S=(8, 24))
    assert len(found.buckets) == 4
    probes = sizes_of(found, False, T=16, S=8)[4:]
    assert len(probes) == 2 * PROBES
    assert all(sizes["T"] == 16 or sizes["S"] == 8 for sizes in probes)


@pytest.mark.parametrize(
    ("model", "sizes", "message"),
    [
        (Model(), {"T": range(1, 34)}, "33 buckets are too many; 32 are the most"),
        (Model(unbound=("N", "M")), {"T": (1, 2)}, "all other sizes to be bound: N, M"),
        (Model(undecided=("shape",)), {"T": (1, 2)}, "not possible where values decide shapes: shape"),
    ],
)
def test_what_has_no_buckets_is_said(model, sizes, message):
    with pytest.raises(InputError, match=message):
        reader(model, **{name: tuple(listed) for name, listed in sizes.items()})


def test_as_many_buckets_as_there_may_be():
    assert len(reader(Model(), T=tuple(range(1, 33))).buckets) == 32


@pytest.mark.parametrize("least", [2, 3, 9, 12, 13])
def test_the_least_size_is_where_code_begins_to_do_the_same(least: int):
    model = Model()
    model.does_the_same = lambda sizes: sizes["T"] >= least
    found = reader(model, T=(16, 32), N=(4, 8))
    assert found.least == {Length.named("T"): least}  # 13 and 15 are read, too


@pytest.mark.parametrize(
    ("does_the_same", "least"),
    [
        (lambda sizes: sizes["S"] > sizes["T"], {"S": 9}),  # the longest T is 8
        (lambda sizes: sizes["S"] + sizes["T"] > 20, {"S": 17, "T": 4}),
        (lambda sizes: sizes["S"] * sizes["T"] > 1, {"T": 2}),  # beside an S of 1
        (lambda sizes: sizes["S"] > 2 and sizes["T"] > 1, {"S": 3, "T": 2}),
        (lambda sizes: sizes["T"] < 9, {}),
    ],
)
def test_code_may_compare_two_lengths(does_the_same: Callable[[Mapping[str, int]], bool], least: dict[str, int]):
    model = Model()
    model.does_the_same = does_the_same
    found = reader(model, S=(32, 64), T=(4, 8)).least
    assert found == {Length.named(name): size for name, size in least.items()}


def test_code_that_does_something_else_where_two_lengths_are_equal_is_refused():
    model = Model()
    model.does_the_same = lambda sizes: sizes["S"] != sizes["T"]
    with pytest.raises(InputError, match=r"where S and T are equal \(8\).*: give both one name"):
        _ = reader(model, N=(2, 4), S=(32, 64), T=(4, 8)).least


def test_equal_lengths_that_the_model_does_not_take_tell_nothing():
    model = Model()

    def unlike(sizes: Mapping[str, int]) -> bool:
        if sizes["S"] == sizes["T"] > 1:
            raise TtcError("these are of two kinds")
        return True

    model.does_the_same = unlike
    assert reader(model, S=(12, 16), T=(6, 8)).least == {}


def test_the_least_size_is_a_multiple_of_what_all_sizes_are():
    model = Model(multiple=4)
    model.does_the_same = lambda sizes: sizes["T"] >= 5
    assert reader(model, T=(16, 32)).least == {Length.named("T"): 8}


def test_code_that_does_the_same_at_one_step_has_no_least_size_and_is_traced_once():
    model = Model(multiple=4)
    assert reader(model, T=(16, 32)).least == {}
    assert model.traced == [{"T": 4}]


def test_a_bucket_of_one_has_nothing_below():
    model = Model()
    assert reader(model, T=(1, 32)).least == {}
    assert model.traced == []
