"""Any wrong use of the Python API raises a TtcError with a sentence; natural uses are taken."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import ttc
from ttc.errors import InputError, TtcError

X = torch.linspace(-1, 1, 24).reshape(3, 8)
A = X.numpy()


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(8, 4).eval()


def relu(shape: list[Any] | None = None) -> onnx.ModelProto:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape or [3, 8]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def compiled(**options: Any):
    return ttc.compile(linear(), (X,), **options)


class Lazily:
    """What many cases share, made once."""

    def __init__(self):
        self.module = compiled(dtype="fp32")
        self.onnx = ttc.compile(relu(), dtype="fp32")
        self.program = ttc.compile(torch.export.export(linear(), (X,)), dtype="fp32")
        shapes = {"dynamic_shapes": {"input": {0: "N"}}, "lengths": {"N": [2, 4]}}
        self.buckets = ttc.compile(linear(), (X,), dtype="fp32", **shapes)


@pytest.fixture(scope="module")
def ready():
    return Lazily()


def takes_two() -> nn.Module:
    class Two(nn.Module):
        def forward(self, x, y, scale=1.0):
            return (x + y) * scale

    return Two()


def odd(make: Callable[[], Any]) -> Any:
    """What torch makes with a warning that it is deprecated or a prototype."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


COMPILING = {
    "nothing": lambda: ttc.compile(None),
    "a number": lambda: ttc.compile(3),
    "a list": lambda: ttc.compile([linear()]),
    "a class": lambda: ttc.compile(nn.Linear),
    "a function": lambda: ttc.compile(torch.relu),
    "weights": lambda: ttc.compile(linear().state_dict()),
    "no file": lambda: ttc.compile("missing.onnx"),
    "an empty name": lambda: ttc.compile(""),
    "a name with NUL": lambda: ttc.compile("a\0.onnx"),
    "a folder": lambda: ttc.compile(Path("/")),
    "bytes of no model": lambda: ttc.compile(b"\x08\xff\xff\xff nonsense"),
    "no bytes": lambda: ttc.compile(b""),
    "text as bytes": lambda: ttc.compile(b"hello, this is text"),
    "bytes of an archive": lambda: ttc.compile(b"PK\x03\x04 and so on"),
    "a text file": lambda: ttc.compile(io.StringIO("text")),
    "a part of an ONNX model": lambda: ttc.compile(relu().graph),
    "a part of onnx_ir": lambda: ttc.compile(onnx_ir.from_proto(relu()).graph),
    "TorchScript": lambda: ttc.compile(odd(lambda: torch.jit.trace(linear(), X))),
    "a lazy module": lambda: ttc.compile(nn.LazyLinear(4), (X,)),
    "training mode": lambda: ttc.compile(nn.Dropout(0.5), (X,)),
    "args by name": lambda: ttc.compile(linear(), {"input": X}),
    "args of ONNX": lambda: ttc.compile(relu(), (X,)),
    "args of a program": lambda: ttc.compile(torch.export.export(linear(), (X,)), (X,)),
    "too many args": lambda: ttc.compile(linear(), (X, X)),
    "too few args": lambda: ttc.compile(takes_two(), (X,)),
    "args of another shape": lambda: ttc.compile(linear(), (X[:, :3],)),
    "args of another dtype": lambda: ttc.compile(linear(), (X.long(),)),
    "text as args": lambda: ttc.compile(linear(), "x"),
    "an array of text": lambda: ttc.compile(linear(), np.array(["a", "b"])),
    "an array of objects": lambda: ttc.compile(linear(), np.array([None, 3], object)),
    "a sparse tensor": lambda: ttc.compile(linear(), X.to_sparse()),
    "a compressed sparse tensor": lambda: ttc.compile(linear(), odd(lambda: X.to_sparse_csr())),
    "a nested tensor": lambda: ttc.compile(linear(), odd(lambda: torch.nested.as_nested_tensor([X, X[:1]]))),
    "a quantized tensor": lambda: ttc.compile(linear(), odd(lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.qint8))),
    "kwargs in a list": lambda: ttc.compile(linear(), (X,), [1]),
    "kwargs as a tensor": lambda: ttc.compile(linear(), X, X),
    "kwargs without names": lambda: ttc.compile(linear(), (X,), {1: 2}),
    "kwargs unknown": lambda: ttc.compile(linear(), (X,), {"colour": 2}),
    "an unknown target": lambda: compiled(target="n151"),
    "a target to come": lambda: compiled(target="galaxy"),
    "a target that is no name": lambda: compiled(target=["n150"]),
    "no target": lambda: compiled(target=None),
    "an unknown dtype": lambda: compiled(dtype="fp64"),
    "a dtype of torch's that is none": lambda: compiled(dtype=torch.float16),
    "no dtype": lambda: compiled(dtype=None),
    "a list of dtypes": lambda: compiled(dtype=["bf16"]),
    "lengths in a list": lambda: compiled(lengths=[3]),
    "lengths as a number": lambda: compiled(lengths=3),
    "lengths as text": lambda: compiled(lengths="T=3"),
    "a length of 0": lambda: compiled(lengths={"T": 0}),
    "a negative length": lambda: compiled(lengths={"T": [-4, 8]}),
    "no sizes": lambda: compiled(lengths={"T": []}),
    "half a size": lambda: compiled(lengths={"T": 1.5}),
    "a size of text": lambda: compiled(lengths={"T": "8"}),
    "a size that is a flag": lambda: compiled(lengths={"T": True}),
    "a size that is nothing": lambda: compiled(lengths={"T": None}),
    "sizes in a dict": lambda: compiled(lengths={"T": {1: 2}}),
    "an array for one size": lambda: compiled(lengths={"T": [np.ones(2, int)]}),
    "a length without a name": lambda: compiled(lengths={1: 8}),
    "an unknown length": lambda: compiled(lengths={"T": 8}),
    "dynamic_shapes as a number": lambda: compiled(dynamic_shapes=3),
    "dynamic_shapes as text": lambda: compiled(dynamic_shapes="T"),
    "dynamic_shapes of no argument": lambda: compiled(dynamic_shapes={"y": {0: "N"}}),
    "dynamic_shapes without arguments": lambda: ttc.compile(linear(), dynamic_shapes={"input": {0: "N"}}),
    "dynamic_shapes of too few": lambda: ttc.compile(takes_two(), (X, X), dynamic_shapes=({0: "N"},)),
    "dynamic_shapes beyond the rank": lambda: compiled(dynamic_shapes={"input": {5: "N"}}),
    "dynamic_shapes at a name": lambda: compiled(dynamic_shapes={"input": {"N": 0}}),
    "dynamic_shapes of an argument as text": lambda: compiled(dynamic_shapes={"input": "N"}),
    "dynamic_shapes without a name": lambda: compiled(dynamic_shapes={"input": {0: torch.export.Dim.AUTO}}),
    "dynamic_shapes of ONNX": lambda: ttc.compile(relu(), dynamic_shapes={"x": {0: "N"}}),
    "dynamic_shapes of a number": lambda: ttc.compile(
        takes_two(), (X, X, 2.0), dynamic_shapes={"scale": {0: "N"}}, lengths={"N": 3}
    ),
    "allow_host as a number": lambda: compiled(allow_host=3),
    "allow_host of numbers": lambda: compiled(allow_host=[3]),
    "allow_host of no op": lambda: compiled(allow_host=["no such op"]),
    "progress that cannot be called": lambda: compiled(progress=3),
}

