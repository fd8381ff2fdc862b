"""Buckets as users meet them: lengths in between, limits, batches, artifacts, the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, save
from torch import nn

import ttc
from ttc.cli import main
from ttc.errors import InputError, Refused
from ttc.validation.accuracy import scaled_error


class Speech(nn.Module):
    """Convolutions, norms, attention and a recurrence over time, as speech models have them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(8, 16, 5, stride=2, padding=2)
        self.norm = nn.InstanceNorm1d(16, affine=True)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.lstm = nn.LSTM(16, 8, batch_first=True, bidirectional=True)
        self.up = nn.ConvTranspose1d(16, 4, 4, stride=2, padding=1)

    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        y = y + self.attention(y, y, y, need_weights=False)[0]
        y = self.lstm(y)[0]
        return {"audio": self.up(y.transpose(1, 2)), "mean": y.mean(1)}


def compiled(module, batch=1, sizes=(16, 32), dtype="fp32"):
    return ttc.compile(
        module,
        (torch.zeros(batch, 16, 8),),
        dynamic_shapes={"x": {1: "T"}},
        lengths={"T": list(sizes)},
        dtype=dtype,
    )


@pytest.fixture(scope="module")
def speech():
    torch.manual_seed(0)
    return Speech().eval()


@pytest.fixture(scope="module")
def one(speech):
    return compiled(speech)


@pytest.fixture(scope="module")
def three(speech):
    return compiled(speech, batch=3)


@pytest.mark.parametrize("length", [7, 16, 17, 31, 32])
def test_any_length_gives_what_the_model_gives(speech, one, length):
    x = torch.randn(1, length, 8)
    found, wanted = one(x), speech(x)
    for name, tensor in wanted.items():
        assert found[name].shape == tensor.shape
        assert scaled_error(found[name].numpy(), tensor.detach().numpy()) <= 1e-5


def test_the_smallest_bucket_that_fits_runs(one):
    session = one.session()
    for length, size in ((16, 16), (17, 32)):
        session.run([np.zeros((1, length, 8), np.float32)])
        *_, ran = session._loaded.values()
        assert ran.program.inputs[0][1].shape == (1, size, 8)
    assert "f32[1,32,8]" in one.dump("import"), "the largest is shown, whichever ran"
    assert [bucket.sizes for bucket in one.buckets] == [{"T": 16}, {"T": 32}]


def test_a_longer_input_is_refused_with_the_limit(one):
    with pytest.raises(InputError, match="the length T is 33, and the largest bucket takes 32"):
        one.run(np.zeros((1, 33, 8), np.float32))


def test_each_sample_has_its_own_length(speech, three):
    lengths = [29, 17, 8]
    x = torch.randn(3, 29, 8)
    for sample, length in enumerate(lengths):
        x[sample, length:] = float("nan")
    found = three.run({"x": x.numpy(), "T": lengths})
    for sample, length in enumerate(lengths):
        wanted = speech(x[sample : sample + 1, :length])
        audio = wanted["audio"].detach().numpy()
        size = audio.shape[2]
        assert scaled_error(found["audio"][sample : sample + 1, :, :size], audio) <= 1e-5
        assert (found["audio"][sample, :, size:] == 0).all()
        assert scaled_error(found["mean"][sample : sample + 1], wanted["mean"].detach().numpy()) <= 1e-5
    assert found["audio"].shape[2] == 30


def test_a_length_may_be_stated_for_longer_arrays(one):
    x = np.random.default_rng(0).normal(size=(1, 32, 8)).astype(np.float32)
    short = one.run(x[:, :11])
    np.testing.assert_array_equal(one.run({"x": x, "T": 11})["audio"], short["audio"])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": np.zeros((1, 8, 8), np.float32), "T": 9}, "'x' has size 8 in dimension 1, where T is 9"),
        ({"x": np.zeros((1, 8, 8), np.float32), "T": 0}, "the length T is 0: it must be positive"),
        ({"x": np.zeros((1, 8, 8), np.float32), "T": 2.5}, "must be a whole number"),
        ({"x": np.zeros((1, 8, 8), np.float32), "T": [8, 7]}, "has 2 numbers, the program takes 1"),
        ({"x": np.zeros((1, 8, 8), np.float32), "z": 1}, "no input 'z'"),
        ({}, "input 'x' is missing"),
        ([], "takes 1 inputs"),
        ({"x": np.zeros((1, 8), np.float32)}, "'x' has 2 dimensions"),
        ({"x": np.zeros((1, 8, 9), np.float32)}, r"'x' has shape \[1, 16, 9\]"),
    ],
)
def test_wrong_inputs_are_refused_in_a_sentence(one, inputs, message):
    with pytest.raises(InputError, match=message):
        one.run(inputs)


