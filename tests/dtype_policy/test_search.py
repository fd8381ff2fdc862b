"""Choice of dtypes of weights: the search on made-up losses, and a small model from its inputs to its file."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

import ttc
from ttc.cli import main
from ttc.compiled.compiled import Compiled
from ttc.dtype_policy.search import Trials, chosen
from ttc.errors import InputError
from ttc.ir import Const, DType

BFP8, BFP4 = DType.bfp8, DType.bfp4


class Additive(Trials):
    """Trials whose losses add up: (in bfp8, in bfp4) by name."""

    def __init__(self, losses: Mapping[str, tuple[float, float]], elements: Mapping[str, int], bf16: float = 1.0):
        self.losses, self.elements, self.bf16 = losses, elements, bf16
        self.runs: list[dict[str, DType]] = []

    def pcc(self, dtypes: Mapping[str, DType], mode: str = "tensix") -> float:
        self.runs.append(dict(dtypes))
        assert mode == "tensix" or sum(dtype is BFP4 for dtype in dtypes.values()) <= 1
        return self.bf16 - sum(self.losses[name][dtype is BFP4] for name, dtype in dtypes.items())


SMALL = {"a": (0.0, 0.001), "b": (0.0, 0.002), "c": (0.0, 0.004), "d": (0.0, 0.008)}
SAME = dict.fromkeys(SMALL, 1024)


@pytest.mark.parametrize(
    ("least", "in_bfp4"),
    [(0.9, "abcd"), (0.985, "abcd"), (0.9851, "abc"), (0.993, "abc"), (0.9931, "ab"), (0.9971, "a"), (0.9991, "")],
)
def test_as_many_as_keep_the_outputs_the_least_loss_first(least: float, in_bfp4: str):
    choice = chosen(Additive(SMALL, SAME), least)
    assert choice.dtypes == {name: BFP4 if name in in_bfp4 else BFP8 for name in SAME}
    assert choice.pcc >= least


def test_loss_counts_for_each_byte_saved():
    elements = {**SAME, "d": 1024 * 16}
    choice = chosen(Additive(SMALL, elements), 0.9919)
    assert choice.dtype("d") is BFP4
    assert choice.dtype("a") is BFP8


def test_what_bfp8_costs_too_much_stays_in_bf16():
    losses = {"a": (0.0, 0.0), "b": (0.02, 0.03), "c": (0.001, 0.5)}
    choice = chosen(Additive(losses, dict.fromkeys(losses, 64)), 0.99)
    assert choice.dtypes == {"a": BFP4, "c": BFP8}
    assert choice.dtype("b") is DType.bf16
    assert [row[2] for row in choice.rows()] == ["bfp4", "bf16", "bfp8"]
    assert choice.bytes == 64 * 0.5625 + 64 * 2 + 64 * 1.0625
    assert choice.to_dict()["weight_dtypes"] == {"a": "bfp4", "b": "bf16", "c": "bfp8"}


def test_ties_are_broken_by_name_and_runs_grow_with_the_logarithm():
    losses = {f"w{n:02}": (0.0, 0.001) for n in range(64)}
    trials = Additive(losses, dict.fromkeys(losses, 32))
    choice = chosen(trials, 0.9895)
    assert sorted(name for name, dtype in choice.dtypes.items() if dtype is BFP4) == [f"w{n:02}" for n in range(10)]
    assert sum(list(run.values()).count(BFP4) > 1 for run in trials.runs) <= 1 + 6 + 1


def test_a_model_that_bf16_spoils_is_refused():
    with pytest.raises(InputError, match=r"in bf16 an output correlates by 0\.98000, not by 0\.99"):
        chosen(Additive(SMALL, SAME, bf16=0.98), 0.99)


# ---------------------------------------------------------------- a model


class Sensitive(nn.Module):
    """Two products, of which the second takes differences of large numbers: bfp4 spoils these."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.rough, self.fine = nn.Linear(64, 64), nn.Linear(64, 64)
        with torch.no_grad():
            self.fine.weight.copy_(torch.randn(64, 64) * 0.05 + 1)

    def forward(self, x):
        return self.fine(torch.relu(self.rough(x)) - 0.3)


X = torch.randn(8, 64, generator=torch.Generator().manual_seed(1))


def auto(**more) -> Compiled:
    return ttc.compile(Sensitive().eval(), (X,), dtype="auto", inputs=[X.numpy()], **more)


def stored(compiled: Compiled) -> dict[str, str]:
    """The dtypes of the constants of a program by reference."""
    nodes = compiled.build.program.graph.nodes
    return {node.op.ref: str(node.results[0].dtype) for node in nodes if isinstance(node.op, Const)}


