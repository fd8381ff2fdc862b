"""Hypothesis composes networks over time: a bucket gives what PyTorch gives at the exact length, whatever fills it."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.passes.padded_claims import wrong_claims
from tests.passes.padded_layers import KINDS
from tests.passes.padded_nets import BUCKET, GARBAGE, Case, error, filled, in_double, rounding

CASES = st.builds(
    Case, st.lists(st.integers(0, len(KINDS) - 1), min_size=3, max_size=6).map(tuple), st.integers(0, 9999)
)
PLACES = st.lists(st.integers(0, BUCKET), min_size=3, max_size=3)
"""Which of the lengths that a network takes."""

BATCHES = st.integers(1, 3)
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much)


def agrees(case: Case, batch: int, places: list[int]) -> None:
    """Three runs; with several samples each has a length of its own, and each meets all three in turn.

    In float64 nothing but padding can differ; in float32 a network that magnifies rounding tells nothing.
    """
    padded = case.padded(batch)
    assert padded.samples == batch
    assert all(length.at({"T": n}) >= least for length, least in padded.least for n in case.lengths)
    double = in_double(padded.graph)
    lengths = [case.lengths[place % len(case.lengths)] for place in places]
    for first in range(3):
        chosen = (lengths[first:] + lengths[:first])[:batch]
        for garbage in GARBAGE:
            assert error(case, padded, double, chosen, garbage) <= 1e-9
            assert wrong_claims(padded, filled(chosen, garbage), {"T": chosen}) == []
            found = error(case, padded, padded.graph, chosen, garbage)
            assert found <= 1e-5 or not rounding(case, chosen) <= 1e-6


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(CASES, BATCHES, PLACES)
def test_a_bucket_gives_what_the_exact_length_gives(case, batch, places):
    assume(case.usable)
    agrees(case, batch, places)


@pytest.mark.parametrize("layer", range(len(KINDS)), ids=[f"{kind.__name__}.{n}" for n, kind in enumerate(KINDS)])
def test_each_layer_after_a_convolution(layer):
    agrees(Case((0, layer), layer), 1 + layer % 3, [3, 11, 18])


@pytest.mark.sweep
@pytest.mark.parametrize("part", range(5))
def test_sweep_of_nets(part):
    @settings(max_examples=200, deadline=None, suppress_health_check=SLOW, database=None)
    @given(CASES, BATCHES, PLACES)
    def sweep(case, batch, places):
        assume(case.usable)
        agrees(case, batch, places)

    sweep()