def test_an_artifact_holds_all_buckets_and_weights_once(three, tmp_path):
    path = tmp_path / "speech.ttc"
    three.save(path)
    loaded = ttc.load(path)
    x = np.random.default_rng(0).normal(size=(3, 20, 8)).astype(np.float32)
    inputs = {"x": x, "T": np.array([20, 5, 12])}
    found, wanted = loaded.run(inputs), three.run(inputs)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])
    weights = [ref for ref in loaded.weights if not ref.startswith("literal")]
    single = compiled(Speech().eval(), batch=3, sizes=(32,))
    assert len([ref for ref in weights if "attention" in ref or "conv" in ref]) <= len(single.build.weights) + 4
    assert sum(type.type.bytes for type in loaded.weights.values()) < 1.3 * sum(
        weight.type.bytes for weight in single.build.weights.values()
    )


def test_weights_can_be_bound_to_an_artifact_without_data(speech, one, tmp_path):
    with torch.device("meta"):
        empty = Speech().eval()
    fake = ttc.compile(
        empty,
        (torch.zeros(1, 16, 8, device="meta"),),
        dynamic_shapes={"x": {1: "T"}},
        lengths={"T": [16, 32]},
        dtype="fp32",
    )
    fake.save(tmp_path / "fake.ttc")
    x = np.random.default_rng(0).normal(size=(1, 13, 8)).astype(np.float32)
    with pytest.raises(InputError, match="without data"):
        ttc.load(tmp_path / "fake.ttc").run(x)
    bound = ttc.load(tmp_path / "fake.ttc", weights=speech.state_dict())
    np.testing.assert_array_equal(bound.run(x)["audio"], one.run(x)["audio"])


def test_one_size_is_exact_and_takes_no_length(speech):
    single = compiled(speech, sizes=(16,))
    assert list(dict(single.build.program.inputs)) == ["x"]
    assert "padding" not in single.stages


def test_two_lengths_have_buckets_of_both():
    class Cross(nn.Module):
        def forward(self, x, y):
            return torch.softmax(x @ y.transpose(1, 2), -1) @ y

    model = ttc.compile(
        Cross(),
        (torch.zeros(1, 16, 8), torch.zeros(1, 16, 8)),
        dynamic_shapes={"x": {1: "S"}, "y": {1: "T"}},
        lengths={"S": [16, 32], "T": [16, 48]},
        dtype="fp32",
    )
    assert len(model.buckets) == 4
    x, y = torch.randn(1, 19, 8), torch.randn(1, 5, 8)
    assert scaled_error(model(x, y).numpy(), Cross()(x, y).numpy()) <= 1e-5
    session = model.session()
    session.run([x.numpy(), y.numpy()])
    (ran,) = session._loaded.values()
    assert [type.shape for _, type in ran.program.inputs[:2]] == [(1, 32, 8), (1, 16, 8)]


class Positions(nn.Module):
    """A table of 16 positions of which a text takes as many as it is long, as models of the BERT family do."""

    def __init__(self):
        super().__init__()
        self.register_buffer("positions", torch.arange(16)[None])
        self.table = nn.Embedding(16, 4)

    def forward(self, x):
        return x + self.table(self.positions[:, : x.shape[1]])


def test_the_largest_bucket_may_be_a_whole_table():
    """torch.export leaves out the slice of everything, which is a part of the table at all other lengths."""
    module = Positions().eval()
    model = ttc.compile(
        module, (torch.zeros(1, 8, 4),), dynamic_shapes={"x": {1: "T"}}, lengths={"T": [8, 16]}, dtype="fp32"
    )
    for length in (5, 8, 16):
        x = torch.randn(1, length, 4)
        found = model.run({"x": x.numpy()}, "emulator")["output"]
        np.testing.assert_allclose(found, module(x).detach().numpy(), atol=1e-6)


