"""Names and attributes of strangers in the emitted Python: whatever they are, only the program's calls."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import typing
from dataclasses import fields, is_dataclass

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import ttc
from tests.guard.test_files import sentence
from ttc import ops
from ttc.analysis.script import script
from ttc.cli import main
from ttc.errors import TypeRuleError
from ttc.ir import Op
from ttc.runtime.run.program import parse_program

PROGRAM = """graph {{
  %x: bf16[1,40,64] tile dram = input(name={x})
  %w: bf16[64,96] tile dram = const(ref={w})
  %b: bf16[96] tile dram = const(ref={b})
  %FC: bf16[1,40,96] tile dram = ttnn.linear(%x, %w, bias=%b, activation="gelu", compute_kernel_config=ComputeKernelConfig(), core_grid=CoreGrid(y=8, x=8))
  %range: bf16[1,40,96] tile dram = ttnn.clamp(%FC, min=-inf)
  %COMPUTE_KERNEL_CONFIG: bf16[1,40,96] tile dram = ttnn.add(%range, %b, activations=[UnaryWithParam(op_type="RELU")])
  %float: bf16[1,40,96] tile dram = ttnn.clamp(%COMPUTE_KERNEL_CONFIG, max=nan)
  return {y}=%float
}}"""  # noqa: E501

EVIL = (
    "m\r    import os; os.system('id')", "a\n    import os", "a\x0bimport os", "a\u2028import os", "a\x85b", "a\0b",
    '"); import os; ("', "'+__import__('os')+'", "\\", '\\"', "\\N{BULLET}", "{x}", "\u202e", "\ud800", "\x1b[31m",
    "\U0001f600", "a" * 100_000, "layer.0.\rimport os", "\rimport os.1.w", "#\x0c.1.w", "-*- coding: utf-7 -*-.0.x", "",
)  # fmt: skip

NAMES = st.one_of(
    st.sampled_from(EVIL),
    st.text(st.characters(), max_size=20),
    st.text(st.sampled_from("\r\n\0\\\"'#(){}.0w\x85\u2028"), max_size=20).map(lambda text: f"{text}.0.{text}"),
)


def source_of(x: str, w: str, b: str, y: str) -> str:
    words = {name: json.dumps(text) for name, text in {"x": x, "w": w, "b": b, "y": y}.items()}
    return script(parse_program(PROGRAM.format(**words)))


def shape_of(source: str) -> str:
    """The source's syntax tree without what its strings say."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def strings_of(source: str) -> set[str]:
    return {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)} - {None}  # type: ignore[misc]


PLAIN = shape_of(source_of("x", "w", "b", "y"))


@settings(max_examples=200, deadline=None)
@given(NAMES, NAMES, NAMES, NAMES)
def test_any_names_give_the_calls_of_the_program_and_no_more(x: str, w: str, b: str, y: str):
    source = source_of(x, w, b, y)
    assert source.isascii()
    assert shape_of(source) == PLAIN
    assert {x, w, b, y} <= strings_of(source)
    comments = [token.string for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == 61]
    assert all(re.fullmatch(r"# [\w ./:-]{1,90}|# \[[\d, ]+\] bf16 tile dram", comment) for comment in comments)


@pytest.mark.parametrize("evil", EVIL)
def test_each_of_these_names(evil: str):
    assert shape_of(source_of(evil, f"{evil}.0.w", evil * 2, evil)) == PLAIN


def test_values_do_not_shadow_what_the_program_uses():
    """Names of configurations and of builtins among the values: read before they are there."""
    body = source_of("x", "w", "b", "y").partition("def compute(")[2].partition("def run(")[0]
    assigned = set(re.findall(r"^    (\w+) = ", body, re.MULTILINE))
    assert "compute_kernel_config" in assigned
    assert assigned.isdisjoint({"COMPUTE_KERNEL_CONFIG", "CORE_GRID", "range", "float"})


FREE = {("input", "name"), ("const", "ref"), ("host.run", "op"), ("lstm", "activations"), ("gru", "activations"),
        ("rnn", "activations")}  # fmt: skip
"""Strings that may be any: names, and texts that have a reader of their own."""


def holders() -> dict[str, type]:
    """All ops and calls, and the configurations that their fields mention."""
    assert ops.__name__ == "ttc.ops"
    parse_program("graph {\n  return\n}\n")
    found: dict[str, type] = dict(Op.registry)
    pending = list(found.values())
    while pending:
        kind = pending.pop()
        hints = typing.get_type_hints(kind)
        for part in _parts(hints[field.name] for field in fields(kind)):
            if is_dataclass(part) and isinstance(part, type) and part not in found.values():
                found[part.__name__] = part
                pending.append(part)
    return found


