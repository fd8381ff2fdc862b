"""torch.compile(model, backend="ttc")."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name

import pytest
import torch
from torch import nn

import ttc
from ttc.errors import InputError, Refused
from ttc.plugins.torch_backend import ttc_backend
from ttc.validation.accuracy import scaled_error

X = torch.linspace(-1, 1, 96).reshape(3, 32)
FP32 = {"dtype": "fp32"}


@pytest.fixture(autouse=True)
def _fresh():
    torch.manual_seed(0)
    torch.compiler.reset()
    with torch.no_grad():
        yield


class Network(nn.Module):
    """Parameters, a buffer, a branch on a Python number, and results of two shapes."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(32, 48), nn.BatchNorm1d(48), nn.GELU())
        self.register_buffer("shift", torch.arange(48.0))

    def forward(self, x, scale=1.0):
        y = self.inner(x) * scale + self.shift
        return {"y": y, "top": y.argmax(-1)}


def compiled(model: nn.Module, **options: str):
    return torch.compile(model.eval(), backend=ttc_backend, options=FP32 | options)


def agree(found, wanted):
    assert scaled_error(found.numpy(), wanted.numpy()) <= 1e-5


def test_it_is_registered():
    table = (Path(ttc.__file__).parents[1] / "pyproject.toml").read_text()
    line = table.partition('[project.entry-points."torch_dynamo_backends"]\nttc = "')[2]
    assert resolve_name(line.partition('"')[0]) is ttc_backend


def test_results_are_the_models_own():
    model = Network()
    found, wanted = compiled(model)(X, scale=2.0), model(X, scale=2.0)
    agree(found["y"], wanted["y"])
    assert torch.equal(found["top"], wanted["top"])
    assert found["top"].dtype is torch.int64


def test_other_sizes_compile_another_program():
    model = Network()
    function = compiled(model)
    for rows in (3, 2, 1, 3):
        agree(function(X[:rows])["y"], model(X[:rows])["y"])


def test_changed_weights_are_seen():
    model = Network()
    function = compiled(model)
    before = function(X)["y"]
    model.inner[0].weight.mul_(2)
    after = function(X)["y"]
    agree(after, model(X)["y"])
    assert scaled_error(after.numpy(), before.numpy()) > 1e-2


def test_functions_without_parameters():
    function = torch.compile(lambda a, b: (a @ b.T).relu(), backend=ttc_backend, options=FP32)
    agree(function(X, X + 1), (X @ (X + 1).T).relu())


def test_a_break_in_the_graph_gives_two_programs():
    def forward(x):
        y = x.sin()
        torch._dynamo.graph_break()
        return y.cos() + 1

    agree(torch.compile(forward, backend=ttc_backend, options=FP32)(X), X.sin().cos() + 1)


def test_what_cannot_be_compiled_is_told_with_its_name():
    class Special(nn.Module):
        def forward(self, x):
            return x.lgamma()

    with pytest.raises(Refused, match=r"aten\.lgamma\.default is not supported"):
        compiled(Special())(X)


def test_training_is_refused():
    with torch.enable_grad(), pytest.raises(InputError, match=r"under torch\.no_grad\(\)"):
        compiled(Network())(X)


def test_unknown_options_are_refused():
    with pytest.raises(Exception, match="knows the options dtype and target, not colour"):
        torch.compile(Network().eval(), backend=ttc_backend, options={"colour": "red"})(X)


class Remembers(nn.Module):
    """Changes two buffers and its argument, and reads a third buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("runs", torch.tensor(0))
        self.register_buffer("mean", torch.zeros(32))
        self.register_buffer("scale", torch.ones(32))

    def forward(self, x):
        self.runs += 1
        self.mean.mul_(0.5).add_(x.mean(0) * self.scale)
        x.add_(self.runs)
        return x - self.mean


def test_buffers_and_inputs_are_changed_in_place():
    ours, theirs = Remembers(), Remembers()
    compiled = torch.compile(ours, backend="ttc", options=FP32)
    for turn in range(4):
        if turn == 2:
            for model in (ours, theirs):
                model.get_buffer("scale").fill_(3.0)
                model.get_buffer("mean").fill_(7.0)
        x, y = X.clone(), X.clone()
        torch.testing.assert_close(compiled(x), theirs(y))
        torch.testing.assert_close(x, y)
        for name, buffer in theirs.named_buffers():
            torch.testing.assert_close(ours.get_buffer(name), buffer)