def test_the_choice_is_the_programs_and_is_repeated(tmp_path):
    found = auto(min_pcc=0.998)
    choice = found.choice
    assert choice is not None
    assert choice.pcc >= 0.998
    assert choice.dtype("rough.weight") is BFP4
    assert choice.dtype("fine.weight") is not BFP4
    assert stored(found)["rough.weight.permute"] == "bfp4"
    text = str(found.build.program.graph)
    assert str(auto(min_pcc=0.998).build.program.graph) == text
    again = ttc.compile(Sensitive().eval(), (X,), dtype=choice.to_dict()["weight_dtypes"])
    assert str(again.build.program.graph) == text
    found.save(tmp_path / "x.ttc")
    loaded = ttc.load(tmp_path / "x.ttc")
    assert str(loaded.program.graph) == text
    wanted = Sensitive().eval()(X).detach().numpy().ravel()
    (output,) = loaded.run([X.numpy()], device="emulator", mode="tensix").values()
    assert np.corrcoef(output.ravel(), wanted)[0, 1] >= 0.998


def test_a_lower_bound_gives_fewer_bytes_and_variants_drop_the_choice():
    careless = auto(min_pcc=0.2)
    assert careless.choice is not None
    assert careless.choice.share == 0.5625 / 2
    assert set(stored(careless.variant(dtype="bf16")).values()) == {"bf16"}
    assert "bfp4" in stored(careless.variant(target="p150")).values()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "auto"}, 'dtype="auto" needs inputs (--inputs X.npz) to see what weights of fewer bits cost'),
        ({"inputs": [X]}, 'inputs and min_pcc are for dtype="auto" (--dtype auto), which chooses dtypes of weights'),
        ({"min_pcc": 0.99, "dtype": "bfp8"}, 'inputs and min_pcc are for dtype="auto" (--dtype auto), which chooses'),
        ({"dtype": "auto", "inputs": [X], "min_pcc": 1.0}, "min_pcc is a correlation between 0 and 1, got 1.0"),
        ({"dtype": "auto", "inputs": [X], "min_pcc": 0}, "min_pcc is a correlation between 0 and 1, got 0"),
        ({"dtype": "auto", "inputs": [X], "min_pcc": True}, "min_pcc is a correlation between 0 and 1, got True"),
        ({"dtype": "auto", "inputs": [X], "min_pcc": "high"}, "min_pcc is a correlation between 0 and 1, got 'high'"),
        ({"dtype": {"fine.weight": "fp32"}}, "weights by name are stored in bf16, bfp8, bfp4; got 'fp32' for 'fine"),
        ({"dtype": {3: "bfp8"}}, "weights by name are stored in bf16, bfp8, bfp4; got 'bfp8' for 3"),
        ({"dtype": {"fine.bias": "bfp8"}}, "no weight of a product or convolution is called 'fine.bias'"),
        ({"dtype": "auto", "inputs": [X[:, :3].numpy()]}, "64"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_sentence(options, message: str):
    with pytest.raises(InputError) as error:
        ttc.compile(Sensitive().eval(), (X,), **options)
    assert message in str(error.value)


@pytest.fixture
def files(tmp_path):
    """An ONNX model of one product, and inputs."""
    weight = np.random.default_rng(0).standard_normal((32, 32)).astype(np.float32)
    sides = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [4, 32]) for name in "xy"]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", sides[:1], sides[1:], [numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(1).standard_normal((4, 32)).astype(np.float32))
    return tmp_path


def test_the_command_line_prints_the_choice_and_takes_it_back(files, capsys):
    model, out = str(files / "m.onnx"), str(files / "m.ttc")
    common = ["compile", model, "-o", out]
    assert main([*common, "--dtype", "auto", "--inputs", str(files / "x.npz"), "--min-pcc", "0.9"]) == 0
    printed = capsys.readouterr().out
    assert "w       1,024     bfp4   576" in printed
    assert "weights: 0 in bf16, 0 in bfp8, 1 in bfp4; 0.28 of bf16's bytes" in printed
    assert main([*common, "--dtype", "auto", "--inputs", str(files / "x.npz"), "--min-pcc", "0.9", "--json"]) == 0
    text = capsys.readouterr().out
    assert json.loads(text)["weight_dtypes"] == {"w": "bfp4"}
    (files / "choice.json").write_text(text)
    first = (files / "m.ttc").read_bytes()
    assert main([*common, "--dtype", str(files / "choice.json")]) == 0
    assert (files / "m.ttc").read_bytes() == first


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ("auto", 'dtype="auto" needs inputs (--inputs X.npz)'),
        ("fp8", "'fp8' is no dtype; choose from bf16, fp32, bfp8, bfp4, auto, or name a .json file"),
        ("missing.json", "missing.json"),
        ("bad.json", "holds no weight_dtypes"),
        ("list.json", "holds no weight_dtypes"),
    ],
)
def test_the_command_line_names_what_is_wrong(dtype: str, message: str, files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    (files / "bad.json").write_text("{")
    (files / "list.json").write_text('{"weight_dtypes": ["w"]}')
    try:
        code = main(["compile", "m.onnx", "-o", "m.ttc", "--dtype", dtype])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert message in capsys.readouterr().err
    assert not (files / "m.ttc").exists()
