"""README's examples, run as they are written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ttc.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


class Speech(nn.Module):
    """Ids [B, T] and lengths [B] to states [B, T, 8], zero beyond the lengths."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        valid = torch.arange(ids.shape[1])[None] < lengths[:, None]
        return self.embedding(ids) * valid[..., None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model of an open batch and inputs for it."""
    w = numpy_helper.from_array(np.random.default_rng(0).standard_normal((64, 32)).astype(np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", k]) for n, k in (("x", 64), ("y", 32)))
    graph = helper.make_graph(nodes, "g", [x], [y], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    np.savez(tmp_path / "x.npz", x=np.ones((8, 64), np.float32))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands(folder: Path, ttnn_python: str, capsys: pytest.CaptureFixture[str]):
    commands = re.findall(r"^    ttc (.+?)(?: +#.*)?$", README, re.MULTILINE)
    words = [shlex.split(command) for command in commands]
    assert {line[0] for line in words} == COMMANDS.keys() - {"passes", "models run", "models validate"}
    for line in words:
        assert main(line) == 0, (line, capsys.readouterr())
    assert {"model.ttc", "y.npz", "bert.pt2"} <= {path.name for path in folder.iterdir()}


def test_the_python(folder: Path, capsys: pytest.CaptureFixture[str]):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 1
    torch.manual_seed(0)
    names = {
        "torch": torch,
        "module": nn.Sequential(nn.Linear(64, 32), nn.Tanh()).eval(),
        "x": torch.randn(4, 64),
        "tts": Speech().eval(),
        "ids": torch.randint(0, 50, (1, 100)),
        "lengths": torch.tensor([90]),
    }
    exec(compile(blocks[0], "README.md", "exec"), names)
    assert "ttnn.linear" in capsys.readouterr().out
    wanted = names["module"](names["x"]).detach()
    assert torch.allclose(names["y"], wanted, atol=0.05)
    assert torch.allclose(torch.from_numpy(next(iter(names["outputs"].values()))), wanted, atol=0.05)
    assert names["speech"](names["ids"], names["lengths"]).shape == (1, 100, 8)


def test_what_is_installed_exists():
    project = (ROOT / "pyproject.toml").read_text()
    assert 'name = "tt-compile"' in project
    extras = re.findall(r"^(\w+) = \[", project.partition("[project.optional-dependencies]")[2], re.MULTILINE)
    named = set(re.findall(r"tt-compile\[(\w+)\]", README))
    assert named == {"compile", "ttnn", "models", "exact"}
    assert named <= set(extras)


def test_what_it_links_to_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert all((ROOT / link).is_file() for link in links)
