"""Every command and option with odd values: exit status 2 and one sentence with the culprit, or what was meant."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ttc.cli import main

TWO = "--length batch=2"
OUT = "-o x.ttc"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its artifact, and files of other kinds."""
    folder = tmp_path_factory.mktemp("values")
    w = numpy_helper.from_array(np.ones((64, 32), np.float32), "w")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", k]) for n, k in (("x", 64), ("y", 32)))
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "m.onnx")
    assert main(["compile", str(folder / "m.onnx"), "-o", str(folder / "m.ttc"), "--length", "batch=2"]) == 0
    (folder / "dir").mkdir()
    for name in ("w.pt", "w.pth", "w.bin", "w.safetensors", "w.h5", "w.pb", "w.tflite", "w.xyz", "none", "text.txt"):
        (folder / name).write_bytes(b"some text")
    np.save(folder / "a.npy", np.ones((2, 64), np.float32))
    np.save(folder / "bad.npy", np.ones((3, 3), np.float32))
    return folder


@pytest.fixture(autouse=True)
def _inside(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)


def status_of(arguments: list[str]) -> int:
    """The exit status, whether a command returned it or the parser left with it."""
    try:
        return main(arguments)
    except SystemExit as exit:
        return int(str(exit.code or 0))


ODD = {
    "compile ''": "names no file",
    f"compile m.onnx -o '' {TWO}": "names no file",
    f"compile m.onnx -o dir {TWO}": "dir: is a directory",
    f"compile m.onnx -o m.onnx {TWO}": "m.onnx",
    f"compile dir {OUT}": "dir",
    f"compile nö.onnx {OUT}": "nö.onnx",
    f"compile m.ttc {OUT}": "m.ttc is an artifact, which is compiled already",
    f"compile w.pt {OUT}": "torch.export.save(torch.export.export(",
    f"compile w.pth {OUT}": "torch.export.save(torch.export.export(",
    f"compile w.bin {OUT}": "torch.export.save(torch.export.export(",
    f"compile w.safetensors {OUT}": "torch.export.save(torch.export.export(",
    f"compile w.h5 {OUT}": "tf2onnx",
    f"compile w.pb {OUT}": "tf2onnx",
    f"compile w.tflite {OUT}": "tf2onnx",
    f"compile w.xyz {OUT}": "w.xyz: a model is a .onnx or a .pt2 file",
    f"compile none {OUT}": "none: a model is a .onnx or a .pt2 file",
    "compile m.onnx": "-o OUT.ttc",
    f"compile m.onnx {OUT}": "--length batch=",
    f"compile m.onnx {OUT} --length batch=0": "'batch=0' is not a length",
    f"compile m.onnx {OUT} --length batch=-1": "'batch=-1' is not a length",
    f"compile m.onnx {OUT} --length batch=2,": "'batch=2,' is not a length",
    f"compile m.onnx {OUT} --length =2": "'=2' is not a length",
    f"compile m.onnx {OUT} --length batch=٣": "is not a length",
    f"compile m.onnx {OUT} --length batch={'9' * 40}": "is not a length",
    f"compile m.onnx {OUT} --length batch=999999999": "more than the 12,872,318,208 bytes of n150",
    f"compile m.onnx {OUT} --length batch=2 --length batch=4": "for several sizes write --length batch=2,4",
    f"compile m.onnx {OUT} --length other=2": "no length called 'other': it has batch",
    f"compile m.onnx {OUT} --length": "expected one argument",
    f"compile m.onnx {OUT} --length batch={','.join(map(str, range(1, 60)))}": "59 buckets are too many",
    f"compile m.onnx {OUT} {TWO} --target ''": "no target is called ''",
    f"compile m.onnx {OUT} {TWO} --dtype fp64": "fp64",
    f"compile m.onnx {OUT} {TWO} --allow-host ''": "no op is called ''",
    f"compile m.onnx {TWO} --stop-after nope": "no pass is called 'nope'",
    f"compile m.onnx {OUT} {TWO} --dump-ir text.txt": "text.txt",
    "run m.onnx": "m.onnx is a model: compile it first",
    "run dir": "dir",
    "run text.txt": "text.txt",
    "run m.ttc --inputs bad.npy": "shape [3, 3]",
    "run m.ttc --inputs text.txt": "text.txt",
    "run m.ttc --inputs dir": "dir",
    "run m.ttc --device ttnn": "there is no Tenstorrent card",
    "run m.ttc --device gpu": "gpu",
    "run m.ttc -o dir": "dir",
    "run m.ttc -o no/where.npz": "where.npz",
    "validate m.ttc": "m.ttc is an artifact",
    f"validate m.onnx {TWO} --min-pcc 2": "'2' is not a correlation",
    f"validate m.onnx {TWO} --min-pcc nan": "'nan' is not a correlation",
    "validate m.onnx --length batch=2,4 --per-op": "only one length can be compared",
    "inspect m.ttc --after lower": "holds the last stage only",
    f"inspect m.ttc {TWO}": "m.ttc is compiled already",
    "inspect m.ttc --target n150": "m.ttc is compiled already",
    "inspect m.ttc --dtype fp32 --calls": "m.ttc is compiled already",
    "inspect m.ttc -O 0": "m.ttc is compiled already",
    "inspect m.ttc --trust": "m.ttc is compiled already",
    "inspect text.txt": "text.txt",
    "inspect m.ttc --html dir": "dir",
    "check m.onnx": "m.onnx is a model",
    "check m.ttc --target ''": "no target is called ''",
    "models nope": "no model is called 'nope'",
    "models bert --size huge": "bert has the sizes real, tiny, not 'huge'",
    "models --size tiny": "say which model to write",
    "target ''": "'' names no file",
    "target n160": "no target is called 'n160'; supported are n150",
    "target galaxy": "target 'galaxy' is not supported yet",
    "target dir": "cannot read dir: is a directory",
    "target none.yaml": "cannot read none.yaml: no such file or directory",
    "target --device ttnn": "there is no Tenstorrent card",
    "target --device emulator": "emulator",
    "target n150 --device ttnn": "give n150 or --device ttnn, not both",
    "target n150 p150": "unrecognized arguments: p150",
    "doctor x": "unrecognized arguments: x",
    "": "COMMAND",
    "compilex": "compilex",
}
"""A command line by what its sentence says."""


