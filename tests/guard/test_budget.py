"""Small files that ask for much work: refused in a sentence before it is done, and chains are walked in linear time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import ttc
from tests.ir.loops import LOOP
from ttc import ops
from ttc.calls.target import TARGETS
from ttc.errors import Refusal, Refused, TtcError
from ttc.frontend.export.table import ExportBuilder, static
from ttc.guard import budget
from ttc.ir import Builder, Const, DType, Input, TensorType, Value, Weight, Weights, operands_first, parse_graph, verify
from ttc.ops.expr import Expr
from ttc.pipeline import Options, compile_graph
from ttc.runtime.run.program import parse_program

SECONDS = 2.0
CHAIN = 1000

OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]


def value(name: str, shape: Any, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: list, x: Any, weights: dict[str, Any], functions: list | None = None) -> onnx.ModelProto:
    """A model of the input x and the output y."""
    kept = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", [x], [value("y", None)], kept)
    return helper.make_model(graph, functions=functions or [], opset_imports=OPSETS, ir_version=9)


def one(operator: str, inputs: list[str], x: Any, weights: dict[str, Any], **attributes: Any) -> onnx.ModelProto:
    return model([helper.make_node(operator, inputs, ["y"], **attributes)], x, weights)


def nested_functions(depth: int, calls: int) -> onnx.ModelProto:
    """Functions each of which calls the one before it `calls` times."""
    functions = [helper.make_function("local", "f0", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], OPSETS)]
    for number in range(1, depth + 1):
        names = ["x", *(f"t{i}" for i in range(calls - 1)), "y"]
        nodes = [helper.make_node(f"f{number - 1}", [names[i]], [names[i + 1]], domain="local") for i in range(calls)]
        functions.append(helper.make_function("local", f"f{number}", ["x"], ["y"], nodes, OPSETS))
    return model([helper.make_node(f"f{depth}", ["x"], ["y"], domain="local")], value("x", [4]), {}, functions)


def nested_loops(outer: int, inner: int) -> onnx.ModelProto:
    def body(names: list[str], nodes: list, prefix: str) -> onnx.GraphProto:
        step, going, state = (f"{prefix}{name}" for name in ("step", "going", "state"))
        inputs = [value(step, [], TensorProto.INT64), value(going, [], TensorProto.BOOL), value(state, [2])]
        again = helper.make_node("Identity", [going], [f"{prefix}again"])
        outputs = [value(f"{prefix}again", [], TensorProto.BOOL), value(names[0], [2])]
        return helper.make_graph([*nodes, again], prefix, inputs, outputs)

    inside = body(["b"], [helper.make_node("Add", ["istate", "one"], ["b"])], "i")
    outside = body(["a"], [helper.make_node("Loop", ["inner", "", "ostate"], ["a"], body=inside)], "o")
    weights = {"outer": np.array(outer), "inner": np.array(inner), "one": np.ones(2, np.float32)}
    return model([helper.make_node("Loop", ["outer", "", "x"], ["y"], body=outside)], value("x", [2]), weights)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def expanded(node: onnx.NodeProto, *shape: int) -> onnx.ModelProto:
    """A node on c, one number expanded to a shape."""
    return model(
        [helper.make_node("Expand", ["x", "shape"], ["c"]), node], value("x", [1]), {"shape": ints(*shape), "zero": 0}
    )


ROW, PAIR = value("x", [1, 1, 1, 1]), value("x", [2, 2])
HUGE = 10**12
LARGE: dict[str, Callable[[], onnx.ModelProto]] = {
    "functions": lambda: nested_functions(30, 2),
    "a chain of functions": lambda: nested_functions(1000, 1),
    "loops": lambda: nested_loops(500, 500),
    "loops without an end": lambda: nested_loops(2**62, 2**62),
    "Resize": lambda: one("Resize", ["x", "", "", "s"], ROW, {"s": ints(1, 1, 1, HUGE)}),
    "Resize of one axis": lambda: one("Resize", ["x", "", "", "s"], ROW, {"s": ints(1, 1, 1, 1 << 26)}),
    "Pad": lambda: one("Pad", ["x", "p"], PAIR, {"p": ints(0, 0, 0, HUGE)}),
    "Tile": lambda: one("Tile", ["x", "p"], PAIR, {"p": ints(1, HUGE)}),
    "Expand": lambda: one("Expand", ["x", "p"], PAIR, {"p": ints(HUGE, 2, 2)}),
    "ConstantOfShape": lambda: model(
        [helper.make_node("ConstantOfShape", ["p"], ["c"]), helper.make_node("Add", ["c", "x"], ["y"])], ROW,
        {"p": ints(HUGE)},
    ),
    "a shape of many sizes": lambda: model(
        [helper.make_node("ConstantOfShape", ["p"], ["c"], value=helper.make_tensor("v", 7, [1], [3])),
         helper.make_node("Reshape", ["x", "c"], ["y"])], ROW, {"p": ints(10**10)},
    ),
    "Range": lambda: model(
        [helper.make_node("Range", ["a", "b", "d"], ["c"]), helper.make_node("Add", ["c", "x"], ["y"])],
        value("x", [1], TensorProto.INT64), {"a": np.array(0), "b": np.array(HUGE), "d": np.array(1)},
    ),
    "OneHot": lambda: one(
        "OneHot", ["x", "d", "v"], value("x", [3], TensorProto.INT64), {"d": ints(HUGE), "v": np.float32([0, 1])}
    ),
    "SplitToSequence": lambda: expanded(helper.make_node("SplitToSequence", ["c"], ["y"]), 10**9),
    "Unsqueeze": lambda: one("Unsqueeze", ["x", "axes"], ROW, {"axes": np.arange(10**5)}),
    "Unsqueeze once too often": lambda: one("Unsqueeze", ["x", "axes"], ROW, {"axes": np.arange(63)}),
    "EyeLike": lambda: expanded(helper.make_node("EyeLike", ["c"], ["y"]), 10**5, 10**5),
    "Trilu": lambda: expanded(helper.make_node("Trilu", ["c"], ["y"]), 10**5, 10**5),
    "LRN": lambda: one("LRN", ["x"], value("x", [1, 4, 1, 1]), {}, size=10**9),
    "DFT": lambda: one("DFT", ["x"], value("x", [1, 10**6, 1]), {}),
    "DFT of complex numbers": lambda: one("DFT", ["x"], value("x", [1, 4096, 2]), {}),
    "inverse DFT": lambda: one("DFT", ["x"], value("x", [1, 4096, 2]), {}, inverse=1, onesided=1),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_much_work_is_refused_before_it_is_done(name: str):
    asked = LARGE[name]()
    started = time.process_time()
    with pytest.raises(Refused, match=r"are more than the [\d,]+ that ttc takes|has more than 512 steps"):
        ttc.compile(asked)
    # building the thousand messages of ONNX's own reader takes its time too
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("asked", [lambda: nested_functions(40, 1), lambda: nested_loops(12, 12)])
def test_less_work_is_done(asked: Callable[[], onnx.ModelProto]):
    assert ttc.compile(asked()).build.program.graph.nodes


def on_weight(operator: str, count: int, *, twice: bool = False) -> onnx.ModelProto:
    """`count` operators one after another on a weight, each reading the one before, once or twice."""
    names = ["w", *(f"t{i}" for i in range(count))]
    nodes = [helper.make_node(operator, [names[i]] * (1 + twice), [names[i + 1]]) for i in range(count)]
    nodes.append(helper.make_node("Add", [names[-1], "x"], ["y"]))
    return model(nodes, value("x", [4, 4]), {"w": np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)})


def test_chains_on_a_weight_are_walked_once_without_recursion():
    asked = on_weight("Tanh", CHAIN)
    compiled = ttc.compile(asked, dtype="fp32")
    x = np.zeros((4, 4), np.float32)
    wanted = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)
    for _ in range(CHAIN):
        wanted = np.tanh(wanted)
    assert np.allclose(compiled.run({"x": x})["y"], wanted, atol=1e-4)


def test_a_weight_that_is_read_twice_at_each_step_is_no_more_work():
    started = time.process_time()
    ttc.compile(on_weight("Add", 60, twice=True))
    assert time.process_time() - started < SECONDS


def test_chains_in_an_exported_program_are_walked_without_recursion():
    b = ExportBuilder()
    y: Value = ops.constant(b, torch.arange(140_000))
    for _ in range(300):
        y = b(ops.Neg(b(ops.Abs(y))))
    found = static(b, Expr(y, b))
    assert found is not None
    assert torch.equal(found, -torch.arange(140_000))


def test_operands_come_first_once_and_in_order():
    b = Builder()
    x = b(Input(TensorType(DType.f32, (2,)), "x"))
    left, right = b(ops.Relu(x)), b(ops.Neg(x))
    y = b(ops.Add(left, right))
    assert list(operands_first([y])) == [x, left, right, y]
    assert list(operands_first([y, left])) == [x, left, right, y]
    assert list(operands_first([y], lambda value: value is not x)) == [left, right, y]
    assert list(operands_first([y], lambda value: value is not y)) == []


def test_a_value_has_an_end():
    TensorType(DType.f32, (budget.ELEMENTS,))
    with pytest.raises(Refusal, match="elements of a value are more than"):
        TensorType(DType.f32, (budget.ELEMENTS, 2))


def test_a_program_has_an_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ttc.ir.builder.NODES", 3)
    b = Builder()
    y: Value = b(Input(TensorType(DType.f32, (2,)), "x"))
    y = b(ops.Neg(b(ops.Relu(y))))
    with pytest.raises(Refusal, match="4 ops are more than the 3"):
        b(ops.Tanh(y))


@pytest.mark.parametrize("count", [10**19, budget.STEPS // 3])
def test_a_loop_has_an_end(count: int):
    text = LOOP.replace("[4,1,2,64]", f"[{2**20},1,2,64]").replace("[4, 1, 2, 64]", f"[{2**20}, 1, 2, 64]")
    with pytest.raises(TtcError, match="calls in a loop are more than the 100,000,000"):
        verify(parse_program(text.replace("count=4", f"count={count}")))


def test_values_of_a_derivation_are_in_proportion_to_its_weights():
    from ttc.compiled.binding import _check_sizes

    text = (
        'graph {\n  %w: f32[4] = const(ref="w")\n  %e: f32[1048576,4096,4] = expand(x=%w, shape=[1048576, 4096, 4])\n'
        '  return "e"=%e\n}\n'
    )
    graph = parse_graph(text)
    with pytest.raises(TtcError, match="elements of the derived weight %e are more than"):
        _check_sizes(graph, {"e": TensorType(DType.f32, (4,))})
    _check_sizes(graph, {"e": TensorType(DType.f32, (1048576, 4096, 4))})


def test_weights_without_data_are_found_behind_chains():
    b = Builder(Weights({"w": Weight(TensorType(DType.f32, (2,)), None)}))
    y: Value = b(Const(TensorType(DType.f32, (2,)), "w"))
    for _ in range(2000):
        y = b(ops.Tanh(b(ops.Neg(y))))
    assert not ops.has_data(y, b.weights)


HUGE_OPS = {
    "flip": '%x: f32[1000000000] = input(name="x")\n %y: f32[1000000000] = flip(x=%x, dims=[0])',
    "one hot": '%x: i64[1] = input(name="x")\n %y: i64[1,1000000000] = one_hot(index=%x, depth=1000000000)',
    "group norm": '%x: f32[1,100000,1,1] = input(name="x")\n'
                  " %y: f32[1,100000,1,1] = group_norm(x=%x, groups=50000)",
    "upsample": '%x: f32[1,1,100000] = input(name="x")\n'
                ' %y: f32[1,1,200000] = upsample(x=%x, scales=[2], mode="linear")',
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE_OPS)
def test_tables_of_lowering_are_refused_before_they_are_made(name: str):
    graph = parse_graph(f'graph {{ {HUGE_OPS[name]}\n return "y"=%y }}')
    started = time.process_time()
    with pytest.raises(Refused, match=r"elements of a table that is made when compiling|is more than the"):
        compile_graph(graph, Options(TARGETS["n150"]))
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1001, "1,001"),
        (2**128 - 1, f"{2**128 - 1:,}"),
        (2**128, r"2\^128 or more"),
        (2**100_000 + 1, r"2\^100000 or more"),
    ],
    ids=["one more", "written out", "too long to read", "too long to write"],
)
def test_numbers_of_any_length_are_told(count: int, shown: str):
    with pytest.raises(Refusal, match=rf"^{shown} things are more than the 1,000 that ttc takes$"):
        budget.within(count, 1000, "things")
    budget.within(1000, 1000, "things")


def test_a_result_of_very_many_dimensions():
    node = helper.make_node("Einsum", ["x"], ["y"], equation=f"ab->{'a' * 100_000}")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    graph = helper.make_graph([node], "g", [x], [onnx.ValueInfoProto(name="y")])
    with pytest.raises(Refused, match=r"y: Einsum: "):
        ttc.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
