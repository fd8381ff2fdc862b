"""Levels of optimisation: at 0 each op is alone and in DRAM, and the numbers are those of the default."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from tests.samples import SAMPLES
from ttc.calls.call import spec_of
from ttc.calls.target import TARGETS
from ttc.cli import main
from ttc.errors import InputError, Refused
from ttc.ir import L1, Buffer, Graph
from ttc.pipeline import Options, compile_graph
from ttc.runtime.check import check

X = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def net() -> nn.Module:
    torch.manual_seed(0)
    head = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    return nn.Sequential(head, nn.Flatten(), nn.Linear(8 * 30 * 30, 16), nn.GELU(), nn.Linear(16, 4)).eval()


def test_each_op_is_alone_and_in_dram():
    alone, default = (ttc.compile(net(), X, optimize=level) for level in (0, 1))
    graph = alone.build.program.graph
    assert all(spec_of(value).memory.buffer is not Buffer.L1 for value in graph.values())
    assert any(spec_of(value).memory == L1 for value in default.build.program.graph.values())
    assert alone.report.calls_by_kind["ttnn.relu"] == 2
    assert alone.report.calls_by_kind["ttnn.gelu"] == 1
    assert "ttnn.relu" not in default.report.calls_by_kind
    assert alone.report.dram_bytes > default.report.dram_bytes
    assert alone.report.device_programs > default.report.device_programs
    assert alone.report.predicted_seconds > default.report.predicted_seconds


def test_the_numbers_are_those_of_the_default():
    alone, default = (ttc.compile(net(), X, dtype="fp32", optimize=level).run(X.numpy()) for level in (0, 1))
    np.testing.assert_allclose(alone["output"], default["output"], rtol=1e-5, atol=1e-6)


def test_a_variant_keeps_the_level():
    assert ttc.compile(net(), X, optimize=0).variant(target="p150").options.optimize == 0


@pytest.mark.parametrize("target", ["n150", "p150"])
def test_the_library_takes_the_program_and_counts_the_same(target: str, ttnn_python: str):
    alone = ttc.compile(net(), X, target=target, optimize=0)
    found = check(alone.build.program, TARGETS[target])
    assert found.ok, found.faults
    predicted = alone.report
    assert (predicted.device_programs, predicted.layout_conversions) == (found.device_programs, found.conversions)


def test_whatever_compiles_by_default_compiles_alone():
    """What is refused is refused by default too, in the same words."""
    for sample in SAMPLES:
        graph = sample.graph()[0]
        alone = refusal(graph, 0)
        assert not alone or alone == refusal(graph, 1)


def refusal(graph: Graph, level: int) -> str:
    """The words in which a graph is refused at a level; "" if it compiles."""
    try:
        compile_graph(graph, Options(TARGETS["n150"], optimize=level))
    except Refused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("level", [2, -1, True, 0.0, "0", None, np.zeros(2)])
def test_other_levels_are_refused(level):
    with pytest.raises(InputError, match=r"no level of optimisation is .*; choose from 0, 1, 3"):
        ttc.compile(net(), X, optimize=level)


def test_the_command_takes_a_level(tmp_path, capsys):
    torch.export.save(torch.export.export(net(), (X,)), tmp_path / "net.pt2")
    found = {}
    for level in ("-O0", "-O1", "-O3"):
        assert main(["compile", str(tmp_path / "net.pt2"), "-o", str(tmp_path / "net.ttc"), level, "--json"]) == 0
        found[level] = json.loads(capsys.readouterr().out)
    assert found["-O0"]["device_programs"] > found["-O1"]["device_programs"]
    assert "place" not in found["-O0"]["stages"]
    assert "place_exactly" in found["-O3"]["stages"]
    assert found["-O3"]["dram_bytes"] == found["-O1"]["dram_bytes"]
    assert main(["inspect", str(tmp_path / "net.ttc"), "--spills", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["planned"], found["least"], found["proven"]) == (0, 0, True)
    assert main(["inspect", str(tmp_path / "net.ttc"), "--spills"]) == 0
    peak, live = found["peak_l1_per_core"], found["max_live_l1_per_core"]
    assert capsys.readouterr().out.splitlines() == [
        "values outside L1 cost 0.0 MB of DRAM traffic; the optimum is 0.0 MB",
        f"L1 per core: peak {peak:,} bytes; no plan for the values in L1 has less than {live:,}",
    ]
    with pytest.raises(SystemExit):
        main(["compile", str(tmp_path / "net.pt2"), "-o", str(tmp_path / "net.ttc"), "-O5"])