def _parts(hints: typing.Iterable) -> typing.Iterator:
    for hint in hints:
        yield hint
        yield from _parts(typing.get_args(hint))


def test_no_field_takes_any_string_but_names():
    loose = set()
    for name, kind in holders().items():
        if not kind.__module__.startswith("ttc.ir") or issubclass(kind, Op):
            hints = typing.get_type_hints(kind)
            named = ((field.name, list(_parts([hints[field.name]]))) for field in fields(kind))
            loose |= {(name, field) for field, parts in named if str in parts or typing.Any in parts}
    assert loose <= FREE


TAKES = (
    ('ttnn.linear(%x, %w, activation="gelu")', "gelu"),
    ('ttnn.div(%x, %x, rounding_mode="trunc")', "trunc"),
    ('ttnn.add(%x, %x, activations=[UnaryWithParam(op_type="RELU")])', "RELU"),
    ('ttnn.add(%x, %x, input_tensor_b_activations=[UnaryWithParam(op_type="TANH", param=1.0)])', "TANH"),
)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(TAKES), st.one_of(NAMES, st.sampled_from(["RELU), __import__('os').system('id'), (0", "__class__"]))
)
def test_attribute_strings_are_words_that_ttnn_has(taken: tuple[str, str], evil: str):
    call, word = taken
    text = f"""graph {{
      %x: bf16[32,32] tile dram = input(name="x")
      %w: bf16[32,32] tile dram = const(ref="w")
      %y: bf16[32,32] tile dram = {call}
      return "y"=%y
    }}"""
    parse_program(text)
    with pytest.raises(TypeRuleError, match=r"is of another kind|is no proper string"):
        parse_program(text.replace(json.dumps(word), json.dumps(evil)))


# ------------------------------------------------------------ from a model file to the screen

NAME = "m\r    import os; os.system('id') \x1b[31m\u202e.0.w"


@pytest.fixture
def named(tmp_path) -> str:
    """A .onnx file all of whose names are hostile."""
    x = helper.make_tensor_value_info(f"x{NAME}", TensorProto.FLOAT, [2, 64])
    y = helper.make_tensor_value_info(f"y{NAME}", TensorProto.FLOAT, [2, 32])
    w = numpy_helper.from_array(np.ones((64, 32), np.float32), f"w{NAME}")
    node = helper.make_node("MatMul", [f"x{NAME}", f"w{NAME}"], [f"y{NAME}"], name=f"n{NAME}")
    bad = helper.make_node("Det", [f"y{NAME}"], [f"z{NAME}"], name=f"d{NAME}")
    for path, nodes, out in (("m.onnx", [node], y), ("bad.onnx", [node, bad], y)):
        graph = helper.make_graph(nodes, NAME, [x], [out], [w])
        if path == "bad.onnx":
            graph.output[0].name = f"z{NAME}"
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(proto, tmp_path / path)
    return str(tmp_path / "m.onnx")


def test_a_model_of_hostile_names(named: str, tmp_path, capsys: pytest.CaptureFixture[str]):
    compiled = ttc.compile(named)
    assert {f"x{NAME}", f"y{NAME}"} <= strings_of(compiled.source)
    functions = {ast.unparse(node.func) for node in ast.walk(ast.parse(compiled.source)) if isinstance(node, ast.Call)}
    assert not any("os" in re.split(r"\W", name) or "import" in name for name in functions)
    artifact, page, out = (str(tmp_path / name) for name in ("m.ttc", "page.html", "out.npz"))
    for arguments in (
        ["compile", named, "-o", artifact], ["run", artifact], ["inspect", artifact], ["validate", named, "--per-op"],
        ["inspect", artifact, "--html", page], ["compile", str(tmp_path / "bad.onnx"), "-o", artifact],
        ["run", artifact, "-o", out], ["inspect", named, "--html", f"{tmp_path}/no/\x1b[31m"],
    ):  # fmt: skip
        capsys.readouterr()
        assert main(arguments) in (0, 1, 2)
        said = "".join(capsys.readouterr())
        assert not set(re.findall(r"[^\n -~\u2500-\u257f\u2026]", said)), said
    with open(page) as file:
        assert not set(re.findall(r"[^\n -~]", file.read()))
    assert main(["run", artifact, "-o", out]) == 2
    assert "no name that a .npz file can hold" in sentence(capsys)