RUNNING = {
    "no inputs": lambda r: r.module.run({}),
    "nothing": lambda r: r.module.run(None),
    "a number": lambda r: r.module.run(3),
    "text": lambda r: r.module.run("x"),
    "an unknown name": lambda r: r.module.run({"y": A}),
    "one name too many": lambda r: r.module.run({"input": A, "y": A}),
    "numbers for names": lambda r: r.module.run({0: A}),
    "too many in order": lambda r: r.module.run([A, A]),
    "an object": lambda r: r.module.run({"input": SimpleNamespace()}),
    "an array of objects": lambda r: r.module.run(np.array([None])),
    "an array of text": lambda r: r.module.run(np.array(["a"])),
    "a structured array": lambda r: r.module.run(np.zeros(3, [("a", "f4")])),
    "another shape": lambda r: r.module.run(A[:, :3]),
    "another dtype": lambda r: r.module.run(A.astype(np.int64)),
    "int4": lambda r: r.module.run(A.astype(ml_dtypes.int4)),
    "a meta tensor": lambda r: r.module.run(X.to("meta")),
    "a sparse tensor": lambda r: r.module.run(X.to_sparse()),
    "an unknown device": lambda r: r.module.run(A, device="gpu"),
    "a device of torch's": lambda r: r.module.run(A, device=torch.device("cpu")),
    "a list of devices": lambda r: r.module.run(A, device=["emulator"]),
    "an unknown mode": lambda r: r.module.run(A, mode="fast"),
    "no mode": lambda r: r.module.run(A, mode=None),
    "a negative seed": lambda r: r.module.run(A, seed=-1),
    "a seed of text": lambda r: r.module.run(A, seed="one"),
    "a call without arguments": lambda r: r.module(),
    "a call with too many": lambda r: r.module(X, X),
    "a call with an unknown name": lambda r: r.module(X, colour=1),
    "a call with text": lambda r: r.module("x"),
    "a call with a meta tensor": lambda r: r.module(X.to("meta")),
    "a call with a sparse tensor": lambda r: r.module(X.to_sparse()),
    "a program's call without arguments": lambda r: r.program(),
    "a program's call with another shape": lambda r: r.program(X[:2]),
    "a program's call with a sparse tensor": lambda r: r.program(X.to_sparse()),
    "a program's inputs missing": lambda r: r.program.run({}),
    "a program's inputs as text": lambda r: r.program.run("abc"),
    "ONNX: nothing": lambda r: r.onnx.run(None),
    "ONNX: text": lambda r: r.onnx.run({"x": "abc"}),
    "ONNX: numbers for names": lambda r: r.onnx.run({1: A}),
    "ONNX: ragged": lambda r: r.onnx.run({"x": [[1.0], [1.0, 2.0]]}),
    "ONNX: masked": lambda r: r.onnx.run(np.ma.masked_less(A, 0)),
    "ONNX: complex": lambda r: r.onnx.run(A.astype(np.complex64)),
    "ONNX: a sparse tensor": lambda r: r.onnx.run(X.to_sparse()),
    "ONNX: a meta tensor": lambda r: r.onnx.run(X.to("meta")),
    "ONNX: a call with too many": lambda r: r.onnx(X, X),
    "ONNX: an input twice": lambda r: r.onnx(X, x=X),
    "buckets: nothing": lambda r: r.buckets.run(None),
    "buckets: too long": lambda r: r.buckets.run(np.ones((9, 8), np.float32)),
    "buckets: a scalar": lambda r: r.buckets.run(np.float32(1)),
    "buckets: text": lambda r: r.buckets.run({"input": "abc"}),
    "buckets: numbers for names": lambda r: r.buckets.run({1: A}),
    "buckets: a meta tensor": lambda r: r.buckets.run(X.to("meta")),
    "buckets: a call without arguments": lambda r: r.buckets(),
    "a session's unknown device": lambda r: r.module.session(device=3),
    "a session's inputs": lambda r: r.module.session().run({"input": object()}),
    "a session's observer": lambda r: r.module.session().run(A, observer=3),
    "a session's seed": lambda r: r.module.session().reset(-5),
    "an unknown stage": lambda r: r.module.dump(["import"]),
    "an unknown pass": lambda r: r.module.after(None),
    "saving nowhere": lambda r: r.module.save(None),
    "saving to a number": lambda r: r.module.save(1),
    "saving to a folder": lambda r: r.module.save("/"),
    "saving to no folder": lambda r: r.module.save("/no/such/folder/m.ttc"),
    "buckets saved nowhere": lambda r: r.buckets.save(None),
    "loading nothing": lambda r: ttc.load(None),
    "loading a number": lambda r: ttc.load(0),
    "loading bytes": lambda r: ttc.load(b"m.ttc"),
    "loading no file": lambda r: ttc.load("missing.ttc"),
    "before there is a form": lambda r: ttc.compile(linear()).report,
}


