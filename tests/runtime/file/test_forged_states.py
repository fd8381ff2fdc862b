"""Files whose checksum is right and whose states are not: refused in a sentence, and those with odd names run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runtime.run import test_states as states
from ttc import load
from ttc.cli import main
from ttc.errors import InputError
from ttc.ir import DType, TensorType
from ttc.runtime.file import artifact
from ttc.runtime.file.artifact import save
from ttc.runtime.run.buckets import Bucket

Text = Callable[[str], str]
Sides = Callable[[str, list[Any]], list[list[Any]]]
INPUT = '  %n: i32[2] tile dram = input(name="@state.n")\n'


def as_given(text: str) -> str:
    return text


def replaced(old: str, new: str) -> Text:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


def without(name: str, side: str) -> Sides:
    return lambda here, entry: [] if (here, entry[0]) == (side, name) else [entry]


def declared(dtype: str, *sides: str) -> Sides:
    return lambda here, e: [[e[0], dtype, e[2]] if here in sides and e[0] == "@state.n" else e]


class Forger:
    """Writes files of the program with states, changed."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch):
        self.path, self.patch = path, patch

    def write(
        self, text: Text = as_given, sides: Sides = lambda side, entry: [entry], stored: np.ndarray | None = None,
        name: str = "@state.n",
    ) -> Path:  # fmt: skip
        honest, types = artifact._metadata, artifact._types
        arrays = {ref: states.weights().read(ref) for ref in states.weights()}
        initial = arrays.pop("@state.n") if stored is None else stored
        arrays = {**arrays, name: initial} if initial.size else {k: v for k, v in arrays.items() if k != name}
        type = TensorType({"i": DType.i32, "f": DType.f32}[initial.dtype.kind], initial.shape)

        def metadata(*given: Any) -> dict[str, str]:
            found = honest(*given)
            manifest = json.loads(found["ttc"])
            for side in ("inputs", "outputs"):
                manifest[side] = [new for entry in manifest[side] for new in sides(side, entry)]
            return {**found, "ttc": json.dumps(manifest), "program": text(found["program"])}

        def of(buckets: Any) -> dict[str, TensorType]:
            rest = {ref: kept for ref, kept in types(buckets).items() if ref != "@state.n"}
            return {**rest, name: type} if initial.size else rest

        with self.patch.context() as patch:
            patch.setattr(artifact, "_metadata", metadata)
            patch.setattr(artifact, "_types", of)
            save(self.path, [Bucket.exact(states.program())], "graph {\n  return\n}\n", arrays.items())
        return self.path


@pytest.fixture
def forger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forger:
    return Forger(tmp_path / "forged.ttc", monkeypatch)


NOT_ITS_WEIGHTS = "its weights are not those of its program"
FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "no initial numbers": ({"stored": np.zeros(0, np.int32)}, NOT_ITS_WEIGHTS),
    "more initial numbers": ({"stored": np.zeros(3, np.int32)}, NOT_ITS_WEIGHTS),
    "as many in another shape": ({"stored": np.zeros((2, 1), np.int32)}, NOT_ITS_WEIGHTS),
    "floats": ({"stored": np.zeros(2, np.float32)}, NOT_ITS_WEIGHTS),
    "two inputs": ({"text": replaced(INPUT, INPUT + INPUT.replace("%n", "%m"))}, "two inputs of the program share"),
    "two inputs of two shapes": (
        {"text": replaced(INPUT, INPUT.replace("%n", "%m").replace("[2]", "[3]") + INPUT)},
        "two inputs of the program share a name",
    ),
    "two plain inputs": (
        {"text": replaced(INPUT, INPUT + '  %m: bf16[2,4] tile dram = input(name="x")\n')},
        "two inputs of the program share a name",
    ),
    "two outputs": (
        {"text": replaced('"@state.n"=%n_0', '"@state.n"=%n_0, "@state.n"=%n')},
        "two outputs share a name",
    ),
    "no output": (
        {"text": replaced('"@state.n"=%n_0, ', ""), "sides": without("@state.n", "outputs")},
        "the program has state 'n' on one side only",
    ),
    "no output in the text": ({"text": replaced('"@state.n"=%n_0, ', "")}, "its signature says otherwise"),
    "another shape": (
        {"text": replaced('"@state.sum"=%s_0', '"@state.sum"=%n_0')},
        "output '@state.sum' is f32[2,4] in the signature and i32[2] tile dram in the program",
    ),
    "another dtype": (
        {"text": replaced('"@state.sum"=%s_0', '"@state.sum"=%z')},
        "the program takes state 'sum' as f32[2,4] (f32[2,4] tile dram) and leaves f32[2,4] (bf16[2,4] tile dram)",
    ),
    "declared otherwise": (
        {"sides": declared("i32", "inputs")},
        "the program takes state 'n' as i32[2] (i32[2] tile dram) and leaves i64[2] (i32[2] tile dram)",
    ),
    "declared as floats": (
        {"sides": declared("f32", "inputs", "outputs")},
        "input '@state.n' is f32[2] in the signature",
    ),
    "no name": (
        {
            "text": replaced('"@state.n"', '"@state."'),
            "sides": lambda side, e: [["@state.", *e[1:]] if e[0] == "@state.n" else e],
            "name": "@state.",
        },
        "a state has no name",
    ),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_state_is_refused(forger: Forger, case: str, capsys, tmp_path: Path):
    change, words = FORGED[case]
    path = forger.write(**change)
    with pytest.raises(InputError) as caught:
        load(path)
    assert words in str(caught.value)
    for command in (["inspect", str(path)], ["run", str(path), "-o", str(tmp_path / "out.npz")]):
        assert main(command) == 2
        said = capsys.readouterr()
        assert words in said.err
        assert not said.out
    assert [file.name for file in tmp_path.iterdir()] == ["forged.ttc"]


@pytest.mark.parametrize("name", ["a/b", "../../etc", "\n", "@state.n", "\u202e", '"', "x", "n" * 5000, "\x00"])
def test_odd_names_of_states_are_names(forger: Forger, name: str, capsys):
    full = f"@state.{name}"
    renamed = replaced('"@state.n"', json.dumps(full))
    path = forger.write(renamed, lambda side, e: [[full, *e[1:]] if e[0] == "@state.n" else e], name=full)
    with load(path).session("emulator") as session:
        for _ in range(2):
            session.run(states.x(1))
        assert session.state()[name].tolist() == [7, -5]
    assert main(["inspect", str(path)]) == 0
    assert "\u202e" not in capsys.readouterr().out
    compile(load(path).source, "emitted", "exec")


def test_one_output_may_be_two_states(forger: Forger):
    path = forger.write(replaced('"@state.before"=%x', '"@state.before"=%z'))
    with load(path).session("emulator") as session:
        found = [session.run(states.x(1))["z"][0, 0] for _ in range(3)]
        assert found == [0, 2, 4]
        np.testing.assert_array_equal(session.state()["before"], states.x(4))
