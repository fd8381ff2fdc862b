"""What is wrong with an ONNX file or its sizes, in one plain sentence that names the culprit."""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.onnx_models import model_of, run_ours
from ttc.errors import InputError, Refused
from ttc.frontend.onnx import dynamic_dims, load
from ttc.frontend.onnx.refused import DOMAINS, REASONS
from ttc.frontend.onnx.tensors import Store

X = np.arange(6, dtype=np.float32).reshape(2, 3)
ADD = helper.make_node("Add", ["x", "w"], ["y"])


def external_model(tmp_path, location: str, count: int = 6, **fields) -> str:
    """A model whose one weight [2, 3] is in the file `location`, which holds `count` floats if it is a plain name."""
    if os.path.basename(location) == location and count:
        np.arange(count, dtype=np.float32).tofile(tmp_path / location)
    model = model_of([ADD], {"x": X}, weights={"w": X})
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **fields}.items():
        weight.external_data.add(key=key, value=str(value))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"this is no model\n" * 9, "is a text file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (bytes(range(256)) * 4, "not an ONNX model"),
        (b"\x08\x03", "has no outputs"),
    ],
)
def test_unusable_files(tmp_path, data, message):
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert "bad.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_cut_of_a_file_is_noticed(tmp_path):
    data = model_of([ADD], {"x": X}, weights={"w": X}).SerializeToString()
    path = tmp_path / "cut.onnx"
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match=r"cut\.onnx"):
            load(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match=r"there is no file '.*none\.onnx'"):
        load(tmp_path / "none.onnx")
    with pytest.raises(InputError, match="is a folder"):
        load(tmp_path)


@pytest.mark.parametrize("opset", [999, 1000])
def test_opsets(opset):
    with pytest.raises(InputError, match=f"opset {opset}; opsets 1 to "):
        load(model_of([ADD], {"x": X}, weights={"w": X}, opset=opset))


def test_files_are_the_model_and_what_it_names(tmp_path):
    assert Store(None).files == set()
    store = Store(tmp_path / "m.onnx")
    store.external.add(tmp_path / "weights.bin")
    assert store.files == {tmp_path / "m.onnx", tmp_path / "weights.bin"}


def test_external_data_is_read_late(tmp_path):
    path = external_model(tmp_path, "weights.bin", 9, offset=12, length=24)
    graph = load(path)
    assert isinstance(graph.weights["w"].read(), np.memmap)
    np.testing.assert_array_equal(run_ours(path, {"x": X})["y"], X + np.arange(3, 9, dtype=np.float32).reshape(2, 3))


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("missing.bin", "should be in .*missing.bin', which does not exist"),
        ("../secret.bin", "outside the model's folder"),
        ("/etc/passwd", "outside the model's folder"),
        ("sub/../../secret.bin", "outside the model's folder"),
        ("", "outside the model's folder"),
        ("weights\0.bin", r"which no file can be called"),
    ],
)
def test_external_data_elsewhere(tmp_path, location, message):
    folder = tmp_path / "model"
    folder.mkdir()
    X.tofile(tmp_path / "secret.bin")
    with pytest.raises(InputError, match=message) as caught:
        load(external_model(folder, location, count=0))
    assert "'w'" in str(caught.value)


def test_external_data_in_a_pipe_is_not_waited_for(tmp_path):
    path = external_model(tmp_path, "pipe.bin", count=0)
    (tmp_path / "pipe.bin").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "pipe.bin")
    with pytest.raises(InputError, match=r"pipe\.bin', which is no regular file"):
        load(path)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    X.tofile(tmp_path / "secret.bin")
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(InputError, match="outside the model's folder"):
        load(external_model(folder, "link.bin", count=0))


def test_a_linked_folder_and_an_absolute_path_within_are_refused(tmp_path):
    folder, outside = tmp_path / "model", tmp_path / "outside"
    folder.mkdir(), outside.mkdir()
    X.tofile(outside / "w.bin")
    X.tofile(folder / "w.bin")
    (folder / "sub").symlink_to(outside)
    for location in ("sub/w.bin", str(folder / "w.bin"), "./../outside/w.bin", "sub/../../outside/w.bin"):
        with pytest.raises(InputError, match="outside the model's folder"):
            load(external_model(folder, location, count=0))


def test_links_to_one_store_are_followed(tmp_path):
    """A download cache links the model and its data to files that lie side by side."""
    store, view = tmp_path / "blobs", tmp_path / "view"
    store.mkdir(), view.mkdir()
    os.rename(external_model(store, "weights.bin"), store / "abc")
    os.rename(store / "weights.bin", store / "def")
    (view / "model.onnx").symlink_to(store / "abc")
    (view / "weights.bin").symlink_to(store / "def")
    np.testing.assert_array_equal(run_ours(str(view / "model.onnx"), {"x": X})["y"], 2 * X)