def test_what_mixes_samples_has_one_length_for_all():
    class Mixing(nn.Module):
        def forward(self, x):
            return x - x.mean((0, 1), keepdim=True)

    model = compiled(Mixing(), batch=2)
    x = torch.randn(2, 13, 8)
    assert scaled_error(model(x).numpy(), Mixing()(x).numpy()) <= 1e-5
    with pytest.raises(InputError, match="they share a length"):
        model.run({"x": x.numpy(), "T": [13, 5]})


def test_lengths_that_are_multiples_stay_so():
    class Pairs(nn.Module):
        def forward(self, x):
            return x.reshape(x.shape[0], x.shape[1] // 4, 4, 8).mean(2)

    model = compiled(Pairs())
    x = torch.randn(1, 12, 8)
    assert scaled_error(model(x).numpy(), Pairs()(x).numpy()) <= 1e-5
    with pytest.raises(InputError, match="the length T is 13: the model takes multiples of 4"):
        model.run(np.zeros((1, 13, 8), np.float32))


def test_more_sizes_tell_what_few_leave_open():
    class Halved(nn.Module):
        def forward(self, x):
            return x.index_select(1, torch.arange(0, x.shape[1], 2))

    model = compiled(Halved(), batch=2, sizes=(12, 13))
    x = torch.randn(2, 11, 8)
    assert scaled_error(model(x).numpy(), Halved()(x).numpy()) == 0


def test_what_cannot_be_shown_is_refused_with_its_place():
    class Strange(nn.Module):
        def forward(self, x):
            return x.repeat(1, 2, 1)

    with pytest.raises(Refused, match="repeats a length"):
        compiled(Strange())


def test_too_few_arguments():
    with pytest.raises(InputError, match="no length called S"):
        ttc.compile(Speech(), (torch.zeros(1, 16, 8),), dynamic_shapes={"x": {1: "T"}}, lengths={"S": [16, 32]})
    with pytest.raises(InputError, match="positive whole numbers"):
        compiled(Speech(), sizes=(16, 0))


@pytest.fixture
def model(tmp_path):
    """An .onnx file with a named time axis."""
    w = numpy_helper.from_array(np.random.default_rng(0).normal(size=(8, 4, 3)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], pads=[1, 1]),
        helper.make_node("Softmax", ["h"], ["y"], axis=2),
        helper.make_node("GlobalAveragePool", ["h"], ["z"]),
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", c, "time"]) for n, c in (("x", 4), ("y", 8)))
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 8, 1])
    graph = helper.make_graph(nodes, "g", [x], [y, z], [w])
    path = tmp_path / "model.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_the_command_line_compiles_runs_and_shows_buckets(model, tmp_path, capsys):
    lengths = ["--length", "time=16,32", "batch=2", "--dtype", "fp32"]
    artifact = tmp_path / "model.ttc"
    assert main(["validate", str(model), "--json", *lengths]) == 0
    assert all(output["scaled_error"] < 1e-5 for output in json.loads(capsys.readouterr().out)["outputs"])
    assert main(["compile", str(model), "-o", str(artifact), *lengths]) == 0
    assert main(["run", str(artifact), "-o", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as outputs:
        assert outputs["y"].shape == (2, 8, 28)
    capsys.readouterr()
    assert main(["inspect", str(artifact)]) == 0
    assert "bucket time=16: 3 masks\n  %x, 0 beyond time: a convolution reads" in capsys.readouterr().out
    assert main(["compile", str(model), "--stop-after", "padding", *lengths]) == 0
    assert '%time: i64[2] = input(name="time")' in capsys.readouterr().out


def test_the_real_library_accepts_every_bucket(model, tmp_path, capsys, ttnn_python):
    artifact = tmp_path / "model.ttc"
    assert main(["compile", str(model), "-o", str(artifact), "--length", "time=16,32", "batch=2"]) == 0
    capsys.readouterr()
    assert main(["check", str(artifact), "--json"]) == 0
    assert [bucket["ok"] for bucket in json.loads(capsys.readouterr().out)["buckets"]] == [True, True]