def is_sentence(error: TtcError) -> bool:
    return len(str(error).split()) >= 3 and "Traceback" not in str(error)


@pytest.mark.parametrize("case", COMPILING)
def test_compiling_wrongly_is_told_in_a_sentence(case: str):
    with pytest.raises(TtcError) as error:
        COMPILING[case]()
    assert is_sentence(error.value)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (lambda: torch.jit.script(linear()), r"Sequential.0 is TorchScript, .* give the module it came from"),
        (lambda: torch.jit.trace(linear(), X), r"Sequential.0 is TorchScript, .* give the module it came from"),
        (lambda: torch.ao.nn.quantized.dynamic.Linear(8, 4), r"Sequential.0 is quantized for the CPU, Linear of torch"),
    ],
)
def test_parts_of_a_module_that_torch_cannot_trace_are_named(part: Callable[[], nn.Module], reason: str):
    with pytest.raises(InputError, match=reason):
        ttc.compile(nn.Sequential(odd(part)), (X,))


def test_a_function_with_arguments_is_told_to_be_a_module():
    with pytest.raises(InputError, match="no builtin_function_or_method: write the function as the forward of an nn"):
        ttc.compile(torch.relu, (X,))


@pytest.mark.parametrize("case", RUNNING)
def test_running_wrongly_is_told_in_a_sentence(case: str, ready):
    with pytest.raises(TtcError) as error:
        RUNNING[case](ready)
    assert is_sentence(error.value)


