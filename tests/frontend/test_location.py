"""Locations: each line of a dump and each refusal knows the module and the source line, or the node's name."""

from __future__ import annotations

import inspect

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import ttc
from ttc.errors import Refused
from ttc.frontend.location import own_frame
from ttc.ir import Graph


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.fc(x))


class Model(nn.Module):
    def __init__(self, last=torch.sin):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.last = last

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.last(x)


X = torch.zeros(2, 8)
FILE = "test_location.py"


def line_of(method) -> int:
    """The line of a method's return."""
    lines, first = inspect.getsourcelines(method)
    return first + len(lines) - 1


IN_BLOCK, LAST = f"{FILE}:{line_of(Block.forward)}", f"{FILE}:{line_of(Model.forward)}"


def places(graph: Graph) -> dict[str, str]:
    return {value.name: value.location for value in graph.values() if value.location}


def test_nodes_of_a_module_know_its_path_and_their_source_line():
    compiled = ttc.compile(Model(), (X,))
    text = compiled.dump("import")
    assert f"w=%blocks.1.fc.weight, bias=%blocks.1.fc.bias)  # blocks.1.fc at {IN_BLOCK}\n" in text
    assert f"  # blocks.0.act at {IN_BLOCK}\n" in text
    assert f"= sin(x=%relu_1)  # {LAST}\n" in text, "the model itself has no path"


def test_every_call_of_the_last_stage_has_a_location():
    compiled = ttc.compile(Model(), (X,))
    found = places(compiled.build.program.graph)
    assert found == {
        "relu": f"blocks.0.fc at {IN_BLOCK}", "relu_1": f"blocks.1.fc at {IN_BLOCK}", "sin": LAST
    }  # fmt: skip
    assert "#" not in str(compiled.build.program.graph)


def test_archives_and_artifacts_keep_locations(tmp_path):
    torch.export.save(torch.export.export(Model().eval(), (X,)), tmp_path / "model.pt2")
    compiled = ttc.compile(tmp_path / "model.pt2")
    expected = places(ttc.compile(Model(), (X,)).build.program.graph)
    assert places(compiled.build.program.graph) == expected
    compiled.save(tmp_path / "model.ttc")
    assert places(ttc.load(tmp_path / "model.ttc").program.graph) == expected


def test_a_refusal_by_the_front_end_names_module_and_line():
    with pytest.raises(Refused) as refused:
        ttc.compile(Model(torch.lgamma), (X,))
    assert refused.value.reasons[0][0] == f"lgamma in {LAST}"


def test_a_refusal_by_lowering_names_module_and_line():
    with pytest.raises(Refused) as refused:
        ttc.compile(Model(lambda x: x.int() @ x.int().T), (X,))
    ((where, _),) = refused.value.reasons
    assert where.startswith(f"matmul %matmul in {FILE}:")


def onnx_model(*nodes) -> onnx.ModelProto:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 8]) for name in ("x", "y")]
    graph = helper.make_graph(list(nodes), "g", value[:1], value[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_nodes_of_onnx_are_known_by_name_or_else_by_result():
    model = onnx_model(
        helper.make_node("Mish", ["x"], ["a"], name="/encoder/act/Mish"), helper.make_node("Sin", ["a"], ["y"])
    )
    imported = ttc.compile(model).build.ops
    assert set(places(imported).values()) == {"/encoder/act/Mish", "y"}
    assert {node.results[0].where for node in imported.nodes if node.op.mnemonic == "sin"} == {"sin %y"}


@pytest.mark.parametrize(
    ("trace", "frame"),
    [
        ('File "/home/me/model.py", line 7, in forward\n  x', ("model.py", "7")),
        ('File "a.py", line 7, in f\n  x\n  File "C:\\\\b\\\\c-d.py", line 8, in g\n  y', ("c-d.py", "8")),
        ('File "/me/a.py", line 1, in f\n  File "/v/site-packages/torch/nn/m.py", line 2, in g', ("a.py", "1")),
        ('File "/v/site-packages/torchvision/m.py", line 2, in g', ("m.py", "2")),
        (f'File "{torch.nn.__file__}", line 2, in g', ("", "")),
        ("", ("", "")),
        ('File "/me/a b.py", line 3', ("", "")),
        ('File "a.py\n", line 3', ("", "")),
    ],
)  # fmt: skip
def test_the_innermost_frame_that_is_not_torchs(trace: str, frame: tuple[str, str]):
    assert own_frame(trace) == frame
