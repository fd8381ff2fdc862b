"""Windows over a batch, some images at a time: the numbers are those of the whole batch."""

import pytest
import torch
from torch import nn

import ttc
from ttc.backend.rules import conv_plan, pool
from ttc.backend.rules.batches import equal_parts

LAYERS = {
    "conv2d": lambda: nn.Conv2d(40, 48, 3, padding=1),
    "conv_transpose2d": lambda: nn.ConvTranspose2d(40, 32, 3, stride=2),
    "max_pool2d": lambda: nn.MaxPool2d(2, 2),
}


@pytest.mark.parametrize(
    ("name", "size", "dtype", "room", "parts"),
    [
        ("conv2d", 32, "bf16", 50_000, 2),
        ("conv2d", 27, "bf16", 100_000, 3),  # images that end inside tiles
        ("conv2d", 27, "fp32", 170_000, 4),
        ("conv_transpose2d", 27, "bf16", 140_000, 3),
        ("conv_transpose2d", 32, "fp32", 240_000, 6),
        ("max_pool2d", 27, "bf16", 100_000, 2),
        ("max_pool2d", 32, "bf16", 80_000, 6),
    ],
)
def test_parts_of_a_batch_give_the_numbers_of_the_whole(
    name: str, size: int, dtype: str, room: int, parts: int, monkeypatch: pytest.MonkeyPatch
):
    """With `room` bytes of L1 a core, too few for the batch."""
    torch.manual_seed(0)
    module, x = LAYERS[name](), torch.randn(12, 40, size, size)
    whole = ttc.compile(module, (x,), dtype=dtype)
    for planner in (conv_plan, pool):
        monkeypatch.setattr(planner, "l1_bank", lambda target: room)
    cut = ttc.compile(module, (x,), dtype=dtype)
    assert [str(made.build.program.graph).count(f"ttnn.{name}(") for made in (whole, cut)] == [1, parts]
    torch.testing.assert_close(cut(x), whole(x), rtol=0, atol=0)


@pytest.mark.parametrize(("batch", "counts"), [(1, [1]), (12, [1, 2, 3, 4, 6, 12]), (7, [1, 7])])
def test_equal_parts(batch: int, counts: list[int]):
    assert list(equal_parts(batch)) == counts
