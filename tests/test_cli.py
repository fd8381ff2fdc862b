"""The command line as users and scripts meet it: contracts, exit statuses, sentences, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from ttc.cli import main


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small .onnx file: y = relu(x @ w + b)."""
    generator = np.random.default_rng(0)
    w = numpy_helper.from_array(generator.standard_normal((64, 32)).astype(np.float32), "w")
    b = numpy_helper.from_array(generator.standard_normal(32).astype(np.float32), "b")
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 32])
    graph = helper.make_graph(nodes, "g", [x], [y], [w, b])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def artifact(model: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.ttc"
    assert main(["compile", str(model), "-o", str(path), "--length", "batch=2"]) == 0
    return path


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """What went to stderr: it must be plain, and no traceback."""
    text = capsys.readouterr().err
    assert text.startswith("ttc: ")
    assert "Traceback" not in text
    return text


def test_compile_run_check_inspect(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    np.savez(tmp_path / "in.npz", x=np.ones((2, 64), np.float32))
    assert main(["run", str(artifact), "--inputs", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as outputs:
        assert outputs["y"].shape == (2, 32)
    assert main(["run", str(artifact), "--mode", "tensix"]) == 0
    capsys.readouterr()
    assert main(["inspect", str(artifact)]) == 0
    assert "ttnn.linear" in capsys.readouterr().out
    assert main(["inspect", str(artifact), "--html", str(tmp_path / "page.html")]) == 0
    assert "ttnn.linear" in (tmp_path / "page.html").read_text()


def test_check_says_what_the_library_made_of_it(artifact: Path, ttnn_python: str, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    assert main(["check", str(artifact), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    keys = "ok calls device_programs conversions dram_bytes peak_l1_per_core spec_mismatches refusal"
    assert set(keys.split()) <= set(report)
    assert report["ok"] is True
    assert report["refusal"] is None
    assert main(["check", str(artifact), "--target", "p150"]) == 0
    assert main(["check", str(artifact), "--target", "t3000"]) == 2


def test_compile_as_json(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["compile", str(model), "-o", str(tmp_path / "m.ttc"), "--length", "batch=2", "--json"]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"calls", "host_ops", "stages"} <= set(report)
    assert report["host_ops"] == 0
    assert report["stages"][0] == "import"


def test_dump_and_stop_after(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "dump"
    base = ["compile", str(model), "--length", "batch=2"]
    assert main([*base, "-o", str(tmp_path / "m.ttc"), "--dump-ir", str(folder)]) == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names[0] == "00-import.ttir"
    assert any(name.endswith("-lower.ttir") for name in names)
    capsys.readouterr()
    assert main([*base, "--stop-after", "fuse_linear", "-o", str(tmp_path / "never.ttc")]) == 0
    assert " = linear(" in capsys.readouterr().out
    assert not (tmp_path / "never.ttc").exists()
    assert main([*base, "--stop-after", "no_such_pass"]) == 2


def test_validate(model: Path, capsys: pytest.CaptureFixture[str]):
    base = ["validate", str(model), "--length", "batch=2"]
    assert main([*base, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert report["mode"] == "exact"
    assert set(report["outputs"][0]) >= {"name", "pcc", "scaled_error"}
    assert main([*base, "--per-op", "--dtype", "fp32", "--mode", "tensix"]) == 0
    assert main([*base, "--dtype", "bfp4", "--min-pcc", "0.9999999"]) == 1


def test_validate_names_the_first_op_that_departs(model: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["validate", str(model), "--length", "batch=2", "--dtype", "bfp4", "--min-pcc", "0.9999999"]
    assert main([*arguments, "--per-op", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["departed"].startswith("linear")


def test_pt2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    program = torch.export.export(torch.nn.Linear(32, 8), (torch.ones(2, 32),))
    torch.export.save(program, tmp_path / "m.pt2")
    assert main(["compile", str(tmp_path / "m.pt2"), "-o", str(tmp_path / "m.ttc")]) == 0
    assert main(["validate", str(tmp_path / "m.pt2")]) == 0


@pytest.mark.parametrize("command", ["ops", "passes", "models", "target", "doctor"])
def test_listings(command: str, capsys: pytest.CaptureFixture[str]):
    assert main([command]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_bad_usage_exits_2(model: Path):
    for arguments in ([], ["no-such"], ["compile"], ["compile", str(model), "-o", "x", "--length", "batch"]):
        with pytest.raises(SystemExit) as exit:
            main(arguments)
        assert exit.value.code == 2


def test_unbound_sizes_are_named_with_the_flag(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["compile", str(model), "-o", str(tmp_path / "m.ttc")]) == 2
    assert "--length batch=" in sentence(capsys)
    assert not (tmp_path / "m.ttc").exists()


@pytest.mark.parametrize("content", [b"", b"hello, I am a text file", None], ids=["empty", "text", "cut"])
def test_damaged_models(content: bytes | None, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(model.read_bytes()[:100] if content is None else content)
    assert main(["compile", str(bad), "-o", str(tmp_path / "m.ttc")]) == 2
    assert "bad.onnx" in sentence(capsys)
    assert not (tmp_path / "m.ttc").exists()


def test_missing_external_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    w = numpy_helper.from_array(np.ones((600, 32), np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 600])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 32])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    (tmp_path / "m.data").unlink()
    assert main(["compile", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.ttc")]) == 2
    assert "m.data" in sentence(capsys)
    assert not (tmp_path / "m.ttc").exists()


def test_unsupported_op_names_node_and_op(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 5])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [])
    graph = helper.make_graph([helper.make_node("Det", ["x"], ["y"], name="the_determinant")], "g", [x], [y])
    path = tmp_path / "det.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert main(["compile", str(path), "-o", str(tmp_path / "m.ttc")]) == 2
    text = sentence(capsys)
    assert "Det" in text
    assert "the_determinant" in text


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_damaged_artifacts(damage: str, artifact: Path, capsys: pytest.CaptureFixture[str]):
    data = bytearray(artifact.read_bytes())
    data[len(data) // 2] ^= 1
    content = {"cut": bytes(data[:-7]), "flipped": bytes(data), "empty": b"", "text": b"hello"}[damage]
    artifact.write_bytes(content)
    for command in ("run", "check", "inspect"):
        capsys.readouterr()
        assert main([command, str(artifact)]) == 2
        assert "model.ttc" in sentence(capsys)


def test_wrong_inputs(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "in.npz"
    for arrays, culprit in (
        ({"z": np.ones((2, 64), np.float32)}, "'z'"),
        ({"x": np.ones((3, 64), np.float32)}, "shape"),
        ({"x": np.ones((2, 64), np.int64)}, "int64"),
        ({}, "missing"),
    ):
        np.savez(path, **arrays)
        capsys.readouterr()
        assert main(["run", str(artifact), "--inputs", str(path)]) == 2
        assert culprit in sentence(capsys)
    path.write_text("no arrays")
    assert main(["run", str(artifact), "--inputs", str(path)]) == 2


def test_nan_inputs_run_through(artifact: Path, tmp_path: Path):
    np.savez(tmp_path / "in.npz", x=np.full((2, 64), np.nan, np.float32))
    assert main(["run", str(artifact), "--inputs", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as outputs:
        assert np.isnan(outputs["y"]).all()


def test_full_disk(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    # A file size limit makes every write past it fail as a full disk does.
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from ttc.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    output = tmp_path / "m.ttc"
    arguments = ["compile", str(model), "-o", str(output), "--length", "batch=2"]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ttc: ")
    assert "m.ttc" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [model.name]


def test_a_folder_that_cannot_be_made(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("in the way")
    arguments = ["compile", str(model), "-o", str(tmp_path / "m.ttc"), "--length", "batch=2"]
    assert main([*arguments, "--dump-ir", str(tmp_path / "file" / "dump")]) == 2
    assert "file" in sentence(capsys)


def test_unwritable_output(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["compile", str(model), "-o", str(tmp_path / "no" / "m.ttc"), "--length", "batch=2"]) == 2
    assert "m.ttc" in sentence(capsys)


def test_a_pipe_gets_no_progress_bar(model: Path, tmp_path: Path):
    root = Path(__file__).parent.parent
    arguments = ["compile", str(model), "-o", str(tmp_path / "m.ttc"), "--length", "batch=2", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ttc", *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    json.loads(done.stdout)