@pytest.mark.parametrize("fields", [{"offset": 4}, {"length": 20}, {"offset": -4}, {"offset": "two"}])
def test_external_data_of_the_wrong_size(tmp_path, fields):
    with pytest.raises(InputError, match="'w'"):
        load(external_model(tmp_path, "weights.bin", **fields))


def test_external_data_without_a_path(tmp_path):
    model = onnx.load(external_model(tmp_path, "weights.bin"), load_external_data=False)
    with pytest.raises(InputError, match="give the model's path"):
        load(model)


def test_weight_with_too_little_data():
    model = model_of([ADD], {"x": X}, weights={"w": X})
    model.graph.initializer[0].raw_data = b"1234"
    with pytest.raises(InputError, match="'w' holds 4 bytes"):
        load(model).weights.read("w")


DYNAMIC = {"x": ("batch", 3)}


def test_dynamic_dims(tmp_path):
    inputs = {"x": X, "z": np.zeros((2, 3, 4), np.float32)}
    model = model_of([ADD], inputs, weights={"w": X[:1]}, dims={"x": ("batch", 3), "z": (None, 3, "2*batch")})
    assert dynamic_dims(model) == {"x": {0: "batch"}, "z": {0: "z.0", 2: "2*batch"}}
    graph = load(model, lengths={"batch": 2, "z.0": 5})
    assert [value.shape for value in graph.inputs] == [(2, 3), (5, 3, 4)]


def test_lengths_bind_or_are_named():
    model = model_of([ADD], {"x": X}, weights={"w": X[:1]}, dims=DYNAMIC)
    with pytest.raises(InputError, match=r"the length batch must be given: --length batch=\.\.\."):
        load(model)
    with pytest.raises(InputError, match="no length called 'T': it has batch"):
        load(model, lengths={"T": 3})
    with pytest.raises(InputError, match="batch must be a positive whole number, got 0"):
        load(model, lengths={"batch": 0})
    assert load(model, lengths={"batch": 7}).outputs[0][1].shape == (7, 3)
    assert load(model, inputs={"x": X}).outputs[0][1].shape == (2, 3)
    with pytest.raises(InputError, match="'x' should have size 3 in dimension 1"):
        load(model, inputs={"x": (2, 4)})
    with pytest.raises(InputError, match="'x' should have 2 dimensions"):
        load(model, inputs={"x": (2, 3, 4)})
    with pytest.raises(InputError, match="'x' should have size 5 in dimension 0"):
        load(model, inputs={"x": (2, 3)}, lengths={"batch": 5})


def test_all_refusals_at_once():
    nodes = [
        helper.make_node("Unique", ["x"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Frobnicate", ["x"], ["c"], domain="my.domain"),
        helper.make_node("Reshape", ["x", "s"], ["d"]),
        helper.make_node("Relu", ["nowhere"], ["e"]),
        helper.make_node("LeakyRelu", ["x"], ["f"], alpha=0.1, beta=0.2),
        helper.make_node("Concat", ["x", "x"], ["g"]),
        helper.make_node("MatMul", ["x", "x"], ["h"]),
        helper.make_node("ReorderInput", ["x"], ["i"], domain="com.microsoft.nchwc"),
    ]
    inputs = {"x": X, "s": np.array([6], np.int64)}
    with pytest.raises(Refused) as caught:
        load(model_of(nodes, inputs, ("b", "c", "d"), domains={"my.domain": 1}))
    assert caught.value.reasons == [
        ("first", f"Unique: {REASONS['', 'Unique']}"),
        ("c", "Frobnicate: the operator Frobnicate of my.domain (version 1) is not supported"),
        ("d", "Reshape: needs its shape when compiling; it is computed from the input 's'"),
        ("e", "reads 'nowhere', which nothing defines"),
        ("f", "LeakyRelu: its attribute beta = 0.2 is not supported"),
        ("g", "Concat: lacks its attribute axis"),
        ("h", "MatMul: inner sizes differ: 3 in f32[2,3] and 2 in f32[2,3]"),
        ("i", f"ReorderInput: {DOMAINS['com.microsoft.nchwc']}"),
    ]


def test_unsupported_types():
    with pytest.raises(Refused, match="the input 'x': the element type STRING is not supported"):
        load(_strings())
    weight = helper.make_tensor("w", TensorProto.COMPLEX128, [2], [1.0, 2.0])
    model = model_of([ADD], {"x": X})
    model.graph.initializer.append(weight)
    with pytest.raises(Refused, match="w: the element type COMPLEX128 is not supported"):
        load(model)


def _strings() -> onnx.ModelProto:
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], {"x": X})
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    return model


def test_sparse_initialisers():
    model = model_of([ADD], {"x": X})
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [6]))
    with pytest.raises(Refused, match="w: sparse initialisers are not supported"):
        load(model)
