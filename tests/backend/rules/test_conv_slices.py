"""Device programs of convolutions in slices, counted by the real library."""

import pytest
import torch
from torch import nn

import ttc
from tests.mock_cards import check
from ttc.calls.conv import Conv2d


@pytest.mark.parametrize(
    ("channels", "size", "moved"),
    [
        (3072, (41, 64), 1),  # 42 and 40 tiles of results on 8 rows of cores: 7 rows hold the first, 8 the second
        (3072, (33, 33), 2),  # 33 tiles each
        (3600, (49, 64), 0),  # 50 and 48 tiles
    ],
)
def test_slices_that_need_fewer_cores_are_moved(channels, size, moved):
    model = nn.Conv2d(channels, 64, 3, padding=1, bias=False).eval()
    compiled = ttc.compile(model, (torch.randn(1, channels, *size),), target="n150")
    program = compiled.build.program
    (conv,) = (node.op for node in program.graph.nodes if isinstance(node.op, Conv2d))
    assert conv.dispatch(compiled.build.options.target).conversions == moved
    report = check(program)
    assert report.ok, report
