"""What is written: whole or not at all, regular files only, modes and links kept; what is read never blocks."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import ttc
from tests.test_cli import artifact, model, sentence  # noqa: F401 (fixtures)
from ttc import models
from ttc.cli import main
from ttc.errors import InputError
from ttc.guard.files import DRAFT, check_output, filling_folder, open_file, write_bytes, writing
from ttc.models.model import Model

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(params=["artifact", "npz", "html", "model"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path], int]:
    """Each way in which the command line writes a file: a function of the path, giving the exit status."""
    source, compiled = request.getfixturevalue("model"), request.getfixturevalue("artifact")
    commands = {
        "artifact": ["compile", str(source), "--length", "batch=2", "-o"],
        "npz": ["run", str(compiled), "-o"],
        "html": ["inspect", str(compiled), "--html"],
        "model": ["models", "small", "-o"],
    }
    if request.param == "model":
        small = Model("small", "a layer", lambda size, fake=False: (nn.Linear(4, 4), {"input": torch.ones(1, 4)}))
        request.getfixturevalue("monkeypatch").setattr(models, "named", lambda name: small)
    return lambda path: main([*commands[request.param], str(path)])


def test_a_link_is_followed_and_modes_are_kept(write, tmp_path: Path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "file").write_bytes(b"old")
    (there / "file").chmod(0o600)
    (tmp_path / "link").symlink_to(there / "file")
    assert write(tmp_path / "link") == 0
    assert (tmp_path / "link").is_symlink()
    assert (there / "file").read_bytes() != b"old"
    assert stat.S_IMODE((there / "file").stat().st_mode) == 0o600


def test_a_new_file_has_the_mode_that_the_umask_leaves(write, tmp_path: Path):
    before = os.umask(0o027)
    try:
        assert write(tmp_path / "new") == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_a_name_of_the_greatest_length(write, tmp_path: Path):
    assert write(tmp_path / ("n" * 255)) == 0
    assert (tmp_path / ("n" * 255)).stat().st_size


def test_what_is_no_regular_file_stays(write, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, why in {
        tmp_path / "pipe": "is a pipe",
        tmp_path / "folder": "is a directory",
        tmp_path / "loop": "symbolic links",
        Path("/dev/null"): "is a device",
    }.items():
        before = path.lstat().st_mode, path.lstat().st_ino
        capsys.readouterr()
        assert write(path) == 2
        assert why in sentence(capsys)
        assert (path.lstat().st_mode, path.lstat().st_ino) == before


def test_no_file_is_left_on_a_full_disk(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    (tmp_path / "old").write_bytes(b"old")
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    assert write(tmp_path / "new") == 2
    assert write(tmp_path / "old") == 2
    assert set(tmp_path.iterdir()) == before
    assert (tmp_path / "old").read_bytes() == b"old"


# ------------------------------------------------------------ its own input


@pytest.fixture
def external(tmp_path: Path) -> Path:
    """A model whose weight lies in the file `weights.bin` beside it."""
    w = numpy_helper.from_array(np.ones((32, 64), np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, size]) for name, size in (("x", 32), ("y", 64)))
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [w])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(proto, tmp_path / "e.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    return tmp_path / "e.onnx"


def test_nothing_replaces_what_it_is_made_of(model: Path, artifact: Path, external: Path, tmp_path: Path):  # noqa: F811
    np.savez(tmp_path / "in.npz", x=np.ones((2, 64), np.float32))
    (tmp_path / "hard").hardlink_to(model)
    (tmp_path / "soft").symlink_to(artifact)
    given = ["--inputs", str(tmp_path / "in.npz")]
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for arguments in (
        ["compile", str(model), "--length", "batch=2", "-o", str(model)],
        ["compile", str(model), "--length", "batch=2", "-o", str(tmp_path / "hard")],
        ["compile", str(external), "-o", str(external)],
        ["compile", str(external), "-o", str(tmp_path / "weights.bin")],
        ["run", str(artifact), *given, "-o", str(tmp_path / "in.npz")],
        ["run", str(artifact), *given, "-o", str(artifact)],
        ["inspect", str(artifact), "--html", str(artifact)],
        ["inspect", str(artifact), "--html", str(tmp_path / "soft")],
        ["inspect", str(model), "--length", "batch=2", "--html", str(model)],
        ["inspect", str(external), "--html", str(tmp_path / "weights.bin")],
        ["compile", str(external), "-o", str(tmp_path / "m.ttc"), "--dump-ir", str(tmp_path / "dumps")],
    ):
        dumps = "--dump-ir" in arguments
        if dumps:
            (tmp_path / "dumps").mkdir()
            (tmp_path / "dumps" / "00-import.ttir").hardlink_to(external)
        assert main(arguments) == 2
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_saving_over_the_model_is_refused_in_python_too(model: Path, external: Path, tmp_path: Path):  # noqa: F811
    compiled = ttc.compile(model, lengths={"batch": 2})
    with pytest.raises(InputError, match="it is an input of the same command"):
        compiled.save(model)
    with pytest.raises(InputError, match="it is an input of the same command"):
        ttc.compile(model, lengths={"batch": [2, 4]}).save(model)
    with pytest.raises(InputError, match="it is an input of the same command"):
        ttc.compile(external).save(tmp_path / "weights.bin")
    compiled.save(tmp_path / "m.ttc")
    ttc.load(tmp_path / "m.ttc").save(tmp_path / "m.ttc")  # the old content is still mapped: nothing is lost
    assert ttc.load(tmp_path / "m.ttc").run(np.ones((2, 64), np.float32))["y"].shape == (2, 32)


# ------------------------------------------------------------ drafts

WRITER = """
import sys, time
from ttc.guard.files import writing
with writing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


