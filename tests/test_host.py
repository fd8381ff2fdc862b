"""Ops that the user lets the host do: named, printed, counted with their bytes, run, passed over by check."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import ttc
from tests.mock_cards import check
from ttc import ops
from ttc.calls.host import HostOp
from ttc.calls.target import TARGETS
from ttc.cli import main
from ttc.errors import InputError, Refused
from ttc.ir import parse_graph, verify
from ttc.pipeline import Build, Options, compile_graph
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import parse_program
from ttc.runtime.run.session import Session

PRODUCT = """graph {
  %x: i64[3,40] = input(name="x")
  %a: i64[3,40] = abs(x=%x)
  %p: i64[3] = prod(x=%a, dims=[1])
  %y: i64[3] = neg(x=%p)
  return "y"=%y
}
"""
"""TTNN has no product of integers."""

X = np.ones((3, 40), np.int64) * np.array([[1], [-1], [1]])
X[0, :5] = (2, 3, -5, 7, 11)


def built(allow_host: tuple[str, ...] = ("prod",), dtype: str = "bf16") -> Build:
    return compile_graph(parse_graph(PRODUCT), Options(TARGETS["n150"], dtype, allow_host))


def host_op(build: Build) -> HostOp:
    (found,) = (node.op for node in build.program.graph.nodes if isinstance(node.op, HostOp))
    return found


def test_nothing_is_the_hosts_unless_named():
    with pytest.raises(Refused, match="no product of integers"):
        built(allow_host=("flip",))


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="no op is called 'frobnicate'"):
        built(allow_host=("frobnicate",))


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_the_host_does_it_exactly(dtype: str):
    build = built(dtype=dtype)
    found = Session([build.bucket], build.weights, EmulatorDevice()).run({"x": X})
    wanted = ops.evaluate(parse_graph(PRODUCT), {"x": torch.from_numpy(X)})["y"].numpy()
    assert wanted[0] == -2310
    np.testing.assert_array_equal(found["y"], wanted)


def test_the_host_keeps_bfloat16():
    graph = parse_graph(PRODUCT.replace("i64", "bf16"))
    build = compile_graph(graph, Options(TARGETS["n150"], "bf16", ("prod",)))
    forced = parse_program(str(built().program.graph).replace("i64", "bf16").replace("i32", "bf16"))
    program = replace(build.program, graph=forced)
    found = Session([Bucket.exact(program)], build.weights, EmulatorDevice()).run({"x": X.astype(np.float32)})
    np.testing.assert_array_equal(found["y"], [-2304, -1, -1])  # 2310 in bf16


def test_it_is_printed_and_read_back():
    build = built()
    text = str(build.program.graph)
    assert 'host.run([%a], op="prod(x=%0, dims=[1])", takes=[<i64[3,40]>], gives=[<i64[3]>]' in text
    assert str(verify(parse_program(text))) == text
    assert host_op(build).moved_bytes == 4 * (32 * 64 + 32 * 32)


def test_what_the_card_can_do_is_not_the_hosts():
    graph = parse_graph('graph {\n %x: f32[3] = input(name="x")\n %y: f32[3] = abs(x=%x)\n return "y"=%y\n}\n')
    build = compile_graph(graph, Options(TARGETS["n150"], allow_host=("abs",)))
    assert "host.run" not in str(build.program.graph)


def test_results_that_the_device_cannot_hold_are_refused():
    build = built()
    session = Session([build.bucket], build.weights, EmulatorDevice())
    with pytest.raises(InputError, match="prod"):
        session.run({"x": np.full((3, 40), 3)})


def test_without_torch_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    build = built()
    session = Session([build.bucket], build.weights, EmulatorDevice())
    monkeypatch.setitem(sys.modules, "ttc.ops", None)

    with pytest.raises(InputError, match="prod, which needs torch"):
        session.run({"x": X})


def test_a_forged_op_is_refused():
    build = built()
    forged = parse_program(str(build.program.graph).replace("prod(x=%0, dims=[1])", "prod(x=%0, dims=[7])"))
    program = type(build.program)(forged, build.program.inputs, build.program.outputs, "n150", "bf16")
    with pytest.raises(InputError, match="no op of ttc's"):
        Session([Bucket.exact(program)], build.weights, EmulatorDevice()).run({"x": X})


def test_real_ttnn_is_not_asked(ttnn_python: str):
    report = check(built().program)
    assert report.ok
    assert report.host_ops == 1


def product_model(path: Path) -> Path:
    node = helper.make_node("ReduceProd", ["x"], ["y"], axes=[1], keepdims=0)
    declared = [helper.make_tensor_value_info(n, TensorProto.INT32, s) for n, s in (("x", [3, 40]), ("y", [3]))]
    graph = helper.make_graph([node], "g", declared[:1], declared[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_python_and_command_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    model = product_model(tmp_path / "m.onnx")
    with pytest.raises(Refused):
        ttc.compile(model)
    compiled = ttc.compile(model, allow_host=("Prod",))
    assert compiled.report.host_ops_by_kind == {"prod": 1}
    assert "1 host ops (1 prod), which move" in str(compiled.report)
    with pytest.raises(ttc.TtcError, match="stand-alone"):
        _ = compiled.source
    out = str(tmp_path / "m.ttc")
    assert main(["compile", str(model), "-o", out, "--allow-host", "prod", "--allow-host", "flip"]) == 0
    assert "host ops (1 prod), which move" in capsys.readouterr().out
    np.testing.assert_array_equal(ttc.load(out).run({"x": X.astype(np.int32)}, "emulator")["y"], [-2310, 1, 1])
    assert main(["validate", str(model), "--allow-host", "prod"]) in (0, 1)
    assert main(["compile", str(model), "-o", out]) == 2
