"""What users give and get: structures, names, dtypes, forms compiled on demand, and errors in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import ttc
from ttc.calls.target import TARGETS
from ttc.errors import InputError, Refused, TtcError
from ttc.validation.accuracy import pcc


class Nested(nn.Module):
    """Every kind of structure in and out."""

    def forward(self, x, pair, *, scale=2.0, flag=True, extra=None):
        a, b = pair["a"], pair["b"][0]
        y = x * scale + a
        if flag:
            y = y + b
        return {
            "y": y,
            "same": y,
            "given": x,
            "none": extra,
            "number": 3,
            "list": [a - b, (y.sum(-1), a.to(torch.int64))],
            "positive": y > 0,
            "constant": torch.arange(4),
        }


def inputs() -> tuple[tuple, dict]:
    torch.manual_seed(0)
    x, a, b = (torch.randn(2, 32) for _ in range(3))
    return (x, {"a": a, "b": (b,)}), {"scale": 3.0, "flag": True}


def test_call_returns_the_modules_own_structure():
    args, kwargs = inputs()
    found = ttc.compile(Nested(), args, kwargs, dtype="fp32")(*args, **kwargs)
    wanted = Nested()(*args, **kwargs)
    assert set(found) == set(wanted)
    assert found["none"] is None
    assert found["number"] == 3
    assert isinstance(found["list"][1], tuple)
    for key in ("y", "same", "given", "positive", "constant"):
        assert found[key].dtype == wanted[key].dtype
        torch.testing.assert_close(found[key], wanted[key], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["list"][1][0], wanted["list"][1][0], rtol=1e-4, atol=1e-4)
    assert torch.equal(found["list"][1][1], wanted["list"][1][1])


def test_run_names_outputs_by_their_path_and_leaves_none_out():
    args, kwargs = inputs()
    compiled = ttc.compile(Nested(), args, kwargs)
    x, pair = args
    found = compiled.run({"x": x.numpy(), "pair.a": pair["a"].numpy(), "pair.b.0": pair["b"][0].numpy()})
    assert set(found) == {"y", "same", "given", "list.0", "list.1.0", "list.1.1", "positive", "constant"}
    assert found["positive"].dtype == bool
    assert found["constant"].dtype == np.int64
    np.testing.assert_array_equal(found["given"], x.numpy())


def test_a_single_output_is_called_output():
    x = torch.randn(2, 8)
    assert list(ttc.compile(nn.ReLU(), (x,)).run(x.numpy())) == ["output"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32])
def test_outputs_have_the_models_dtype(dtype: torch.dtype):
    x = torch.arange(12).reshape(3, 4).to(dtype)
    found = ttc.compile(nn.ReLU(), (x,), dtype="fp32")(x)
    assert found.dtype == dtype
    torch.testing.assert_close(found, x)


def test_bool_in_and_out():
    class Not(nn.Module):
        def forward(self, x):
            return ~x

    x = torch.tensor([[True, False, True]])
    assert torch.equal(ttc.compile(Not(), (x,))(x), ~x)


def test_other_arguments_compile_another_program():
    class Scale(nn.Module):
        def forward(self, x, by: int = 1):
            return x * by

    compiled = ttc.compile(Scale())
    with pytest.raises(TtcError, match="no static form"):
        compiled.save("never.ttc")
    x = torch.randn(2, 8)
    torch.testing.assert_close(compiled(x, 2), x * 2, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(compiled(x, 3), x * 3, rtol=1e-2, atol=2e-2)
    wide = torch.randn(2, 40)
    torch.testing.assert_close(compiled(wide, by=2), wide * 2, rtol=1e-2, atol=1e-2)


def test_named_sizes_are_bound_by_lengths_or_the_first_run():
    x = torch.randn(1, 8)
    open_form = ttc.compile(nn.ReLU(), (x,), dynamic_shapes={"input": {1: "T"}})
    with pytest.raises(TtcError, match="no static form"):
        _ = open_form.report
    assert open_form.run(np.ones((1, 5), np.float32))["output"].shape == (1, 5)
    bound = ttc.compile(nn.ReLU(), (x,), dynamic_shapes={"input": {1: "T"}}, lengths={"T": [24]})
    assert bound.run(np.ones((1, 24), np.float32))["output"].shape == (1, 24)
    with pytest.raises(InputError, match="no length called S"):
        ttc.compile(nn.ReLU(), (x,), dynamic_shapes={"input": {1: "T"}}, lengths={"S": [24]})


def relu_model(shape: list) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_onnx_sizes_are_bound_the_same_way():
    compiled = ttc.compile(relu_model([1, "T"]))
    assert compiled.run(np.ones((1, 6), np.float32))["y"].shape == (1, 6)
    assert compiled.run({"x": np.ones((1, 9), np.float32)})["y"].shape == (1, 9)
    assert ttc.compile(relu_model([1, "T"]), lengths={"T": 4}).run([np.ones((1, 4), np.float32)])["y"].shape == (1, 4)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"z": np.ones((2, 3), np.float32)}, "'z'"),
        ({}, "'x' is missing"),
        ({"x": np.ones((2, 4), np.float32)}, "shape"),
        ({"x": np.ones((2, 3), np.int64)}, "int64"),
        ([np.ones((2, 3), np.float32)] * 2, "takes 1 inputs"),
    ],
)
def test_wrong_inputs_are_named(given, sentence: str):
    with pytest.raises(InputError, match=sentence):
        ttc.compile(relu_model([2, 3])).run(given)


def test_nan_runs_through():
    x = np.array([[1.0, np.nan, -1.0]], np.float32)
    found = ttc.compile(relu_model([1, 3])).run(x)["y"]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(x))


def test_integers_that_do_not_fit_are_refused():
    class Double(nn.Module):
        def forward(self, x):
            return x + x

    compiled = ttc.compile(Double(), (torch.zeros(2, dtype=torch.int64),))
    with pytest.raises(InputError, match="int32"):
        compiled.run(np.array([2**40, 0]))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [("model.txt", ".onnx or a .pt2"), (3, "no int"), ("missing.onnx", "missing.onnx"), ("missing.pt2", "missing.pt2")],
)
def test_what_is_no_model_is_refused(model, sentence: str):
    with pytest.raises(InputError, match=sentence):
        ttc.compile(model)


def test_options_that_do_not_exist_are_refused_with_those_that_do():
    with pytest.raises(InputError, match=", ".join(TARGETS)):
        ttc.compile(nn.ReLU(), target="n151")
    with pytest.raises(InputError, match="not supported yet"):
        ttc.compile(nn.ReLU(), target="galaxy")
    with pytest.raises(InputError, match="bf16, fp32"):
        ttc.compile(nn.ReLU(), dtype="f16")
    compiled = ttc.compile(nn.ReLU(), (torch.ones(2, 2),))
    with pytest.raises(InputError, match="emulator, ttnn"):
        compiled.run(np.ones((2, 2), np.float32), device="gpu")
    with pytest.raises(InputError, match="exact, tensix"):
        compiled.run(np.ones((2, 2), np.float32), mode="fast")
    with pytest.raises(InputError, match="import"):
        compiled.dump("no such stage")


def test_all_refusals_come_at_once():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.linalg.inv(x), torch.linalg.det(x)

    with pytest.raises(Refused) as refused:
        ttc.compile(Odd(), (torch.eye(4),))
    assert len(refused.value.reasons) >= 2


def test_saved_and_loaded_gives_the_same_numbers(tmp_path: Path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(48, 64), nn.GELU(), nn.LayerNorm(64), nn.Linear(64, 5)).eval()
    x = torch.randn(3, 48)
    for dtype in ("bf16", "fp32", "bfp8", "bfp4"):
        compiled = ttc.compile(module, (x,), dtype=dtype)
        compiled.save(tmp_path / "m.ttc")
        found = ttc.load(tmp_path / "m.ttc").run(x.numpy())["output"]
        np.testing.assert_array_equal(found, compiled.run(x.numpy())["output"])
        with torch.no_grad():
            assert pcc(found, module(x).numpy()) >= (0.95 if dtype == "bfp4" else 0.99)


def test_what_a_notebook_shows_is_a_line():
    module = nn.Sequential(nn.Linear(48, 64), nn.ReLU()).eval()
    early, late = ttc.compile(module, (torch.zeros(3, 48),), target="p150"), ttc.compile(module, dtype="fp32")
    assert repr(early) == "<Compiled for p150 in bf16: input f32[3,48] -> output f32[3,64]>"
    assert repr(late) == "<Compiled for n150 in fp32: in the form of the first call>"
    assert repr(early.build.program.graph) == f"<Graph of {len(early.build.program.graph.nodes)} nodes>"
    assert len(repr(early.executable)) < 800


def test_fake_weights_compile_save_and_are_bound_later(tmp_path: Path):
    torch.manual_seed(0)
    real = nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 5)).eval()
    x = torch.randn(3, 48)
    with torch.device("meta"):
        fake = nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 5)).eval()
    compiled = ttc.compile(fake, (x,))
    assert compiled.dump(compiled.stages[-1]) == ttc.compile(real, (x,)).dump(compiled.stages[-1])
    compiled.save(tmp_path / "fake.ttc")
    assert (tmp_path / "fake.ttc").stat().st_size < 20_000
    with pytest.raises(InputError, match="without data"):
        ttc.load(tmp_path / "fake.ttc").run(x.numpy())
    bound = ttc.load(tmp_path / "fake.ttc", weights=real.state_dict())
    np.testing.assert_array_equal(bound.run(x.numpy())["output"], ttc.compile(real, (x,)).run(x.numpy())["output"])
    with pytest.raises(InputError, match=r"0\.weight"):
        ttc.load(tmp_path / "fake.ttc", weights={})


def test_source_names_every_call():
    compiled = ttc.compile(nn.Linear(32, 32), (torch.ones(1, 32),))
    assert "ttnn.linear(" in compiled.source
    compile(compiled.source, "source.py", "exec")


def test_sessions_observe_calls():
    compiled = ttc.compile(nn.Linear(32, 32), (torch.ones(1, 32),))
    session = compiled.session()
    seen: list[str] = []
    session.run(np.ones((1, 32), np.float32), lambda index, call, operands, results: seen.append(call.mnemonic))
    assert "ttnn.linear" in seen
    session.reset()
    assert session.state() == {}


def test_an_exported_program_with_open_sizes_is_bound_by_lengths_or_the_first_run(tmp_path: Path):
    size = torch.export.Dim("T", min=2, max=64)
    program = torch.export.export(nn.ReLU(), (torch.ones(1, 8),), dynamic_shapes=({1: size},))
    torch.export.save(program, tmp_path / "open.pt2")
    for model in (program, tmp_path / "open.pt2"):
        compiled = ttc.compile(model)
        assert compiled.run(np.ones((1, 5), np.float32))["output"].shape == (1, 5)
        with pytest.raises(InputError, match=r"no length called no_such: it has s\d+ \(dimension 1 of input\)"):
            ttc.compile(model, lengths={"no_such": 3})
