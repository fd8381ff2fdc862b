"""Damaged `.pt2` files end in one plain sentence, and structures in plain containers."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

import ttc
from tests.frontend.archive import archives
from tests.fuzz.mutate_pt2 import CONSTANTS, PROGRAM, SAMPLES, WEIGHTS, mutated_pt2, packed, unpacked
from ttc.cli import main
from ttc.errors import InputError, TtcError
from ttc.frontend.archive import open_file


def first_config(change: Callable[[dict], None]) -> Callable[[Any], Any]:
    return lambda tree: change(next(iter(tree["config"].values())))


def sizes(*numbers: int) -> list[dict[str, int]]:
    return [{"as_int": number} for number in numbers]


def with_entry(change: Callable[[zipfile.ZipInfo], None]) -> bytes:
    """The file with an entry of its directory changed before the directory is written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in unpacked(archives.static()).items():
            archive.writestr(f"model/{name}", content)
        change(archive.infolist()[1])
    return buffer.getvalue()


def twice() -> bytes:
    """The file with its program in it twice, which Python's writer warns of."""
    members = unpacked(archives.static())
    data = packed({**members, "models/model_json": members[PROGRAM]})
    return data.replace(b"models/model_json", PROGRAM.encode())


def in_program(change: Callable[[Any], Any]) -> Callable[[], bytes]:
    return lambda: archives.program(archives.static(), change)


def in_weights(change: Callable[[dict], None]) -> Callable[[], bytes]:
    return lambda: archives.changed(archives.static(), WEIGHTS, first_config(change))


def member(name: str, content: bytes) -> Callable[[], bytes]:
    return lambda: archives.with_member(archives.static(), name, content)


def without(name: str) -> Callable[[], bytes]:
    return lambda: packed({key: item for key, item in unpacked(archives.static()).items() if key != name})


def in_graph(**items: Any) -> Callable[[], bytes]:
    return in_program(lambda tree: tree["graph_module"]["graph"].update(items))


def in_meta(**items: Any) -> Callable[[], bytes]:
    return in_weights(lambda payload: payload["tensor_meta"].update(items))


def power(tree: Any) -> None:
    """A size to a power that has no end."""
    nodes = tree["graph_module"]["graph"]["nodes"]
    operands = [{"name": n, "arg": {"as_int": 2**62}, "kind": 1} for n in "ab"]
    node = {"target": "_operator.pow", "inputs": operands, "outputs": [{"as_sym_int": {"as_name": "p"}}]}
    nodes.append({**node, "metadata": {}, "name": "p"})


def squares(tree: Any) -> None:
    """A size squared sixty times."""
    name = "a0"
    nodes = tree["graph_module"]["graph"]["nodes"]
    for number in range(1, 60):
        operands = [{"name": n, "arg": {"as_sym_int": {"as_name": name}}, "kind": 1} for n in "ab"]
        name = f"a{number}"
        output = [{"as_sym_int": {"as_name": name}}]
        nodes.append({"target": "_operator.mul", "inputs": operands, "outputs": output, "metadata": {}, "name": name})