@pytest.mark.parametrize(
    "weights",
    [3, [X], {"weight": X}, {"weight": "abc", "bias": X[0, :4]}, {"weight": X.to("meta"), "bias": X[0, :4]}, {}],
)
def test_weights_that_do_not_fit_are_told_in_a_sentence(weights: Any, tmp_path: Path):
    with torch.device("meta"):
        ttc.compile(nn.Linear(8, 4), (torch.zeros(3, 8),)).save(tmp_path / "m.ttc")
    with pytest.raises(TtcError) as error:
        ttc.load(tmp_path / "m.ttc", weights=weights)
    assert is_sentence(error.value)


# ------------------------------------------------------------ natural uses


def test_one_argument_needs_no_tuple_and_arrays_are_taken():
    wanted = linear()(X).detach()
    for args in (X, (X,), [X], A, X.clone().requires_grad_()):
        torch.testing.assert_close(ttc.compile(linear(), args, dtype="fp32")(X), wanted, rtol=1e-5, atol=1e-5)
    found = ttc.compile(linear(), X, dtype="fp32")
    for item in (A, X.requires_grad_(), np.asfortranarray(A), A[::-1][::-1], A.astype(">f4")):
        torch.testing.assert_close(found(item), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (torch.float32, "fp32"), (torch.bfloat16, "bf16"), ("float32", "fp32"), ("bfloat16", "bf16"),
        ("torch.float32", "fp32"), (np.float32, "fp32"), (np.dtype("float32"), "fp32"), ("bfp8", "bfp8"),
    ],
)  # fmt: skip
def test_dtypes_have_torch_s_names_too(given: Any, name: str):
    assert ttc.compile(linear(), X.detach(), dtype=given).build.program.dtype == name


def test_onnx_models_of_every_kind_are_taken(tmp_path: Path):
    proto = relu()
    onnx.save(proto, tmp_path / "m.onnx")
    content = proto.SerializeToString()
    with open(tmp_path / "m.onnx", "rb") as file:
        kinds = [proto, onnx_ir.from_proto(proto), content, bytearray(content), io.BytesIO(content), file]
        for model in kinds:
            np.testing.assert_array_equal(ttc.compile(model, dtype="fp32").run(A)["y"], np.maximum(A, 0))


def test_an_onnx_program_of_torch_s_is_taken():
    program = torch.onnx.ONNXProgram(onnx_ir.from_proto(relu()), None)
    np.testing.assert_array_equal(ttc.compile(program, dtype="fp32").run(A)["y"], np.maximum(A, 0))


def test_sizes_of_lengths_may_be_numbers_of_numpy_s_or_a_range():
    model = ttc.compile(relu([3, "T"]), lengths={"T": np.int64(8)}, dtype="fp32")
    np.testing.assert_array_equal(model.run(A)["y"], np.maximum(A, 0))
    assert len(ttc.compile(relu(["T", 8]), lengths={"T": range(1, 4)}).buckets) == 3


def test_numbers_without_dimensions_stay_so():
    model = ttc.compile(takes_two(), (X, torch.tensor(2.0)), dtype="fp32")
    model.run([A, np.array(3.0, np.float32)])
    assert len(model._forms) == 1


def test_float32_stands_for_bfloat16():
    x = X.detach().bfloat16()
    model = ttc.compile(nn.ReLU(), (x,))
    for given in (x.float().numpy(), x.float().numpy().astype(ml_dtypes.bfloat16), x, x.float()):
        np.testing.assert_array_equal(model.run({"input": given})["output"], x.relu().float().numpy())
    assert len(model._forms) == 1


def test_one_host_op_may_be_named_without_a_list():
    class Product(nn.Module):
        def forward(self, x):
            return x.prod(1)

    x = X.detach()
    found = ttc.compile(Product(), x, allow_host="prod", dtype="fp32")(x)
    torch.testing.assert_close(found, x.prod(1))


def test_weights_bound_to_an_artifact_are_those_of_loading(tmp_path: Path):
    with torch.device("meta"):
        ttc.compile(nn.Linear(8, 4), (torch.zeros(3, 8),), dtype="fp32").save(tmp_path / "m.ttc")
    x = X.detach()
    for convert in (lambda item: item, lambda item: item.numpy(), lambda item: item.double().numpy()):
        state = {name: item.detach().clone() for name, item in linear().state_dict().items()}
        loaded = ttc.load(tmp_path / "m.ttc", weights={name: convert(item) for name, item in state.items()})
        for item in state.values():
            item.zero_()
        torch.testing.assert_close(
            torch.from_numpy(loaded.run(x)["output"]), linear()(x).detach(), rtol=1e-5, atol=1e-5
        )
