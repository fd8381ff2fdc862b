"""The emitted Python run as a program, on a stand-in of ttnn: repeated runs, and a trace in the right order."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.run.test_traced import sized, weights
from tests.runtime.stand_in import StandIn, standing_in
from ttc.analysis.script import script
from ttc.compiled.executable import Executable
from ttc.ir import DType, TensorType, Weight, Weights
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import Program, check_program, parse_program


def ran(folder: Path, *arguments: str) -> tuple[StandIn, dict]:
    """The stand-in and the file's names after the file was run as a program."""
    return run_file(Executable((sized(4),), "", Weights({"w": weights(4)["w"]})), folder, *arguments)


def run_file(made: Executable, folder: Path, *arguments: str) -> tuple[StandIn, dict]:
    """The same for any program."""
    made.save(folder / "model.ttc")
    kept, names = sys.argv, {"__name__": "__main__"}
    with standing_in() as ttnn:
        sys.argv = ["program.py", str(folder / "model.ttc"), *arguments]
        try:
            exec(compile(made.source, "program.py", "exec"), names)
        finally:
            sys.argv = kept
    return ttnn, names


def test_repeated_runs_are_timed_and_leave_nothing(tmp_path: Path, capsys: pytest.CaptureFixture):
    ttnn, names = ran(tmp_path, "--runs", "3")
    said = capsys.readouterr().out.splitlines()
    assert [re.sub(r"[\d.]+ ms", "T ms", line) for line in said] == [
        "run 1: T ms", "run 2: T ms", "run 3: T ms", "y (4, 4) float32"
    ]  # fmt: skip
    assert ttnn.opened == {"device_id": 0, "l1_small_size": 32768}
    assert ttnn.words("begin", "open", "close") == ["open", "close"]
    assert ttnn.held == len(names["weights"]), "runs free what they allocate"


def test_a_trace_is_captured_in_the_second_run_and_gives_the_same(tmp_path: Path, capsys: pytest.CaptureFixture):
    _, plain = ran(tmp_path)
    ttnn, names = ran(tmp_path, "--runs", "4", "--trace")
    np.testing.assert_array_equal(names["outputs"]["y"], plain["outputs"]["y"])
    assert ttnn.opened["trace_region_size"] == 1 << 20
    words = [word for word, _ in ttnn.log]
    begin, end = words.index("begin"), words.index("end")
    assert ttnn.words("begin", "end", "execute", "release", "close") == [
        "begin", "end", *["execute"] * 3, "release", "close"
    ]  # fmt: skip
    assert not {"upload", "empty"} & set(words[begin:])
    assert words[begin:end].count("allocate") == words[begin:end].count("free") > 0
    assert "allocate" not in words[end:]
    assert len({what for word, what in ttnn.log if word == "write by 0"}) == 1, "the same tensor in each run"


def test_states_that_a_run_leaves_among_the_weights_are_copied_to_where_they_were():
    with standing_in() as ttnn:
        names: dict = {"__name__": "program"}
        exec(compile(script(sized(4).program.graph), "program.py", "exec"), names)
        a, b, w = (ttnn.Tensor(np.full((4, 4), number, np.float32), device=ttnn.device) for number in (1, 2, 3))

        def swapping(device, given, w):
            w.update(a=w["b"], b=w["a"], w=ttnn.add(w["w"], 1))
            return {"y": ttnn.add(w["a"], w["w"])}

        names["compute"] = swapping
        traced = names["Trace"](ttnn.device, {"a": a, "b": b, "w": w})
        found = [traced.run({"x": np.zeros((4, 4), np.float32)})["y"][0, 0] for _ in range(4)]
        assert found == [2 + 4, 1 + 5, 2 + 6, 1 + 7]
        assert ttnn.words("begin", "execute") == ["begin", *["execute"] * 3]


COUNTED = """graph {
  %x: f32[4,4] tile dram = input(name="x")
  %a: f32[4,4] tile dram = input(name="@state.a")
  %b: f32[4,4] tile dram = input(name="@state.b")
  %y: f32[4,4] tile dram = ttnn.add(%x, %a)
  return "y"=%y, "@state.a"=%b, "@state.b"=%y, "a"=%a
}
"""
"""Two states that change places: the one is left the other, the other what was computed; and a state is shown."""


@pytest.mark.parametrize("arguments", [(), ("--trace",)])
def test_a_run_goes_on_from_the_states_of_the_run_before(tmp_path: Path, arguments: tuple[str, ...]):
    type = TensorType(DType.f32, (4, 4))
    inputs = (("x", type), ("@state.a", type), ("@state.b", type))
    outputs = (("y", type), ("@state.a", type), ("@state.b", type), ("a", type))
    program = check_program(Program(parse_program(COUNTED), inputs, outputs, "n150", "fp32"))
    filled = {name: np.full(type.shape, number, np.float32) for name, number in (("@state.a", 1), ("@state.b", 2))}
    start = {name: Weight(type, lambda array=array: array) for name, array in filled.items()}
    made = Executable((Bucket.exact(program),), "", Weights(start))
    _, names = run_file(made, tmp_path, "--runs", "1", *arguments)
    assert set(names["INPUTS"]) == {"x"}
    assert set(names["OUTPUTS"]) == {"y", "a"}
    found = [run_file(made, tmp_path, "--runs", str(n), *arguments)[1]["outputs"] for n in (1, 2, 3, 4)]
    x = next(iter(names["inputs"].values()))
    a, b = filled.values()
    for each in found:
        y = x + a
        np.testing.assert_allclose(each["y"], y, rtol=1e-6)
        np.testing.assert_allclose(each["a"], a, rtol=1e-6)
        a, b = b, y