def drafts(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if DRAFT.fullmatch(path.name)]


def test_drafts_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path: Path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == b"ready\n"
        (draft,) = drafts(tmp_path)
        write_bytes(tmp_path / "other", b"whole")
        assert drafts(tmp_path) == [draft]
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert drafts(tmp_path) == [draft]
        write_bytes(tmp_path / "other", b"whole")
        assert drafts(tmp_path) == []
        assert not (tmp_path / "out").exists()


def test_a_command_that_is_asked_to_end_leaves_nothing(model: Path, tmp_path: Path):  # noqa: F811
    slow = "import os, sys, time; os.fsync = lambda handle: (print('ready', flush=True), time.sleep(60));"
    code = f"{slow} from ttc.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "compile", str(model), "--length", "batch=2", "-o", str(tmp_path / "m.ttc")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        assert drafts(tmp_path)
        process.terminate()
        assert process.wait() == 130
    assert [path.name for path in tmp_path.iterdir()] == [model.name]


def test_what_fails_leaves_what_was_there(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"old")

    def interrupted() -> None:
        with writing(tmp_path / "file") as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


@pytest.mark.parametrize("name", ["", "new/", "a\0b", "n" * 256, "no/such/file", "file/below"])
def test_names_of_no_file_are_refused_before_and_when_writing(name: str, tmp_path: Path):
    (tmp_path / "file").touch()
    path = f"{tmp_path}/{name}" if name else ""
    with pytest.raises(InputError, match="cannot write"):
        write_bytes(path, b"")
    with pytest.raises(InputError, match="cannot write"):
        check_output(path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# ------------------------------------------------------------ reading


def test_nothing_waits_for_a_pipe_or_a_device(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    for suffix in (".onnx", ".pt2", ".ttc", ".npz"):
        os.mkfifo(tmp_path / f"pipe{suffix}")
        (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    for arguments in (
        ["compile", "pipe.onnx", "-o", "x"], ["compile", "zero.onnx", "-o", "x"], ["compile", "pipe.pt2", "-o", "x"],
        ["run", "pipe.ttc"], ["check", "pipe.ttc"], ["inspect", "zero.ttc"], ["validate", "pipe.onnx"],
        ["run", str(artifact), "--inputs", "pipe.npz"], ["run", str(artifact), "--inputs", "zero.npz"],
    ):  # fmt: skip
        started = time.monotonic()
        capsys.readouterr()
        assert main([str(tmp_path / word) if word.startswith(("pipe", "zero")) else word for word in arguments]) == 2
        assert "not a regular file" in sentence(capsys)
        assert time.monotonic() - started < 20
    for read in (ttc.compile, ttc.load):
        with pytest.raises(InputError, match="not a regular file"):
            read(tmp_path / ("pipe.onnx" if read is ttc.compile else "pipe.ttc"))


def test_what_cannot_be_read_is_named(tmp_path: Path):
    for path, why in ((tmp_path, "is a directory"), (tmp_path / "no", "no such file"), ("a\0", "null byte")):
        with pytest.raises(InputError, match=why):
            open_file(path)


def test_a_folder_appears_when_it_is_full(tmp_path: Path):
    folder = tmp_path / "new" / "programs"
    with filling_folder(folder) as draft:
        (draft / "a").write_text("a")
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["a"]
    with filling_folder(folder) as again:
        (again / "b").write_text("b")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    assert [path.name for path in folder.parent.iterdir()] == ["programs"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_folder_that_is_not_filled_is_none(error: type[BaseException], tmp_path: Path):
    def fill() -> None:
        with filling_folder(tmp_path / "programs") as draft:
            (draft / "a").write_text("a")
            raise error

    with pytest.raises(error):
        fill()
    assert not list(tmp_path.iterdir())


def test_folders_that_cannot_be_made_are_named(tmp_path: Path):
    (tmp_path / "file").write_text("here")
    for path in (tmp_path / "file", tmp_path / "file" / "programs"):
        with pytest.raises(InputError, match=f"cannot write {path}: "), filling_folder(path) as draft:
            (draft / "a").write_text("a")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
