import errno
import json
import os
import resource
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from tests.runtime import mlp
from ttc import load
from ttc.errors import InputError, TtcError
from ttc.runtime.check.interpreter import PACKAGE
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.file import artifact
from ttc.runtime.file.artifact import save
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.session import Session

X = np.random.default_rng(1).normal(size=(4, 64)).astype(np.float32)
PROGRAMS = [Bucket.exact(mlp.program())]
DERIVATION = "graph {\n  return\n}\n"


def in_order(weights):
    return [(ref, weights.read(ref)) for ref in weights]


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "mlp.ttc"
    save(path, PROGRAMS, DERIVATION, in_order(mlp.weights()))
    return path


def test_a_loaded_program_is_the_saved_one(saved):
    found = load(saved)
    program = mlp.program()
    assert str(found.program.graph) == str(program.graph)
    assert (found.program.inputs, found.program.outputs) == (program.inputs, program.outputs)
    assert (found.program.target, found.program.dtype, found.derivation) == ("n150", "bf16", DERIVATION)
    run = Session(found.buckets, found.weights, EmulatorDevice()).run(X)
    wanted = Session(PROGRAMS, mlp.weights(), EmulatorDevice()).run(X)
    np.testing.assert_array_equal(run["y"], wanted["y"])


def test_float32_weights_are_rounded_to_what_the_program_keeps(saved, tmp_path):
    save(tmp_path / "again.ttc", PROGRAMS, DERIVATION, mlp.arrays().items())
    assert (tmp_path / "again.ttc").read_bytes() == saved.read_bytes()


def test_the_order_in_which_weights_come_does_not_matter(saved, tmp_path):
    save(tmp_path / "again.ttc", PROGRAMS, DERIVATION, reversed(in_order(mlp.weights())))
    assert (tmp_path / "again.ttc").read_bytes() == saved.read_bytes()


def test_it_is_a_safetensors_file(saved):
    with safe_open(saved, "pt") as file:
        assert set(file.keys()) == {"w1", "w2", "b"}
        assert str(file.get_tensor("w1").dtype) == "torch.bfloat16"
        assert file.get_tensor("b").numpy().tolist() == mlp.arrays()["b"].tolist()
        manifest = json.loads(file.metadata()["ttc"])
    assert manifest["weights"] == "present"
    assert manifest["inputs"] == [["x", "f32", [4, 64]]]


def test_an_exact_program_has_no_buckets_in_its_file(saved):
    with safe_open(saved, "pt") as file:
        metadata = file.metadata()
    assert set(metadata) == {"ttc", "program", "derivation"}
    assert "buckets" not in json.loads(metadata["ttc"])
    (bucket,) = load(saved).buckets
    assert bucket == Bucket.exact(bucket.program)
    assert not bucket.sizes


def test_without_data_it_says_so_and_has_none(tmp_path):
    save(tmp_path / "fake.ttc", PROGRAMS, DERIVATION, None)
    found = load(tmp_path / "fake.ttc")
    assert found.weights.fake
    assert set(found.weights) == {"w1", "w2", "b"}
    assert (tmp_path / "fake.ttc").stat().st_size < 4096
    with pytest.raises(InputError, match="has no data"):
        Session(found.buckets, found.weights, EmulatorDevice())


