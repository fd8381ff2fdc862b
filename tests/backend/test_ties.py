"""Comparisons and choices of equal elements, and conditions that are wider than what they choose between."""

from __future__ import annotations

import pytest
import torch

from tests.emulated import emulated
from tests.passes.check import retyped
from ttc import ops
from ttc.calls.target import TARGETS
from ttc.pipeline import Options, compile_graph

COMPARISONS = {"eq": torch.eq, "ne": torch.ne, "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge}
NUMBERS = {"f32": [-1.5, 0.0, 1.0, 2.5], "i64": [-3, 0, 1, 2]}


def computed(text: str, dtype: str, **inputs: torch.Tensor) -> dict:
    return emulated(compile_graph(retyped(text), Options(TARGETS["n150"], dtype)), inputs)


@pytest.mark.parametrize("program", ["bf16", "fp32"])
@pytest.mark.parametrize("kind", NUMBERS)
def test_comparisons_of_equals(kind, program):
    """Each number with each: with itself too, in a tensor and as a number on either side."""
    column = torch.tensor(NUMBERS[kind]).reshape(4, 1)
    lines = [
        f'%x: {kind}[4,1] = input(name="x")',
        f'%z: {kind}[1,4] = input(name="z")',
        f"%n: {kind}[] = full(value=1)",
    ]
    for name in COMPARISONS:
        lines += [
            f"%{name}: bool[4,4] = {name}(a=%x, b=%z)",
            f"%{name}_n: bool[4,1] = {name}(a=%x, b=%n)",
            f"%n_{name}: bool[4,1] = {name}(a=%n, b=%x)",
        ]
    outputs = [output for name in COMPARISONS for output in (name, f"{name}_n", f"n_{name}")]
    lines.append("return " + ", ".join(f'"{name}"=%{name}' for name in outputs))
    found = computed("\n".join(lines).replace("value=1)", "value=1.0)" if kind == "f32" else "value=1)"), program,
                     x=column, z=column.T)  # fmt: skip
    for name, compare in COMPARISONS.items():
        assert found[name].tolist() == compare(column, column.T).tolist(), name
        assert found[f"{name}_n"].tolist() == compare(column, column[2:3]).tolist(), name
        assert found[f"n_{name}"].tolist() == compare(column[2:3], column).tolist(), name


@pytest.mark.parametrize("program", ["bf16", "fp32"])
@pytest.mark.parametrize(
    ("condition", "a", "b"),
    [("[3,1,4]", "[4]", "[]"), ("[3,4]", "[]", "[]"), ("[3,1]", "[4]", "[1]"), ("[4]", "[3,1]", "[3,4]"),
     ("[2,3,4]", "[3,4]", "[3,1]"), ("[1]", "[3,4]", "[4]")],
)  # fmt: skip
def test_conditions_of_any_shape(condition, a, b, program):
    text = f"""%c: bool{condition} = input(name="c")
        %a: f32{a} = input(name="a")
        %b: f32{b} = input(name="b")
        %y: f32[] = where(condition=%c, a=%a, b=%b)
        return "y"=%y"""
    graph = retyped(text)
    torch.manual_seed(0)
    shapes = {value.op.name: value.shape for value in graph.inputs}
    inputs = {"c": torch.rand(shapes["c"]) > 0.5, "a": torch.ones(shapes["a"]), "b": -torch.ones(shapes["b"])}
    wanted = ops.evaluate(graph, inputs)["y"]
    found = computed(text, program, **inputs)["y"]
    assert found.shape == wanted.shape
    assert found.tolist() == wanted.tolist()
