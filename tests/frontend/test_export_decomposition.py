"""The decomposition of exported programs gives what torch's own `run_decompositions` gives, in less time."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from ttc.frontend.export.decomposition import run_decompositions

# torch copies its own LeafSpec objects, a class that it has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The tensor attributes .* were assigned during export:UserWarning"),
]


class InPlace(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[:, 0].mul_(2).clamp_(max=1)
        return nn.functional.relu6(y.relu_(), inplace=True), y.reshape(-1).unflatten(0, (2, -1))


class Composite(nn.Module):
    """Ops that torch keeps whole, traces through, or that the front end does not read."""

    def forward(self, x):
        y = torch.einsum("ij,kj->ik", x, x) + nn.functional.dropout(x @ x.mT, 0.5, self.training)
        y = nn.functional.instance_norm(y[None, None]) + torch.addcmul(y, y, y, value=0.5)
        return (
            nn.functional.huber_loss(y, y.flip(-1)),
            nn.functional.pad(y[0], (1, 1), "reflect"),
            torch.logaddexp2(y, y),
        )


MODULES = {
    "layers": nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.GELU(), nn.Dropout(0.1)),
    "in place": InPlace(),
    "composite": Composite(),
    "recurrent": nn.GRU(6, 4),
    "batch norm": nn.Sequential(nn.Unflatten(1, (3, 2)), nn.BatchNorm1d(3), nn.Flatten()),
    "attention": nn.TransformerEncoderLayer(6, 2, 8, batch_first=True),
}


def exported(name: str) -> torch.export.ExportedProgram:
    return torch.export.export(MODULES[name].eval(), (torch.ones(4, 6),))


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("every", [False, True])
def test_as_torch_itself(name: str, every: bool):
    """With the empty table, and with that of every op that torch knows to decompose."""
    program = exported(name)
    present = {node.target for node in program.graph.nodes}
    known = torch.export.default_decompositions() if every else {}
    table = {op: known[op] for op in present if op in known}
    found, wanted = run_decompositions(program, dict(table)), program.run_decompositions(dict(table))
    assert str(found.graph) == str(wanted.graph)
    assert str(found.graph_signature) == str(wanted.graph_signature)


def test_in_less_time():
    program = exported("layers")

    def seconds(run) -> float:
        run()
        started = time.process_time()
        run()
        return time.process_time() - started

    ours = min(seconds(lambda: run_decompositions(program, {})) for _ in range(3))
    assert ours < 0.7 * min(seconds(lambda: program.run_decompositions({})) for _ in range(3))
