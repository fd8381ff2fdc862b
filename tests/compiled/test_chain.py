"""Chains: executables whose inputs take what others leave on the device."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from tests.cards import FIRST
from ttc.calls.call import spec_of
from ttc.calls.layout import ToLayout, Typecast
from ttc.calls.target import TARGETS
from ttc.compiled.chain import Chain
from ttc.compiled.executable import Executable
from ttc.errors import InputError
from ttc.ir import Layout
from ttc.runtime.check import check

X = np.random.default_rng(0).standard_normal((1, 6, 8)).astype(np.float32)


class Scores(nn.Module):
    """Numbers and indices, in the forms that a lookup elsewhere does not read."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.exp(), x.argmax(2)


class Lookup(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8, 16)

    def forward(self, ids: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.table(ids) * y.sum(2, keepdim=True)


LINKS = {"second": {"ids": ("first", "1"), "y": ("first", "0")}}


def executables(first: str = "fp32", second: str = "fp32") -> dict[str, Executable]:
    torch.manual_seed(0)
    lookup = Lookup()
    inputs = (torch.zeros(1, 6, dtype=torch.int64), torch.zeros(1, 6, 8))
    return {
        "first": ttc.compile(Scores(), (torch.zeros(1, 6, 8),), dtype=first).executable,
        "second": ttc.compile(lookup.eval(), inputs, dtype=second).executable,
    }


def wanted() -> np.ndarray:
    torch.manual_seed(0)
    with torch.no_grad():
        y, ids = Scores()(torch.from_numpy(X))
        return Lookup()(ids, y).numpy()


def run(chain: Chain) -> np.ndarray:
    with chain.session("emulator") as session:
        left = session.run("first", {"x": X}, keep=("0", "1"))
        found = session.run("second", {"ids": left["1"], "y": left["0"]})["output"]
    assert [run.stage for run in session.runs] == ["first", "second"]
    assert (session.runs[0].downloaded, session.runs[1].uploaded) == (0, 0)
    assert session.runs[0].uploaded in (32 * 32 * 2, 32 * 32 * 4)
    assert session.runs[1].downloaded > 0
    return found


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain.of(executables(), LINKS)


def test_linked_executables_give_what_the_modules_give(chain: Chain):
    np.testing.assert_allclose(run(chain), wanted(), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(("first", "second"), [("fp32", "bf16"), ("bf16", "fp32"), ("bf16", "bfp8")])
def test_numbers_of_other_types_are_converted_on_the_device(first: str, second: str):
    mixed = Chain.of(executables(first, second), LINKS)
    graph = mixed.stages["second"].program.graph
    inputs = {value.name: spec_of(value) for value in graph.inputs}
    left = {name: spec_of(value) for name, value in mixed.stages["first"].program.graph.outputs}
    assert (inputs["ids"], inputs["y"]) == (left["1"], left["0"])
    np.testing.assert_allclose(run(mixed), wanted(), rtol=0.1, atol=0.1)


def test_the_real_library_takes_linked_programs(chain: Chain):
    for executable in Chain.of(executables("bf16", "bf16"), LINKS).stages.values():
        for card in FIRST:
            found = check(executable.program, TARGETS[card])
            assert found.ok, found


def test_conversions_are_calls_of_the_program(chain: Chain):
    nodes = chain.stages["second"].program.graph.nodes
    ids = next(value for value in chain.stages["second"].program.graph.inputs if value.name == "ids")
    assert spec_of(ids).layout is Layout.TILE or spec_of(ids).dtype.is_float is False
    assert any(isinstance(node.op, (ToLayout, Typecast)) and ids in node.op.operands() for node in nodes)


def test_a_chain_is_saved_and_loaded(chain: Chain, tmp_path: Path):
    chain.save(tmp_path / "made" / "now")
    loaded = Chain.load(tmp_path / "made" / "now", ("first", "second"), LINKS)
    np.testing.assert_array_equal(run(loaded), run(chain))


def test_folders_that_are_no_chain_are_refused(chain: Chain, tmp_path: Path):
    with pytest.raises(InputError, match="is no folder of compiled programs"):
        Chain.load(tmp_path / "none", ("first", "second"), LINKS)
    chain.save(tmp_path)
    (tmp_path / "first.ttc").unlink()
    with pytest.raises(InputError, match=r"first\.ttc"):
        Chain.load(tmp_path, ("first", "second"), LINKS)


def test_artifacts_of_another_chain_are_refused(chain: Chain, tmp_path: Path):
    chain.save(tmp_path)
    executables()["second"].save(tmp_path / "second.ttc")
    with pytest.raises(InputError, match=r"second\.ttc does not take what stages before it leave: compile again"):
        Chain.load(tmp_path, ("first", "second"), LINKS)
    shutil.copy(tmp_path / "first.ttc", tmp_path / "second.ttc")
    with pytest.raises(InputError, match=r"second\.ttc: there is no input 'ids' to link; the program takes x"):
        Chain.load(tmp_path, ("first", "second"), LINKS)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ({"ids": ("first", "2")}, "second: there is no output '2' to link to; there are 0, 1"),
        ({"z": ("first", "0")}, "second: there is no input 'z' to link; the program takes ids, y"),
        ({"ids": ("first", "0")}, "second: input 'ids' is i64[1,6], the output '0' that is linked to it f32[1,6,8]"),
    ],
)
def test_links_that_do_not_fit_are_refused(links: dict, message: str):
    with pytest.raises(InputError, match=re.escape(message)):
        Chain.of(executables(), {"second": links})
