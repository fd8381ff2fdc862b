"""Refusals of all stages come together: each reason once, with its count, its places, and what can be done."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import ttc
from ttc.cli import main
from ttc.errors import Refused
from ttc.frontend.export import export

X, N = torch.ones(4, 4), torch.ones(4, 4, dtype=torch.int64)


class Several(nn.Module):
    """Two unknown ops, one of them often; a product of integers before, beside and after them."""

    def forward(self, x: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
        y = x
        for _ in range(5):
            y = torch.digamma(y)
        values, indices = y.mode(0)
        return values + x, (n @ n) + (indices @ n)


def refusal(model, *args, **options) -> Refused:
    with pytest.raises(Refused) as caught:
        ttc.compile(model, args or None, **options)
    return caught.value


def test_one_compilation_shows_what_every_stage_refuses():
    found = refusal(Several().eval(), X, N)
    reasons = found.by_reason()
    counts = {reason.partition(" is not supported")[0]: len(where) for reason, where in reasons.items()}
    assert counts["aten.digamma.default"] == 5
    assert counts["aten.mode.default"] == 1
    products = next(where for reason, where in reasons.items() if "multiplies matrices of floats" in reason)
    assert len(products) == 2  # the one that reads what mode gives, too
    text = str(found)
    assert text.startswith("3 things in this model cannot be compiled:\n")
    place = f"{Path(__file__).name}:{inspect.getsourcelines(Several.forward)[1] + 3}"
    places = ", ".join(f"{name} in {place}" for name in ("digamma", "digamma_1", "digamma_2"))
    assert f"  {places} and 2 more (5 in all): aten.digamma.default is not supported" in text
    assert f"matmul %matmul in {Path(__file__).name}:" in text, "what lowering refuses has a place, too"
    assert text.count("digamma.default") == 1
    assert "`ttc ops` lists what is supported" in text
    assert text.splitlines()[-1].endswith("the host does what the card cannot: matmul")


def test_what_stands_in_for_a_refused_value_is_not_refused_itself():
    def forward(self, x):
        return torch.digamma(torch.special.digamma(x.double())).sum() + x.sum()

    model = type("Model", (nn.Module,), {"forward": forward})().eval()
    (reason,) = refusal(model, X).by_reason()
    assert reason.startswith("aten.digamma.default is not supported: ")


def test_what_depends_on_constants_alone_is_no_input():
    """A weight that cannot be computed is not taken for one that changes from run to run."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return x * torch.digamma(self.scale), torch.digamma(x) * 2

    with pytest.raises(Refused) as caught:
        export(Model().eval(), (X,))
    assert [value.op.name for value in caught.value.rest.inputs] == ["x", "refused.digamma_1.0"]


def test_host_ops_are_not_refused_with_the_rest():
    reasons = refusal(Several().eval(), X, N, allow_host=["matmul"]).by_reason()
    assert not any("matrices" in reason for reason in reasons)


def onnx_model(nodes: list[onnx.NodeProto], shape: list[int | str], path: Path | None = None) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    n = helper.make_tensor_value_info("n", TensorProto.INT64, [4, 4])
    outputs = [onnx.ValueInfoProto(name=name) for name in ("y", "m", "nn") if any(name in n.output for n in nodes)]
    large = numpy_helper.from_array(np.ones((64, 64), np.float32), "large")
    graph = helper.make_graph(nodes, "g", [x, n], outputs, [large])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if path:
        onnx.save(model, path)
    return model


SEVERAL = [
    helper.make_node("Det", ["x"], ["d0"], name="first"),
    helper.make_node("Det", ["x"], ["d1"], name="second"),
    helper.make_node("Add", ["d0", "d1"], ["d"]),
    helper.make_node("MatMul", ["n", "n"], ["nn"], name="product"),
    helper.make_node("Bernoulli", ["x"], ["b"], name="dice"),
    helper.make_node("Unique", ["b"], ["u"], name="distinct"),
    helper.make_node("MatMul", ["x", "large"], ["xl"]),
    helper.make_node("Add", ["d", "xl"], ["y"]),
    helper.make_node("Cast", ["d0"], ["c"], to=TensorProto.INT64),
    helper.make_node("Expand", ["c", "four"], ["e"]),
    helper.make_node("Add", ["e", "n"], ["s"]),
    helper.make_node("MatMul", ["s", "n"], ["m"], name="after"),
]
SEVERAL.insert(0, helper.make_node("Constant", [], ["four"], value_ints=[4, 4]))


