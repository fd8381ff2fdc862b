import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.passes.padded_nets import GARBAGE, LAYERS, bounded, largest_error, net, padded_net

CASE = {
    "layers": st.lists(st.integers(0, len(LAYERS) - 1), min_size=1, max_size=5),
    "choices": st.lists(st.integers(0, 11), min_size=0, max_size=20),
    "lengths": st.lists(st.integers(8, 24), min_size=1, max_size=2),
    "garbage": st.sampled_from(GARBAGE),
}


def agrees(layers, choices, lengths, garbage, unless=assume):
    unless(bounded(net(layers, choices, len(lengths), 24)))
    padded = padded_net(layers, choices, len(lengths))
    unless(all(length.at({"T": n}) >= least for length, least in padded.least for n in lengths))
    if padded.samples < len(lengths):
        lengths = lengths[:1] * len(lengths)
    assert largest_error(padded, lambda n: net(layers, choices, 1, n), lengths, garbage) <= 1e-5


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(**CASE)
def test_a_bucket_gives_what_the_exact_length_gives(layers, choices, lengths, garbage):
    agrees(layers, choices, lengths, garbage)


def surely(condition):
    assert condition


@pytest.mark.parametrize("layer", range(len(LAYERS)), ids=[layer.__name__ for layer in LAYERS])
def test_each_layer_between_convolutions(layer):
    for choices in ([], [1, 2, 1, 1, 1], [2, 1, 2, 2, 2]):
        agrees([0, layer, 0], [1, 0, 0, 0, 0, *choices], [17, 12], float("nan"), surely)


@pytest.mark.sweep
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(**CASE)
def test_sweep_of_nets(layers, choices, lengths, garbage):
    agrees(layers, choices, lengths, garbage)
