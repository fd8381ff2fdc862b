"""The core: what a machine that only runs programs does without torch, onnx, networkx, rich and safetensors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import ttc
from ttc.compiled.chain import Chain
from ttc.models.systems import SYSTEMS

ROOT = Path(ttc.__file__).parents[1]
COMPILERS = ("torch", "onnx", "onnxruntime", "networkx", "rich", "safetensors", "transformers", "sympy", "google")
WITHOUT = f"""
import sys
for name in {COMPILERS}:
    sys.modules[name] = None
"""
INSTALL = "pip install 'tt-compile[compile]'"


def core(code: str, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Run code in a Python that has none of the compilers' packages."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [python, "-W", "error", "-c", WITHOUT + code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def command(*arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Run a command of ttc there."""
    return core("from ttc.cli import main; sys.exit(main(sys.argv[1:]))", *arguments, python=python)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with weights of its own and derived ones."""
    path = tmp_path_factory.mktemp("core") / "m.ttc"
    module = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.BatchNorm1d(32), torch.nn.ReLU()).eval()
    ttc.compile(module, (torch.ones(2, 64),)).save(path)
    return path


@pytest.fixture(scope="module")
def in_buckets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("core") / "b.ttc"
    module = torch.nn.Linear(64, 32).eval()
    ttc.compile(module, (torch.ones(2, 64),), dynamic_shapes=({0: "N"},), lengths={"N": [32, 64]}).save(path)
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--version"], "ttc 0"),
        (["doctor"], f"compile models: no; compiling needs torch, onnx, networkx: {INSTALL}"),
        (["models"], "kokoro_decoder"),
        (["target"], "one chip of a Wormhole n300"),
        (["target", "p100", "--json"], '"dram_banks": 7'),
        (["--help"], "compile a model"),
    ],
)
def test_what_works_without_any_model(arguments: list[str], said: str):
    done = command(*arguments)
    assert said in done.stdout
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_chain_of_programs_is_loaded(tmp_path: Path):
    first, second = (ttc.compile(torch.nn.Linear(32, 32).eval(), (torch.ones(2, 32),)).executable for _ in range(2))
    links = {"second": {"input": ("first", "output")}}
    Chain.of({"first": first, "second": second}, links).save(tmp_path)
    load = f"from ttc.compiled.chain import Chain; Chain.load(sys.argv[1], ('first', 'second'), {links})"
    done = core(load, str(tmp_path))
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_asks_for_programs_where_it_cannot_compile(system: str):
    done = core(f"from ttc.models.systems import system_named; system_named({system!r})('tiny').pipeline()")
    assert f"compiling {system} needs torch" in done.stderr


def test_models_are_listed_with_what_they_need():
    lines = command("models").stdout.splitlines()[1:]
    from ttc.models import NAMES

    assert [line.split()[0] for line in lines] == list(NAMES)
    assert all("pip install" in line for line in lines)


@pytest.mark.parametrize("name", ["artifact", "in_buckets"])
def test_an_artifact_is_inspected(name: str, tmp_path: Path, request: pytest.FixtureRequest):
    path = request.getfixturevalue(name)
    done = command("inspect", str(path))
    assert "ttnn.linear" in done.stdout
    assert "predicted" in done.stdout
    assert done.stderr == ""
    assert command("inspect", str(path), "--html", str(tmp_path / "page.html")).returncode == 0
    assert "ttnn.linear" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("name", ["artifact", "in_buckets"])
def test_an_artifact_is_loaded_run_and_looked_at(name: str, request: pytest.FixtureRequest):
    """On the null device, which takes every call: what a card computes is the concern of other tests."""
    code = """
import ttc, numpy as np
program = ttc.load(sys.argv[1])
assert "ttnn.linear" in program.source
assert program.report.calls
name, type = program.program.inputs[0]
print([array.shape for array in program.run({name: np.ones(type.shape, np.float32)}, "null").values()])
"""
    done = core(code, str(request.getfixturevalue(name)))
    assert done.stderr == ""
    assert ", 32)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["compile", "{onnx}", "-o", "{out}"], "compiling"),
        (["inspect", "{onnx}"], "compiling"),
        (["validate", "{onnx}"], "comparing"),
        (["run", "{artifact}", "--device", "emulator"], "the emulator"),
        (["ops"], "listing the ops"),
        (["passes"], "listing the passes"),
        (["models", "bert"], "writing bert"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:1]),
)
def test_what_needs_the_compiler_says_how_to_get_it(arguments: list[str], what: str, artifact: Path, tmp_path: Path):
    (tmp_path / "m.onnx").write_bytes(b"model")
    names = {"onnx": tmp_path / "m.onnx", "out": tmp_path / "m.ttc", "artifact": artifact}
    done = command(*(word.format(**names) for word in arguments))
    assert done.returncode == 2
    assert done.stderr.startswith(f"ttc: {what} needs torch")
    assert done.stderr.endswith(f": {INSTALL}\n")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_python_says_it_too(artifact: Path):
    code = f"""
import ttc
for call in (lambda: ttc.compile("m.onnx"), lambda: ttc.load({str(artifact)!r}, weights={{}})):
    try:
        call()
    except ttc.TtcError as error:
        print(error)
"""
    assert core(code).stdout.count(INSTALL) == 2


def test_a_machine_without_the_compiler_checks_and_runs(artifact: Path, ttnn_python: str, tmp_path: Path):
    """The real library's own environment, which has no torch."""
    done = command("check", str(artifact), python=ttnn_python)
    assert "accepted by ttnn" in done.stdout, done.stderr
    np.save(tmp_path / "x.npy", np.ones((2, 64), np.float32))
    done = command("run", str(artifact), "--inputs", str(tmp_path / "x.npy"), python=ttnn_python)
    assert done.returncode == 2
    assert done.stderr == f"ttc: the emulator needs torch: {INSTALL}\n"