@pytest.mark.parametrize("shape", [[64, 64], ["batch", 64]])
def test_onnx_goes_on_past_what_it_refuses(shape: list[int | str]):
    lengths = {"batch": 64} if "batch" in shape else None
    reasons = refusal(onnx_model(SEVERAL, shape), lengths=lengths).by_reason()
    assert next(where for reason, where in reasons.items() if "Det" in reason) == ["first", "second"]
    assert any("Unique" in reason for reason in reasons)
    assert len(next(where for reason, where in reasons.items() if "matrices of floats" in reason)) == 2


def test_a_shape_that_a_refused_node_decides_is_no_second_refusal():
    nodes = [
        helper.make_node("Unique", ["x"], ["u"], name="distinct"),
        helper.make_node("Det", ["x"], ["d"], name="determinant"),
        helper.make_node("Cast", ["d"], ["c"], to=TensorProto.INT64),
        helper.make_node("Constant", [], ["axis"], value_ints=[0]),
        helper.make_node("Unsqueeze", ["c", "axis"], ["shape"]),
        helper.make_node("Reshape", ["n", "shape"], ["m"]),
        helper.make_node("Relu", ["u"], ["y"]),
    ]
    reasons = refusal(onnx_model(nodes, [8, 8])).by_reason()
    assert [reason.partition(":")[0] for reason in reasons] == ["Unique", "Det"]