def test_loading_needs_neither_torch_nor_safetensors(saved):
    script = (
        "import sys; sys.modules['torch'] = sys.modules['safetensors'] = None\n"
        f"import ttc; print(ttc.load({str(saved)!r}).weights.read('w2').shape)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert said.stdout == f"({mlp.HIDDEN}, {mlp.OUT})\n"


# ------------------------------------------------------------ what is no artifact, or not whole


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        load(path)
    assert str(error.value).startswith(f"{path} is no usable .ttc file: ")
    return str(error.value).removeprefix(f"{path} is no usable .ttc file: ")


def test_every_changed_byte_is_noticed(saved):
    content = saved.read_bytes()
    header = int.from_bytes(content[:8], "little") + 8
    everywhere = [*range(0, header, 7), *range(header, len(content), 997), len(content) - 1]
    for position in everywhere:
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        saved.write_bytes(changed)
        refusal(saved)


@pytest.mark.parametrize("what", [b"ttnn.linear", b"gelu", b'\\"target\\"', b"bf16[4,64]"])
def test_changed_text_is_noticed(saved, what):
    content = saved.read_bytes()
    assert what in content
    saved.write_bytes(content.replace(what, what[::-1], 1))
    refusal(saved)


def test_changed_weights_are_noticed_in_words(saved):
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    assert refusal(saved) == "it has been changed since it was written (its checksum differs)"


@pytest.mark.parametrize("keep", [0, 1, 8, 9, 100, 2000, -5000, -1])
def test_a_cut_file_is_refused(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    assert refusal(saved) in ("it is cut off", "it is not in safetensors format")


def test_more_at_the_end_is_noticed(saved):
    saved.write_bytes(saved.read_bytes() + b"\0")
    assert "checksum" in refusal(saved)


@pytest.mark.parametrize(
    "content", [b"", b"graph {\n", b"hello, this is a text file\n" * 40, b"\x10\0\0\0\0\0\0\0[1,2,3]         "]
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "x.ttc").write_bytes(content)
    assert refusal(tmp_path / "x.ttc") in ("it is not in safetensors format", "its header is damaged")


@pytest.mark.parametrize("metadata", [None, {"ttc": "[]"}, {"ttc": "{"}, {"ttc": '{"format": 1}'}])
def test_a_safetensors_file_of_others_is_refused(tmp_path, metadata):
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "x.ttc", metadata)
    assert refusal(tmp_path / "x.ttc") == "it has no manifest of ttc's"


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none.ttc: no such file or directory"):
        load(tmp_path / "none.ttc")
    with pytest.raises(InputError, match=r"cannot read .*: is a directory"):
        load(tmp_path)


# ------------------------------------------------------------ what has a right checksum and is wrong all the same


def forged(tmp_path, monkeypatch, change) -> str:
    """The refusal of a file that was written by a writer who does wrong things but checksums them rightly."""
    honest = artifact._metadata
    monkeypatch.setattr(artifact, "_metadata", lambda *given: change(honest(*given)))
    save(tmp_path / "forged.ttc", PROGRAMS, DERIVATION, in_order(mlp.weights()))
    return refusal(tmp_path / "forged.ttc")


def edited(**texts: tuple[str, str]):
    """Replace, in the named parts of the metadata, one text by another."""

    def change(metadata: dict[str, str]) -> dict[str, str]:
        for part, (old, new) in texts.items():
            assert old in metadata[part]
            metadata[part] = metadata[part].replace(old, new)
        return metadata

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edited(program=("ttnn.linear", "ttnn.format_disk")), "no op is called 'ttnn.format_disk'"),
        (
            edited(program=("%y: bf16[4,10]", "%y: bf16[4,11]")),
            "gives bf16[4,10] tile dram but the program says bf16[4,11]",
        ),
        (edited(program=("%hidden, %w2", "%nothing, %w2")), "%nothing is not defined"),
        (edited(program=("linear(%x, ", "linear(3, ")), "takes as input_tensor_a is of another kind"),
        (edited(program=('const(ref="w2")', 'const(ref="w3")')), "its weights are not those of its program"),
        (edited(program=("graph {", "import os {")), "expected 'graph'"),
        (edited(ttc=('"format": 1', '"format": 2')), "it has format 2, this ttc"),
        (edited(ttc=('["x", "f32", [4, 64]]', '["x", "f32", [4, 65]]')), "input 'x' is f32[4,65] in the signature"),
        (edited(ttc=('["x", "f32", [4, 64]]', '["z", "f32", [4, 64]]')), "the program's inputs are x"),
        (edited(ttc=('"f32"', '"f33"')), "'x' is of the element type 'f33', which no model has"),
        (edited(ttc=('"target"', '"tarrget"')), "its manifest does not say its target"),
        (lambda metadata: {"ttc": metadata["ttc"]}, "it holds no program"),
    ],
)
def test_a_forged_file_is_refused(tmp_path, monkeypatch, change, message):
    assert message in forged(tmp_path, monkeypatch, change)


def test_ops_that_are_no_calls_are_refused(tmp_path, monkeypatch):
    import ttc.ops  # noqa: F401  (so that the parser knows them)

    call = "ttnn.linear(%hidden, %w2, bias=%b)"
    message = forged(tmp_path, monkeypatch, edited(program=(call, "linear(x=%hidden, w=%w2, bias=%b)")))
    assert message == "the program contains linear, which is no TTNN call"


# ------------------------------------------------------------ writing


def test_what_stood_there_is_replaced_as_a_whole_or_stays(saved):
    before = saved.read_bytes()

    def failing():
        yield from in_order(mlp.weights())[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(saved, PROGRAMS, DERIVATION, failing())
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(fd):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*full.ttc: no space left on device"):
        save(tmp_path / "full.ttc", PROGRAMS, DERIVATION, in_order(mlp.weights()))
    assert not list(tmp_path.iterdir())


def test_a_write_that_the_system_cuts_off_is_said_and_leaves_nothing(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(InputError, match=r"cannot write .*big.ttc: file too large"):
            save(tmp_path / "big.ttc", PROGRAMS, DERIVATION, in_order(mlp.weights()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*none/x.ttc: no such file or directory"):
        save(tmp_path / "none" / "x.ttc", PROGRAMS, DERIVATION, None)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], "weight 'b' is not given"),
        ([("w3", np.zeros(1))], "weight 'w3' is given twice or is none of the program's"),
        ([("b", np.zeros(mlp.OUT))], r"weight 'b' is float64\[10\], the program wants f32\[10\]"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path, weights, message):
    with pytest.raises(TtcError, match=message):
        save(tmp_path / "x.ttc", PROGRAMS, DERIVATION, weights)
    assert not list(tmp_path.iterdir())


def test_weights_are_let_go_as_they_are_written(tmp_path):
    """A model may be larger than memory: when the next weight is asked for, the one before is gone."""
    gone = []

    def watched():
        for ref in mlp.arrays():
            array = mlp.arrays()[ref]
            gone.append(weakref.ref(array))
            yield ref, array
            del array
            assert gone[-1]() is None

    save(tmp_path / "x.ttc", PROGRAMS, DERIVATION, watched())
    assert len(gone) == 3
