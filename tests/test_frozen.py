"""Weights are those at compile time: in every form, in every session and in what is saved."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import ttc
from ttc.errors import InputError
from ttc.frontend.export import frozen
from ttc.plugins.torch_backend import ttc_backend

X = torch.linspace(-1, 1, 24).reshape(3, 8)


class Network(nn.Module):
    """Weights of every kind: parameters, tied ones, a buffer, statistics, a plain tensor, tensors in a list."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.tied = nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 8)
        self.tied.weight = self.first.weight
        self.register_buffer("shift", torch.randn(8))
        self.plain, self.listed = torch.randn(8), [torch.randn(8)]
        self.scale = 2.0

    def forward(self, x):
        return self.tied(self.norm(self.first(x)).relu()) * self.plain * self.scale + self.shift + self.listed[0]


def doubled(model: Network) -> None:
    model.first.weight.data.mul_(2)


def loaded(model: Network) -> None:
    model.load_state_dict({name: item + 1 for name, item in model.state_dict().items()})


def replaced(model: Network) -> None:
    model.first.weight.data = torch.ones(8, 8)


def new_parameter(model: Network) -> None:
    model.first.weight = nn.Parameter(torch.ones(8, 8))


def stepped(model: Network) -> None:
    with torch.enable_grad():
        model(X).sum().backward()
    torch.optim.Adam(model.parameters(), lr=0.5).step()


def statistics(model: Network) -> None:
    model.train()(X * 100)
    model.eval()


def through_numpy(model: Network) -> None:
    model.first.bias.detach().numpy()[:] = 7


PARAMETERS = (doubled, loaded, replaced, new_parameter, stepped, statistics, through_numpy)


def plain(model: Network) -> None:
    model.plain.mul_(2)
    model.listed[0].mul_(2)


def attribute(model: Network) -> None:
    model.scale = 5.0


@pytest.fixture(autouse=True)
def _fresh():
    torch.compiler.reset()


def close(found, wanted) -> bool:
    return torch.allclose(torch.as_tensor(found), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("change", [*PARAMETERS, plain, attribute])
@pytest.mark.parametrize("early", [True, False], ids=["for arguments", "without"])
def test_what_is_done_to_a_module_afterwards_changes_nothing(change: Callable, early: bool, tmp_path: Path):
    model = Network().eval()
    with torch.no_grad():
        wanted, fewer = model(X), model(X[:2])
    compiled = ttc.compile(model, (X,) if early else None, dtype="fp32")
    before = compiled.session().run(X.numpy())["output"] if early else wanted
    with torch.no_grad():
        change(model)
        assert not close(model(X), wanted)
    assert close(before, wanted)
    assert close(compiled(X), wanted)
    assert close(compiled(X[:2]), fewer)
    assert close(compiled.session().run(X.numpy())["output"], wanted)
    compiled.save(tmp_path / "m.ttc")
    assert close(ttc.load(tmp_path / "m.ttc").run(X.numpy())["output"], wanted)


def test_buckets_have_the_weights_of_compile_time():
    model = nn.Linear(8, 8).eval()
    x = torch.randn(1, 21, 8)
    wanted = model(x).detach()
    options = {"dynamic_shapes": {"input": {1: "T"}}, "lengths": {"T": [16, 32]}, "dtype": "fp32"}
    compiled = ttc.compile(model, (x,), **options)
    model.weight.data.zero_()
    assert close(compiled(x), wanted)


@pytest.mark.parametrize("open_size", [False, True])
def test_an_exported_program_s_weights_are_those_of_compile_time(open_size: bool):
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval()
    shapes = ({0: torch.export.Dim("n", min=2, max=64)},) if open_size else None
    program = torch.export.export(model, (X,), dynamic_shapes=shapes)
    wanted = model(X).detach()
    compiled = ttc.compile(program, dtype="fp32")
    with torch.no_grad():
        model[0].weight.zero_()
        for item in program.state_dict.values():
            item.zero_()
    assert close(compiled(X), wanted)


def test_an_onnx_model_s_weights_are_those_of_compile_time():
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 8]) for name in "xy")
    weight = numpy_helper.from_array(np.ones((8, 8), np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    given = onnx.ModelProto.FromString(model.SerializeToString())
    compiled = ttc.compile(given, dtype="fp32")
    given.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((8, 8), np.float32), "w"))
    assert close(compiled.run(X.numpy())["y"], X @ torch.ones(8, 8))


def test_weights_without_data_stay_without():
    with torch.device("meta"):
        model = nn.Linear(8, 8)
    copy = frozen(model)
    assert copy.weight is model.weight
    assert ttc.compile(model, (X,)).build.weights.fake


def test_tensors_that_share_memory_are_copied_once():
    whole = torch.randn(64, 8)
    model = Network()
    model.register_buffer("upper", whole[:40])
    model.register_buffer("lower", whole[24:])
    copy = frozen(model)
    assert copy.tied.weight is copy.first.weight
    assert copy.upper.untyped_storage().data_ptr() == copy.lower.untyped_storage().data_ptr()
    assert copy.upper.untyped_storage().data_ptr() != whole.untyped_storage().data_ptr()
    assert torch.equal(copy.lower, whole[24:])


def test_attributes_that_cannot_be_copied_are_no_hindrance():
    model = Network().eval()
    model.lock, model.library = threading.Lock(), np
    model.product = model.first(X)  # computed: torch refuses to copy it deeply
    assert close(ttc.compile(model, (X,), dtype="fp32")(X), model(X).detach())


def test_training_mode_is_named_when_compiling_already():
    with pytest.raises(InputError, match=r"in training mode, .* call model\.eval\(\)"):
        ttc.compile(Network())


# ------------------------------------------------------------ torch.compile


@pytest.mark.parametrize("change", PARAMETERS)
def test_torch_compile_sees_every_change_at_every_size(change: Callable):
    model = Network().eval()
    function = torch.compile(model, backend=ttc_backend, options={"dtype": "fp32"})
    with torch.no_grad():
        before = function(X), function(X[:2])
        assert close(before[0], model(X))
        change(model)
        assert not close(before[0], model(X))
        for rows in (3, 2, 3, 1):
            assert close(function(X[:rows]), model(X[:rows]))


def test_torch_compile_compiles_once_while_weights_stay(monkeypatch):
    model = Network().eval()
    model.first.bias.data[0] = float("nan")
    model.shift[1] = -0.0
    function = torch.compile(model, backend=ttc_backend, options={"dtype": "fp32"})
    made: list[object] = []
    compiling = ttc.plugins.torch_backend.Compiled
    monkeypatch.setattr(ttc.plugins.torch_backend, "Compiled", lambda *given: made.append(1) or compiling(*given))
    with torch.no_grad():
        for _ in range(3):
            function(X)
        assert len(made) == 1
        model.shift[1] = 0.0  # other bits
        function(X)
        assert len(made) == 2
