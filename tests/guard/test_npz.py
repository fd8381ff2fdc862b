"""Input files of strangers, and arrays of all kinds: numbers are taken, all else is refused in a sentence."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import ttc
from tests.guard.test_files import artifact, model, sentence  # noqa: F401 (fixtures)
from ttc.cli import main
from ttc.errors import InputError
from ttc.guard.npz import read_inputs, write_npz

X = np.arange(128, dtype=np.float32).reshape(2, 64)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(shape: str, descr: str = "'<f4'") -> bytes:
    """The beginning of a .npy file that claims this shape and type."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def zipped(*members: tuple[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def encrypted() -> bytes:
    content = bytearray(zipped(("x.npy", npy(X))))
    for sign, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(sign) + flags] |= 1
    return bytes(content)


HOSTILE = {
    "text": b"no arrays",
    "empty": b"",
    "cut": zipped(("x.npy", npy(X)))[:-30],
    "cut inside": zipped(("x.npy", npy(X)[:-4])),
    "damaged": zipped(("x.npy", npy(X))).replace(X.tobytes()[100:104], b"\xff\xff\xff\xff", 1),
    "encrypted": encrypted(),
    "twice": zipped(("x.npy", npy(X)), ("x.npy/../x.npy", npy(X)), ("y", b"")),
    "no array": zipped(("x.npy", b"no array")),
    "trailing": zipped(("x.npy", npy(X) + b"more")),
    "giant shape": zipped(("x.npy", header("(1000000000000,)") + bytes(64))),
    "overflowing shape": zipped(("x.npy", header(f"({2**63}, {2**63})") + bytes(64))),
    "negative shape": zipped(("x.npy", header("(-1, -32)") + bytes(128))),
    "shape of booleans": zipped(("x.npy", header("(True, 64)") + bytes(256))),
    "deep header": zipped(("x.npy", header("(" * 3000 + ")" * 3000))),
    "objects": zipped(("x.npy", header("(2, 64)", "'|O'") + bytes(1024))),
    "records": zipped(("x.npy", npy(np.zeros((2, 64), [("a", "f4")])))),
    "strings": zipped(("x.npy", npy(np.full((2, 64), "text")))),
    "times": zipped(("x.npy", npy(np.zeros((2, 64), "M8[s]")))),
    "bomb": zipped(("x.npy", header("(25000000,)") + bytes(100_000_000)), how=zipfile.ZIP_DEFLATED),
    "array of objects": header("(2, 64)", "'|O'") + bytes(1024),
    "array cut": npy(X)[:-4],
    "array too large": header("(25000000,)") + bytes(100_000_000),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_files_that_hold_no_inputs(kind: str, artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    path = tmp_path / "x.npz"
    path.write_bytes(HOSTILE[kind])
    capsys.readouterr()
    assert main(["run", str(artifact), "--inputs", str(path)]) == 2
    assert "x.npz" in sentence(capsys)


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_arrays_of_numbers_are_read(how: int, tmp_path: Path):
    arrays = {
        "x": X, "big": X.astype(">f4"), "columns": np.asfortranarray(X), "one": np.float64(3), "none": np.zeros((0, 3)),
        "long": X.astype(">i8"), "bool": X > 3, "complex": X.astype(np.complex64), "a/b": X,
    }  # fmt: skip
    (tmp_path / "x.npz").write_bytes(zipped(*((f"{name}.npy", npy(array)) for name, array in arrays.items()), how=how))
    found = read_inputs(tmp_path / "x.npz", 1 << 20)
    assert isinstance(found, dict)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].dtype.isnative
        np.testing.assert_array_equal(found[name], array)
    (tmp_path / "x.npy").write_bytes(npy(X.astype(">f4")))
    np.testing.assert_array_equal(read_inputs(tmp_path / "x.npy", 1 << 20), X)


def test_what_is_written_numpy_reads(tmp_path: Path):
    arrays = {"file": X, "a/b": X > 3, "../é": np.float32(2), "self": np.zeros((0, 2))}
    write_npz(tmp_path / "y.npz", arrays)
    with np.load(tmp_path / "y.npz", allow_pickle=False) as found:
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
    with pytest.raises(InputError, match=r"no name that a \.npz file can hold"):
        write_npz(tmp_path / "z.npz", {"a\0b": X})
    assert [path.name for path in tmp_path.iterdir()] == ["y.npz"]


# ------------------------------------------------------------ in Python


def test_arrays_and_tensors_of_all_kinds(artifact: Path, model: Path):  # noqa: F811
    loaded = ttc.load(artifact)
    compiled = ttc.compile(model)
    wanted = loaded.run(X)["y"]
    for x in (
        X.astype(">f4"),
        torch.from_numpy(X).requires_grad_(),
        np.asfortranarray(X),
        torch.from_numpy(X).mT.clone().mT,
    ):
        np.testing.assert_array_equal(loaded.run({"x": x})["y"], wanted)
        np.testing.assert_array_equal(compiled.run({"x": x})["y"], wanted)
    for x, why in (
        (torch.from_numpy(X).to("meta"), "meta or fake tensor"),
        (torch.from_numpy(X).to_sparse(), "to_dense"),
        (X.astype(object), "object"),
        (np.zeros((2, 64), [("a", "f4")]), r"\('a', '<f4'\)"),
        (np.full((2, 64), "text"), "<U4"),
    ):
        for run in (loaded.run, compiled.run):
            with pytest.raises(InputError, match=why):
                run({"x": x})


def test_arrays_of_all_kinds_for_modules():
    compiled = ttc.compile(torch.nn.Linear(64, 2))
    np.testing.assert_array_equal(compiled.run(X.astype(">f4"))["output"], compiled.run(X)["output"])
    for x in (X.astype(object), np.zeros((2, 64), [("a", "f4")]), np.full((2, 64), "text")):
        with pytest.raises(InputError, match="not numbers"):
            compiled.run(x)