DAMAGE: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "not a zip archive"),
    "a text": (lambda: b"a text\n" * 99, "not a zip archive"),
    "an empty zip": (lambda: packed({}), "holds nothing"),
    "another zip": (lambda: packed({"a": b"b"}, root=""), "not in one folder"),
    "cut": (lambda: archives.static()[:-900], "cut short"),
    "compressed": (lambda: packed(unpacked(archives.static()), zipfile.ZIP_DEFLATED), "is compressed"),
    "encrypted": (lambda: with_entry(lambda info: setattr(info, "flag_bits", 1)), "is encrypted"),
    "declared larger": (lambda: with_entry(lambda info: setattr(info, "file_size", 1 << 40)), "is compressed"),
    "another checksum": (lambda: with_entry(lambda info: setattr(info, "CRC", 7)), "checksum differs"),
    "elsewhere": (lambda: with_entry(lambda info: setattr(info, "header_offset", 9)), "does not lie where"),
    "twice": (twice, "two members 'models/model.json'"),
    "no program": (without(PROGRAM), "no member 'models/model.json'"),
    "no weights": (without(WEIGHTS), "no member"),
    "no constants": (without(CONSTANTS), "no member"),
    "no format": (without("archive_format"), "no member 'archive_format'"),
    "another format": (member("archive_format", b"pt3"), "of a format"),
    "another version": (member("archive_version", b"7"), "of a format"),
    "an older format": (member("serialized_exported_program.json", b"{}"), "an older torch wrote it"),
    "no JSON": (member(PROGRAM, b"{"), "is not JSON"),
    "no text": (member(PROGRAM, b"\xff\xfe"), "is not JSON"),
    "deep JSON": (member(PROGRAM, b"[" * 200_000), "nested too deeply"),
    "NaN": (member(WEIGHTS, b'{"config": NaN}'), "NaN is not a number"),
    "a list": (member(PROGRAM, b"[]"), "models/model.json: it is no JSON object"),
    "no fields": (member(PROGRAM, b"{}"), "is no ExportedProgram with graph_module"),
    "a number for a list": (in_graph(nodes=7), "graph_module.graph.nodes is no list"),
    "a text for a number": (
        in_program(lambda tree: tree["schema_version"].update(major="8")), "schema_version.major is no int"
    ),
    "another schema": (in_program(lambda tree: tree["schema_version"].update(major=99)), "of version 99"),
    "no dialect": (in_program(lambda tree: tree.update(verifiers=[])), "its dialect is not said"),
    "no structure": (
        in_program(lambda tree: tree["graph_module"].update(module_call_graph=[])), "does not tell the structure"
    ),
    "a union of two": (in_graph(outputs=[{"as_none": True, "as_int": 1}]), "outputs.0 is no Argument"),
    "an unknown kind": (in_graph(outputs=[{"as_code": "x"}]), "outputs.0 is no Argument"),
    "a huge number": (in_graph(outputs=[{"as_int": 1 << 70}]), "is no int of 64 bits"),
    "a missing name": (in_graph(outputs=[{"as_tensor": {"name": "nobody"}}]), "nobody"),
    "a power": (in_program(power), "power of no small constant"),
    "many squares": (in_program(squares), "too large a number"),
    "a weight of negative size": (in_meta(sizes=sizes(-4, 4)), "negative size"),
    "a weight of huge size": (in_meta(sizes=sizes(1 << 40, 4)), "larger than its stored bytes"),
    "a weight of huge stride": (in_meta(strides=sizes(1 << 60, 1)), "larger than its stored bytes"),
    "a weight of a huge offset": (in_meta(storage_offset={"as_int": 1 << 61}), "larger than its stored bytes"),
    "a weight of too few strides": (in_meta(strides=sizes(1)), "more strides than sizes"),
    "a weight of no dtype": (in_meta(dtype=0), "no dtype"),
    "a weight of another dtype": (in_meta(dtype=99), "dtype is no ScalarType"),
    "a sparse weight": (in_meta(layout=1), "sparse"),
    "a weight without shape": (in_weights(lambda payload: payload.update(tensor_meta=None)), "stored as a pickle"),
    "a weight elsewhere": (in_weights(lambda payload: payload.update(path_name="../x")), "no member"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told_in_a_sentence(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    make, said = DAMAGE[name]
    path = tmp_path / "model.pt2"
    path.write_bytes(make())
    assert main(["compile", str(path), "-o", str(tmp_path / "out.ttc")]) == 2
    told = capfd.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
    assert "model.pt2" in told
    assert [item.name for item in tmp_path.iterdir()] == ["model.pt2"]


def test_every_bit_of_a_weight_is_under_a_checksum(tmp_path: Path):
    data = archives.static()
    weight = unpacked(data)["data/weights/weight_0"]
    at = data.index(weight) + 5
    path = tmp_path / "model.pt2"
    path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
    with pytest.raises(InputError, match=r"'data/weights/weight_0' is damaged: the checksum differs"):
        open_file(path)


def test_random_damage_ends_in_a_sentence(tmp_path: Path):
    random = Random(5)
    words = ["torch.ops.aten.add.Tensor", "_operator.pow", "as_int", "x", "linear.weight", "weight_1"]
    path = tmp_path / "model.pt2"
    outcomes = set()
    for _ in range(40):
        path.write_bytes(mutated_pt2(archives.static(), archives.dynamic(), words, random))
        try:
            open_file(path)
            outcomes.add("read")
        except TtcError as error:
            outcomes.add("refused" if len(str(error)) < 1000 else "refused at length")
    assert outcomes == {"read", "refused"}


class Outputs(dict):
    """An output class with names, as transformers has them; no process but this one knows it."""


class Cache:
    """A cache with two lists, as transformers has them."""

    def __init__(self, keys: list, values: list) -> None:
        self.keys, self.values = keys, values


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        pair = Cache([x + 1, x + 2], [x + 3, x + 4])
        return Outputs(last_hidden_state=x * 2, past_key_values=pair, pooler_output=x.sum(-1))


@pytest.fixture
def classes():
    """Both classes known to torch, as long as a file is being written."""
    pytree = torch.utils._pytree
    pytree.register_pytree_node(
        Outputs, lambda o: (list(o.values()), list(o)), lambda v, keys: Outputs(zip(keys, v, strict=True)),
        serialized_type_name="transformers.modeling_outputs.BaseModelOutputWithPooling",
    )  # fmt: skip
    pytree.register_pytree_node(
        Cache, lambda c: ([c.keys, c.values], ["key_cache", "value_cache"]), lambda v, _: Cache(*v),
        serialized_type_name="transformers.cache_utils.DynamicCache",
    )  # fmt: skip
    yield
    for kind in (Outputs, Cache):
        with suppress(KeyError):
            pytree._deregister_pytree_node(kind)


NAMES = ["last_hidden_state", *(f"past_key_values.{kind}_cache.{n}" for kind in ("key", "value") for n in range(2)),
         "pooler_output"]  # fmt: skip


def test_output_classes_need_not_be_known(classes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    x = torch.ones(2, 4)
    path = tmp_path / "model.pt2"
    path.write_bytes(archives.saved(torch.export.export(Model(), (x,))))
    of_module = ttc.compile(Model(), (x,), dtype="fp32")
    pytree = torch.utils._pytree
    for kind in (Outputs, Cache):  # from here on as in another process
        pytree._deregister_pytree_node(kind)
    monkeypatch.setitem(sys.modules, "transformers", None)
    compiled = ttc.compile(path, dtype="fp32")
    assert list(compiled.run([x.numpy()])) == NAMES
    found = compiled(x)
    assert torch.equal(found["past_key_values"]["value_cache"][1], x + 4)
    assert [name for name, _ in of_module.build.program.outputs] == NAMES


def test_containers_without_names_become_tuples(tmp_path: Path):
    leaf = {"type": None, "context": None, "children_spec": []}

    def change(tree: Any) -> None:
        signature = tree["graph_module"]["module_call_graph"][0]["signature"]
        spec = {"type": "somebody.Triple", "context": "null", "children_spec": [leaf, leaf, leaf]}
        signature["out_spec"] = json.dumps([1, spec])

    path = tmp_path / "model.pt2"
    path.write_bytes(archives.program(archives.static(), change))
    assert [name for name, _ in ttc.compile(path).build.program.outputs] == ["0", "1"]


def test_named_tuples_keep_their_names(tmp_path: Path):
    leaf = {"type": None, "context": None, "children_spec": []}

    def change(tree: Any) -> None:
        module = tree["graph_module"]
        spec = {"type": "collections.namedtuple", "context": "somebody.Triple", "children_spec": [leaf, leaf, leaf]}
        module["module_call_graph"][0]["signature"]["out_spec"] = json.dumps([1, spec])
        module["treespec_namedtuple_fields"] = {"somebody.Triple": {"field_names": ["a", "b", "c"]}}

    path = tmp_path / "model.pt2"
    path.write_bytes(archives.program(archives.static(), change))
    assert [name for name, _ in ttc.compile(path).build.program.outputs] == ["a", "b"]


def test_weights_that_share_memory_are_read_as_they_are(tmp_path: Path):
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.arange(12.0).reshape(3, 4))
            self.register_buffer("turned", self.w.detach().T[1:, :])

        def forward(self, x: torch.Tensor) -> Any:
            return x @ self.w, x @ self.turned.T

    module = Tied().eval()
    path = tmp_path / "model.pt2"
    path.write_bytes(archives.saved(torch.export.export(module, (torch.ones(2, 3),))))
    program = open_file(path)
    assert torch.equal(program.state_dict["turned"], module.turned)
    assert SAMPLES in unpacked(path.read_bytes())
