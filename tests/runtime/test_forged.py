"""Artifacts of somebody who knows the format: every checksum is right, and what they say is not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ttc
from tests.runtime import mlp
from ttc.cli import main
from ttc.errors import InputError
from ttc.runtime.file.artifact import NO_DIGEST, save
from ttc.runtime.run.buckets import Bucket


class Parts:
    """The parts of an artifact, to be changed and put together again."""

    def __init__(self, path: Path):
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        self.entries, self.weights = json.loads(data[8:start]), data[start:]
        self.texts = self.entries.pop("__metadata__")
        self.manifest = {**json.loads(self.texts.pop("ttc")), "sha256": NO_DIGEST}

    def write(self, path: Path, manifest: str = "", header: str = "") -> None:
        """Write them under a right checksum; `manifest` and `header` are taken as they are."""
        texts = {"ttc": manifest or json.dumps(self.manifest), **self.texts}
        head = (header or json.dumps({"__metadata__": texts, **self.entries})).encode()
        content = len(head).to_bytes(8, "little") + head
        digest = hashlib.sha256(content + self.weights).hexdigest()
        path.write_bytes(content.replace(NO_DIGEST.encode(), digest.encode(), 1) + self.weights)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    save(tmp_path / "sound.ttc", [Bucket.exact(mlp.program())], "graph {\n  return\n}\n", mlp.arrays().items())
    found = Parts(tmp_path / "sound.ttc")
    found.write(tmp_path / "sound.ttc")
    ttc.load(tmp_path / "sound.ttc")  # as sound as before
    return found


def refusal(path: Path, capsys: pytest.CaptureFixture[str] | None = None) -> str:
    """Why a file is refused, in Python and on the command line."""
    with pytest.raises(InputError) as error:
        ttc.load(path)
    if capsys:
        for command in ("run", "inspect"):
            assert main([command, str(path)]) == 2
            assert "Traceback" not in capsys.readouterr().err
    assert len(str(error.value)) < 1000
    return str(error.value)


WRONG: list[Any] = [None, True, 1.5, -1, 10**30, "", "x\0\x1b[31m", "<script>", "y" * 200, [], {}, [[]], [[[]]], [1, 2]]


FIELDS = ("format", "target", "dtype", "inputs", "outputs", "weights", "ttc", "sha256")


@pytest.mark.parametrize("field", [*FIELDS, "buckets"])
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_every_field_of_the_manifest_is_of_its_kind(field: str, wrong: Any, parts: Parts, tmp_path: Path):
    if field == "buckets" and wrong == []:
        return  # says nothing
    parts.manifest[field] = wrong
    parts.write(tmp_path / "x.ttc")
    refusal(tmp_path / "x.ttc")


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_of_the_manifest_is_missing(field: str, parts: Parts, tmp_path: Path):
    del parts.manifest[field]
    parts.write(tmp_path / "x.ttc")
    refusal(tmp_path / "x.ttc")


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    "wrong", [*WRONG, "bfp8", "c63", [4, 64.0], [True, 64], [-4, -64], [1] * 65, [2**63, 0]], ids=repr
)
def test_each_part_of_a_signature_is_of_its_kind(place: int, wrong: Any, parts: Parts, tmp_path: Path):
    parts.manifest["inputs"][0][place] = wrong
    parts.write(tmp_path / "x.ttc")
    refusal(tmp_path / "x.ttc")


def test_a_word_of_another_kind_is_named(parts: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    parts.manifest["dtype"] = "<script>alert(1)</script>"
    parts.write(tmp_path / "x.ttc")
    assert "its dtype is '<script>alert(1)</script>', not one of bf16" in refusal(tmp_path / "x.ttc", capsys)
    parts.manifest["dtype"], parts.manifest["target"] = "bf16", "n151"
    parts.write(tmp_path / "x.ttc")
    assert "no target is called 'n151'" in refusal(tmp_path / "x.ttc", capsys)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("manifest", "header"),
    [(DEEP, ""), ("", DEEP), ('{"format": ' + DEEP + "}", ""), ("", '{"a": ' * 50_000 + "1" + "}" * 50_000)],
)
def test_deep_json_is_refused(manifest: str, header: str, parts: Parts, tmp_path: Path):
    parts.write(tmp_path / "x.ttc", manifest, header)
    refusal(tmp_path / "x.ttc")


def test_a_key_twice_is_refused(parts: Parts, tmp_path: Path):
    text = json.dumps(parts.manifest)
    parts.write(tmp_path / "x.ttc", text[:-1] + ', "target": "p150"}')
    assert "no manifest" in refusal(tmp_path / "x.ttc")
    parts.texts["ttc"] = text
    header = json.dumps({"__metadata__": parts.texts, **parts.entries})
    entry = json.dumps(parts.entries["b"])
    parts.write(tmp_path / "x.ttc", header=header[:-1] + f', "b": {entry}}}')
    assert "its header is damaged" in refusal(tmp_path / "x.ttc")


def test_tensors_lie_end_to_end(parts: Parts, tmp_path: Path):
    sound, weights = dict(parts.entries), parts.weights
    _, second = sorted(sound, key=lambda name: sound[name]["data_offsets"])[:2]
    size = sound[second]["data_offsets"][1] - sound[second]["data_offsets"][0]
    parts.entries = {**sound, second: {**sound[second], "data_offsets": [0, size]}}
    parts.write(tmp_path / "x.ttc")
    assert "its tensors overlap" in refusal(tmp_path / "x.ttc")
    parts.entries = {
        name: {**entry, "data_offsets": [n + 8 for n in entry["data_offsets"]]} for name, entry in sound.items()
    }
    parts.weights = bytes(8) + weights
    parts.write(tmp_path / "x.ttc")
    assert "its tensors leave gaps" in refusal(tmp_path / "x.ttc")
    parts.entries, parts.weights = sound, weights + b"hidden"
    parts.write(tmp_path / "x.ttc")
    assert "there is more after its last tensor" in refusal(tmp_path / "x.ttc")
    parts.weights = weights[:-8]
    parts.write(tmp_path / "x.ttc")
    assert "it is cut off" in refusal(tmp_path / "x.ttc")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("bf16[4,64] tile", "bf16[4,-64] tile", "a size is -64"),
        ("bf16[4,64] tile", "bf16[250000,256000] tile", "more than the memory of n150"),
        ("bf16[4,64] tile", "bf16[1000000,64000000] tile", "64,000,000,000,000 elements of a value are more than"),
        ("bf16[4,64] tile", f"bf16[{'9' * 20},{'9' * 20}] tile", "elements of a value are more than"),
        ("bf16[4,64] tile", f"bf16[{'9' * 21},64] tile", "expected an integer"),
        ("bf16[4,64] tile", f"bf16[{','.join('1' * 70)}] tile", "a shape has 70 sizes"),
        ('activation="gelu"', 'activation="os.system"', "of another kind"),
        ("%hidden, %w2", "%y, %w2", "is not defined"),
    ],
)
def test_programs_that_lie_are_refused(old: str, new: str, why: str, parts: Parts, tmp_path: Path, capsys):
    assert old in parts.texts["program"]
    parts.texts["program"] = parts.texts["program"].replace(old, new, 1)
    parts.write(tmp_path / "x.ttc")
    assert why in refusal(tmp_path / "x.ttc", capsys)


def test_signatures_that_lie_are_refused(parts: Parts, tmp_path: Path, capsys):
    parts.manifest["inputs"][0][2] = [10**6, 64 * 10**6]
    parts.write(tmp_path / "x.ttc")
    assert "64,000,000,000,000 elements of a value are more than" in refusal(tmp_path / "x.ttc", capsys)


def test_what_needs_more_memory_than_there_is_is_said_before_it_is_taken(
    parts: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ttc.runtime.run.memory.available_bytes", lambda: 8 << 30)
    program = 'graph {\n  %x: f32[2999999999] row_major dram = input(name="x")\n  return "y"=%x\n}\n'
    parts.texts["program"], parts.entries, parts.weights = program, {}, b""
    parts.manifest["inputs"] = [["x", "f64", [2999999999]]]
    parts.manifest["outputs"] = [["y", "f64", [2999999999]]]
    parts.write(tmp_path / "x.ttc")
    assert main(["run", str(tmp_path / "x.ttc")]) == 2
    assert "more memory than" in capsys.readouterr().err
    with pytest.raises(ttc.TtcError, match="more memory than"):
        ttc.load(tmp_path / "x.ttc").run(np.broadcast_to(np.zeros(1), (2999999999,)))
