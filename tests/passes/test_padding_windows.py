"""Edges of long rows that are reflected at the true end: gathered by blocks, from a window around each."""

from __future__ import annotations

import pytest
import torch.nn.functional as F

from tests.passes.check import body
from tests.passes.padded_models import check, module, padded, time_last
from ttc.ir.lengths import Length
from ttc.ops.padding import windows
from ttc.ops.padding.abstract import Factor
from ttc.ops.padding.windows import block_width

T = Length.named("T")


@pytest.mark.parametrize("pads", [(2, 2), (0, 3), (1, 2), (4, 1), (0, 1)])
@pytest.mark.parametrize("scale", [1, 8])
def test_a_bucket_gives_what_the_exact_length_gives(pads: tuple[int, int], scale: int, monkeypatch: pytest.MonkeyPatch):
    """The length grows by one element, and by whole blocks; one block and several."""
    monkeypatch.setattr(windows, "LONGEST_ROW", 15)
    monkeypatch.setattr(windows, "WIDEST", 8)
    model = module(lambda x: F.pad(F.interpolate(time_last(x), scale_factor=scale), pads, mode="reflect"))
    found = padded(model)
    assert "concat" in body(found.graph)
    for length in (5, 9, 10, 15, 16):
        check(model, found, length)


@pytest.mark.parametrize(
    "model",
    [
        module(lambda x: F.pad(time_last(x), (2, 2), mode="replicate")),
        module(lambda x: F.pad(time_last(x)[:, None], (0, 0, 0, 0, 2, 2), mode="replicate")),
        module(lambda x: F.pad(time_last(x)[..., None], (0, 0, 2, 2), mode="reflect")),
    ],
)
def test_other_edges_are_gathered_from_whole_rows(model, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(windows, "LONGEST_ROW", 15)
    found = padded(model)
    assert "concat" not in body(found.graph)
    check(model, found, 10)


@pytest.mark.parametrize(
    ("size", "length", "least", "width"),
    [
        (460800, T * 600, 30, 600),  # the hops of a transform divide what a frame adds
        (460800, T * 600 + 20, 601, 1024),  # a window must hold what lies around a block
        (460800, T, 30, 1024),
        (65537, T, 30, 0),  # a prime has no blocks
        (65536, T, 30, 0),  # a row that is short enough
        (65538, T * 2, 30, 993),  # the length grows by less than a window: 66 blocks of 3 * 331
        (460800, None, 30, 0),  # nothing ends before the row does
    ],
)
def test_blocks_are_wide_and_equal(size: int, length: Length | None, least: int, width: int):
    assert block_width(Factor(size, length), least) == width
