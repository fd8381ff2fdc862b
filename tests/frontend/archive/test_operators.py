"""Operators of a `.pt2` file that torch does not look up are refused as any others, together with all other reasons."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ttc
from tests.frontend.archive import archives
from ttc.errors import UNREADABLE, Refused


def saved(model: nn.Module, args: tuple, path: Path, **options: object) -> Path:
    """A file of a program with operators of a library that is gone."""
    with torch.library._scoped_library("suite_own", "DEF") as library:
        for schema, results in OPERATORS.items():
            library.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
            torch.library.register_fake(f"suite_own::{schema.partition('(')[0]}", results, lib=library)
        path.write_bytes(archives.saved(torch.export.export(model.eval(), args, **options)))
    return path


OPERATORS: dict[str, Callable] = {
    "same(Tensor x, float by=1.0) -> Tensor": lambda x, by=1.0: torch.empty_like(x),
    "parts(Tensor[] xs, str how) -> (Tensor, Tensor)": lambda xs, how: (
        xs[0].new_empty(3),
        xs[1].new_empty(2, 2).long(),
    ),
    "note(Tensor x) -> ()": lambda x: None,
    "count(Tensor x) -> SymInt": lambda x: torch.library.get_ctx().new_dynamic_size(),
    "some(Tensor x) -> Tensor": lambda x: x.new_empty(x.shape[0] + 1, 4),
}
OWN = torch.ops.suite_own


def refusal(path: Path, **options: object) -> Refused:
    with pytest.raises(Refused) as caught:
        ttc.compile(path, **options)
    return caught.value


def unknown(name: str) -> str:
    return f"'torch.ops.suite_own.{name}.default' is not an operator of PyTorch that ttc knows"


class Several(nn.Module):
    """Two operators of the library, one of them often, one that torch has, and a product of integers behind these."""

    def forward(self, x: Tensor, n: Tensor) -> tuple[Tensor, ...]:
        for _ in range(4):
            x = OWN.same(x, by=2.0)
        a, b = OWN.parts([x, x + 1], "well")
        return torch.digamma(x) + a[0], b @ b, n @ n


def test_unknown_operators_come_with_all_other_reasons(tmp_path: Path):
    path = saved(Several(), (torch.ones(4, 4), torch.ones(4, 4, dtype=torch.int64)), tmp_path / "m.pt2")
    found = refusal(path)
    reasons = found.by_reason()
    line = inspect.getsourcelines(Several.forward)[1]
    here = Path(__file__).name
    assert len(reasons) == 4
    assert [place.partition(" in ")[2] for place in reasons[unknown("same")]] == [f"{here}:{line + 2}"] * 4
    assert [place.partition(" ")[0] for place in reasons[unknown("same")]] == ["same", "same_1", "same_2", "same_3"]
    assert reasons[unknown("parts")] == [f"parts in {here}:{line + 3}"]
    (digamma,) = (where for reason, where in reasons.items() if reason.startswith("aten.digamma.default is not supp"))
    assert digamma == [f"digamma in {here}:{line + 4}"]
    (products,) = (where for reason, where in reasons.items() if "multiplies matrices of floats" in reason)
    assert len(products) == 2, "the one that reads what the unknown operator gives, too"
    assert found.advice[0] == UNREADABLE


def test_an_operator_whose_results_nobody_reads_is_refused(tmp_path: Path):
    """It may have changed its operand."""

    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            OWN.note(x)
            OWN.same(x)
            return torch.digamma(x)

    found = refusal(saved(Model(), (torch.ones(4, 4),), tmp_path / "m.pt2")).by_reason()
    assert {unknown("note"), unknown("same")} < found.keys()
    assert len(found) == 3


class OpenSizes(nn.Module):
    """Results with a size that an operand has, behind and before operators that are refused for themselves."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.digamma(OWN.same(x) + 1)


SIZES = {"x": {0: torch.export.Dim("n", min=3, max=50)}}


@pytest.mark.parametrize("lengths", [{"s77": 8}, {"s77": [8, 16]}], ids=str)
def test_sizes_may_be_open(lengths: dict, tmp_path: Path):
    path = saved(OpenSizes(), (torch.ones(6, 4),), tmp_path / "m.pt2", dynamic_shapes=SIZES)
    first, second = refusal(path, lengths=lengths).by_reason()
    assert first == unknown("same")
    assert second.startswith("aten.digamma.default is not supported: ")


@pytest.mark.parametrize("name", ["count", "some"])
def test_what_torch_cannot_go_past_is_told_with_all_unknown_operators(name: str, tmp_path: Path):
    """A number, or a size that no operand has: behind these torch knows no sizes."""

    class Model(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = OWN.some(x).sum(0) if name == "some" else x.sum(0) + OWN.count(x)
            return OWN.same(y), torch.digamma(x)

    path = saved(Model(), (torch.ones(6, 4),), tmp_path / "m.pt2", dynamic_shapes=SIZES)
    found = refusal(path, lengths={"s77": 8})
    assert found.by_reason().keys() == {unknown(name), unknown("same")}
    assert found.advice == (UNREADABLE,)


def test_a_file_cannot_name_the_stand_in_itself(tmp_path: Path):
    def change(tree: dict) -> None:
        tree["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.ttc.stand_in.default"

    path = tmp_path / "m.pt2"
    path.write_bytes(archives.program(archives.static(), change))
    assert "ttc.stand_in.default is not supported" in refusal(path).by_reason()