def words(line: str) -> list[str]:
    return ["" if word == "''" else word for word in line.split()]


@pytest.mark.parametrize("line", ODD, ids=lambda line: line[:60])
def test_odd_values_get_a_sentence(line: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    before = sorted(folder.iterdir())
    assert status_of(words(line)) == 2
    printed = capsys.readouterr()
    assert ODD[line] in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    "line", [line for line in ODD if line.split()[:1] in (["compile"], ["validate"], ["check"], ["target"])]
)
def test_json_is_printed_whatever_happens(line: str, capsys: pytest.CaptureFixture[str]):
    assert status_of([*words(line), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert ODD[line].strip("'") in found["error"]


@pytest.mark.parametrize(
    "line",
    [
        "compile --length batch=2 m.onnx -o l.ttc",
        "compile m.onnx -o l.ttc --length batch=2,4 --json",
        "compile m.onnx --stop-after lower --length batch=2 --json",
        "run m.ttc --inputs a.npy",
        "validate m.onnx --inputs a.npy --per-op",
        "validate m.onnx --length batch=2,4 --json",
        "--version",
    ],
)
def test_what_was_meant_is_done(line: str, capsys: pytest.CaptureFixture[str]):
    assert status_of(words(line)) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    if "--json" in line:
        json.loads(printed.out)
    if line.startswith("run"):
        assert "emulated on this CPU, mode exact: there is no Tenstorrent card" in printed.out


def test_validate_without_onnxruntime_uses_onnxs_own_evaluator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from importlib.util import find_spec

    monkeypatch.setattr(
        "ttc.validation.compare.find_spec", lambda name: None if name == "onnxruntime" else find_spec(name)
    )
    assert main(["validate", "m.onnx", "--length", "batch=2"]) == 0
    assert "agrees with onnx.reference, which is slow (pip install onnxruntime" in capsys.readouterr().out
