import json
from dataclasses import asdict

import pytest

from tests.runtime.probing import probed
from ttc.calls.target import TARGETS


@pytest.fixture(scope="module", params=TARGETS)
def probe(request, ttnn_python):
    """What `ttnn_probe.py` finds on a mock card, and the target's name."""
    return {**probed(ttnn_python, "ttnn_probe", request.param), "target": request.param}


def test_it_is_the_right_card_and_needs_no_torch(probe):
    card = TARGETS[probe["target"]]
    assert probe["card"] == json.loads(json.dumps(asdict(card)))
    assert probe["l1_end"] == card.circular_buffer_end
    assert probe["torch"] is False


def test_dram_is_counted_as_ttnn_counts_it(probe):
    assert len(probe["dram"]) > 10
    assert any(ours for ours, _ in probe["dram"])
    assert all(ours == theirs for ours, theirs in probe["dram"])


def test_tensors_are_what_their_spec_says(probe):
    assert len(probe["specs"]) == 34
    for wanted, actual, padded, actual_padded, dtype, same_shape in probe["specs"]:
        assert actual == wanted
        assert actual_padded == padded, wanted
        assert same_shape
        assert dtype == {"u32": "uint32", "i32": "int32", "u16": "int32", "u8": "int32"}.get(
            wanted.split("[")[0], "float32"
        )


def test_host_tensors_keep_their_numbers(probe):
    rounded = [[1.5, -2.25], [3.0, 0.333984375]]
    assert probe["host"] == [rounded, rounded, [-3, 2147483647]]


def test_what_ttnn_would_misread_or_refuse_is_said(probe):
    refused = probe["refused"]
    assert refused["floats as integers"] == "float32 numbers cannot become a tensor of i32"
    assert refused["strings"] == "<U1 numbers cannot become a tensor of bf16"
    assert refused["rows of blocks"] == "Layout must be Layout::TILE for bfloat8_b or bfloat4_b!"
    assert refused["too much"].startswith("Out of Memory: Not enough space to allocate 68719476736 B DRAM buffer")


def test_calls_arrive_with_ttnns_own_objects(probe):
    assert probe["linear"] == {
        "positional": "['A', 'B']",
        "dtype": "DataType.FLOAT32",
        "activation": "gelu",
        "core_grid": "ttnn.CoreGrid(x=7, y=8)",
        "config": "['MathFidelity.HiFi3', 'False', 'True', 'True']",
    }
