"""Concatenations of many rows: in groups that one device program joins inside tiles."""

import pytest
import torch

import ttc
from tests.mock_cards import check
from ttc.calls.concat import Concat


class Stacked(torch.nn.Module):
    def __init__(self, count: int, dim: int):
        super().__init__()
        self.count, self.dim = count, dim

    def forward(self, x):
        return torch.stack([torch.tanh(x[:, :, i] * (i + 1)) for i in range(self.count)], self.dim)


@pytest.mark.parametrize("target", ["n150", "p150"])
@pytest.mark.parametrize(
    ("count", "dim", "groups"),
    [
        (32, -1, [32]),
        (33, -1, [32, 1, 2]),
        (70, -1, [32, 32, 6, 3]),
        (33, 1, [33]),  # whole rows, of which one program takes 47
    ],
)
def test_many_columns_are_joined_in_groups(count, dim, groups, target):
    x = torch.randn(2, 50, count)
    model = Stacked(count, dim)
    compiled = ttc.compile(model, (x,), target=target, dtype="fp32")
    program = compiled.build.program
    found = [len(node.op.tensors) for node in program.graph.nodes if isinstance(node.op, Concat)]
    assert found == [group for group in groups if group > 1]
    report = check(program)
    assert report.ok, report
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-5, atol=1e-5)