def test_json_holds_every_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    onnx_model(SEVERAL, [64, 64], tmp_path / "m.onnx")
    assert main(["compile", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.ttc"), "--json"]) == 2
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["ok"] is False
    assert found["error"] in printed.err
    assert {"reason", "count", "nodes"} == set(found["refused"][0])
    assert found["refused"][0]["nodes"] == ["first", "second"]
    assert found["refused"][0]["count"] == 2
    assert found["advice"]


def test_lengths_do_not_hide_what_the_card_refuses():
    model = Several().eval()
    shapes = {"x": {0: "T"}, "n": None}
    found = refusal(model, X, N, dynamic_shapes=shapes, lengths={"T": [4, 8]})
    assert any("multiplies matrices of floats" in reason for reason in found.by_reason())


# ------------------------------------------------------------ a fault of each stage


def five_faults(path: Path, *faults: str) -> str:
    """A model with these faults: an operator, a value, a giant, products of integers, integers beyond 32 bits."""
    inputs = {"x": (TensorProto.FLOAT, [64, 64]), "n": (TensorProto.INT64, [4, 4])}
    inputs |= {"shape": (TensorProto.INT64, [2])} if "value" in faults else {}
    sizes = numpy_helper.from_array(np.array([4000, 1000, 64, 64], np.int64), "sizes")
    wide = numpy_helper.from_array(np.arange(16).reshape(4, 4) << 37, "wide")
    nodes = {
        "operator": [
            helper.make_node("Bernoulli", ["x"], ["o0"], name="dice"),
            helper.make_node("Unique", ["x"], ["o1"], name="distinct"),
            helper.make_node("Unique", ["x"], ["o2"], name="again"),
            helper.make_node("Relu", ["o1"], ["operator"], name="behind"),
        ],
        "value": [helper.make_node("Reshape", ["x", "shape"], ["value"], name="resize")],
        "giant": [
            helper.make_node("Expand", ["x", "sizes"], ["g0"], name="blow"),
            helper.make_node("Relu", ["g0"], ["g1"], name="blown"),
            helper.make_node("ReduceMax", ["g1"], ["g2"], axes=[0, 1], keepdims=0, name="deflate"),
            helper.make_node("Cast", ["g2"], ["g3"], to=TensorProto.INT64),
            helper.make_node("MatMul", ["g3", "g3"], ["giant"], name="small"),
        ],
        "lowering": [
            helper.make_node("MatMul", ["n", "n"], ["nn"], name="product"),
            helper.make_node("MatMul", ["nn", "n"], ["lowering"], name="behind product"),
        ],
        "wide": [helper.make_node("Gather", ["wide", "n"], ["wide_out"], name="offset")],
    }
    used = [node for fault in faults for node in nodes[fault]]
    names = [{"wide": "wide_out"}.get(fault, fault) for fault in faults]
    graph = helper.make_graph(
        used, "g", [helper.make_tensor_value_info(name, *type) for name, type in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in names], [sizes, wide],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def told(path: str, capsys: pytest.CaptureFixture[str]) -> dict:
    """What `ttc compile --json` says of a model that cannot be compiled."""
    assert main(["compile", path, "-o", f"{path}.ttc", "--json"]) == 2
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert printed.err == f"ttc: {found['error']}\n"
    return found


def test_five_faults_of_five_stages_come_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = five_faults(tmp_path / "m.onnx", "operator", "value", "giant", "lowering", "wide")
    found = told(path, capsys)
    listed = [(reason["reason"].partition(":")[0], reason["count"], reason["nodes"]) for reason in found["refused"]]
    assert listed == [
        ("Unique", 2, ["distinct", "again"]),
        ("Reshape", 1, ["resize"]),
        ("f32[4000,1000,64,64] is more than the 12,872,318,208 bytes of n150", 1, ["expand %g0 in blow"]),
        (
            "TTNN multiplies matrices of floats, not i64", 3,
            ["matmul %giant in small", "matmul %nn in product", "matmul %lowering in behind product"],
        ),
        ("the integer 2061584302080 does not fit the device's 32 bits", 1, ["constant 1.literal in offset"]),
    ]  # fmt: skip
    assert found["error"].startswith("5 things in this model cannot be compiled:\n")
    assert [advice.partition(":")[0] for advice in found["advice"]] == [
        "replace these parts of the model, or end it before them",
        "the values of shape decide shapes",
        "compile for smaller sizes, or a card of more memory",
        "with --allow-host NAME (allow_host=[...] in Python) the host does what the card cannot",
    ]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("operator", "  distinct, again: Unique: the size of its result"),
        ("giant", "  expand %g0 in blow: f32[4000,1000,64,64] is more than"),
        ("lowering", "  matmul %nn in product, matmul %lowering in behind product: TTNN multiplies"),
        ("wide", "  constant 1.literal in offset: the integer 2061584302080 does not fit"),
    ],
)
def test_each_of_these_faults_alone(fault: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    lines = told(five_faults(tmp_path / "m.onnx", fault), capsys)["error"].splitlines()
    things = 2 if fault == "giant" else 1  # what comes of the giant is small, and refused for itself
    assert lines[0].startswith(f"{things} thing")
    assert lines[1].startswith(sentence)
    assert len([line for line in lines[1:] if line.startswith("  ")]) == things


def test_values_alone_are_a_sentence_and_beside_other_faults_one_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    alone = told(five_faults(tmp_path / "alone.onnx", "value"), capsys)
    sentence = "the model has no static form yet: the values of shape decide shapes; run it once with them"
    assert alone == {"ok": False, "error": sentence}
    beside = told(five_faults(tmp_path / "beside.onnx", "value", "lowering"), capsys)
    assert beside["refused"][0]["nodes"] == ["resize"]
    assert [reason["count"] for reason in beside["refused"]] == [1, 2]
    assert beside["advice"][0] == "the values of shape decide shapes: run the model once with them"
    model = ttc.compile(five_faults(tmp_path / "runs.onnx", "value"))
    given = {"x": np.ones((64, 64), np.float32), "n": np.ones((4, 4), np.int64)}
    (found,) = model.run({**given, "shape": np.array([32, 128])}, device="emulator").values()
    assert found.shape == (32, 128)


def test_a_giant_is_told_once_however_much_is_as_large_behind_it():
    class Model(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            large = torch.relu(x.expand(1 << 20, 1 << 12, 4) + 1)
            other = x.expand(1 << 20, 1 << 12, 4)
            return large.sigmoid().amax((0, 1)), other.neg().amax((0, 1))

    (where,) = refusal(Model().eval(), torch.ones(4)).by_reason().values()
    line = inspect.getsourcelines(Model.forward)[1] + 1
    assert where[0].endswith(f" in {Path(__file__).name}:{line}")
    assert len(where) == 1, "the two are one value"


def test_a_constant_that_a_refused_node_reads_is_no_second_refusal():
    """The ends of slices are as large as 64 bits hold."""
    nodes = [
        helper.make_node("Constant", [], ["zero"], value_ints=[0]),
        helper.make_node("Constant", [], ["end"], value_ints=[2**63 - 1]),
        helper.make_node("Constant", [], ["axis"], value_ints=[7]),
        helper.make_node("Slice", ["x", "zero", "end", "axis"], ["y"], name="slice"),
    ]
    assert list(refusal(onnx_model(nodes, [8, 8])).by_reason()) == ["Slice: axis 7 is not in a tensor of rank 2"]
