import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.passes.padded_nets import BUCKET, GARBAGE, LAYERS, Case, bounded, inputs, largest_error, rounding
from ttc.ir import DType

CASES = st.builds(
    Case, st.lists(st.integers(0, len(LAYERS) - 1), min_size=4, max_size=6).map(tuple), st.integers(0, 999)
)
LENGTHS = st.lists(st.integers(8, BUCKET), min_size=3, max_size=3)
BATCHES = st.sampled_from((1, 3))


def agrees(case, batch, lengths, garbage, unless):
    """In float64 nothing but padding can differ; in float32 a network that magnifies rounding tells nothing."""
    unless(bounded(case.graph(batch, BUCKET)))
    double, single = case.padded(batch, DType.f64), case.padded(batch)
    unless(all(length.at({"T": n}) >= least for length, least in double.least for n in lengths))
    for chosen in [lengths] if double.samples == len(lengths) else [[n] * batch for n in lengths]:
        assert largest_error(case, double, chosen, garbage) <= 1e-9
        x = inputs(single, chosen, garbage)
        if max(rounding(case, x[i : i + 1, :, :n]) for i, n in enumerate(chosen)) <= 1e-6:
            assert largest_error(case, single, chosen, garbage) <= 1e-5


def surely(condition):
    assert condition


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(CASES, BATCHES, LENGTHS, st.sampled_from(GARBAGE))
def test_a_bucket_gives_what_the_exact_length_gives(case, batch, lengths, garbage):
    agrees(case, batch, lengths, garbage, assume)


@pytest.mark.parametrize("layer", range(len(LAYERS)), ids=[layer.__name__ for layer in LAYERS])
def test_each_layer_between_convolutions(layer):
    for seed in (1, 2, 3):
        agrees(Case((0, layer, 0), seed), 1 + seed % 2, [17, 12], float("nan"), surely)


@pytest.mark.sweep
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CASES, BATCHES, LENGTHS, st.sampled_from(GARBAGE))
def test_sweep_of_nets(case, batch, lengths, garbage):
    agrees(case, batch, lengths, garbage, assume)
