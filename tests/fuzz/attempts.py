"""What is tried with each damaged input: all that a user would do with it, each step of which may only refuse."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random

import numpy as np

import ttc
from tests.fuzz import seeds
from tests.fuzz.mutate import mutated_bytes, mutated_text
from tests.fuzz.mutate_artifact import mutated_artifact, resealed
from tests.fuzz.mutate_graph import mutated_program
from tests.fuzz.mutate_npz import mutated_npz
from tests.fuzz.mutate_onnx import mutated_model
from tests.fuzz.mutate_pt2 import mutated_pt2
from ttc import ops
from ttc.calls.target import TARGETS
from ttc.cli import main
from ttc.commands.page import write_page
from ttc.compiled.executable import Executable
from ttc.errors import InputError, Refusal, printable
from ttc.ir import Const, DType, Graph, parse_graph, verify
from ttc.ir.weights import NUMPY
from ttc.pipeline import DTYPES, Options, compile_graph
from ttc.runtime.run.program import Program

WRITTEN = {
    "ttnn", "np", "json", "open", "int", "file", "upload", "download", "load_weights", "run", "range", "tuple",
    "print", "compute", "float", "kinds", "entries", "WEIGHTS", "INPUTS", "OUTPUTS", "random", "tensor", "array",
    "host", "outputs", "dict", "argparse", "parser", "time", "Trace", "traced", "self", "weights", "changed", "any",
    "memory",
}  # fmt: skip
"""What the emitted Python calls, or calls methods of: its own functions, and those of ttnn and numpy."""

SMALL = 20_000
"""Elements of all values together: what larger programs compute is not run, which would only take time."""


def try_model(random: Random, folder: Path, whole: bool) -> None:
    """Compile a damaged ONNX file, save it, and run it if it is small."""
    model, other = (random.choice(seeds.models(whole)) for _ in range(2))
    if random.random() < 0.25:
        data = mutated_bytes(model.SerializeToString(), other.SerializeToString(), random)
    else:
        data = mutated_model(model, other, seeds.operator_names(), random)
    path = folder / "model.onnx"
    path.write_bytes(data)
    compiled = ttc.compile(path, dtype=random.choice(list(DTYPES)), target=random.choice(list(TARGETS)))
    compiled.save(folder / "out" / "model.ttc")
    _look(ttc.load(folder / "out" / "model.ttc"))
    program = compiled.build.program
    if _is_small(program.graph):
        compiled.run(_inputs(program), device="emulator")


def try_artifact(random: Random, folder: Path, whole: bool) -> None:
    """Load a damaged `.ttc` file, describe it, bind weights if it has none, and run it if it is small."""
    data, other = (random.choice(seeds.artifacts(whole)) for _ in range(2))
    if random.random() < 0.25:
        data = resealed(mutated_bytes(data, other, random))
    else:
        data = mutated_artifact(data, other, seeds.words(), random)
    path = folder / "model.ttc"
    path.write_bytes(data)
    executable = ttc.load(path)
    write_page(folder / "out" / "page.html", "model.ttc", executable.program, executable.report)
    _look(executable)
    if executable.weights.fake:
        executable = _bound(path, executable)
    if _is_small(executable.program.graph):
        executable.run(_inputs(executable.program), device="emulator")


def _look(executable: Executable) -> None:
    """Whoever reads the program's Python and its page finds calls of TTNN there, and nothing that acts."""
    try:
        source = executable.source
    except Refusal:  # the host does an op
        return
    assert source.isascii()
    called = (ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    roots = {re.split(r"\W", name.lstrip("("))[0] for name in called}
    assert roots <= WRITTEN, roots - WRITTEN


def try_inputs(random: Random, folder: Path, whole: bool) -> None:
    """Run an artifact from the command line on a damaged `.npz` file."""
    (folder / "model.ttc").write_bytes(seeds.layer())
    (folder / "in.npz").write_bytes(mutated_npz(seeds.inputs(), random))
    paths = [str(folder / name) for name in ("model.ttc", "in.npz", "out/out.npz")]
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = main(["run", paths[0], "--inputs", paths[1], "-o", paths[2], "--device", "emulator"])
    if status == 2:
        raise InputError(said.getvalue())
    assert status == 0
    assert printable(said.getvalue()) == said.getvalue()


def try_archive(random: Random, folder: Path, whole: bool) -> None:
    """Compile a damaged `.pt2` file, save it, and run it if it is small."""
    data, other = (random.choice(seeds.archives()) for _ in range(2))
    path = folder / "model.pt2"
    path.write_bytes(mutated_pt2(data, other, seeds.words(), random))
    compiled = ttc.compile(path)
    if not compiled.known:
        return
    compiled.save(folder / "out" / "model.ttc")
    _look(ttc.load(folder / "out" / "model.ttc"))
    if _is_small(compiled.build.program.graph):
        compiled.run(_inputs(compiled.build.program), device="emulator")


def _bound(path: Path, executable: Executable) -> Executable:
    graph = verify(parse_graph(str(executable.derivation)))
    consts = [node.op for node in graph.nodes if isinstance(node.op, Const)]
    small = [op for op in consts if op.type.numel <= SMALL]
    return ttc.load(path, weights={op.ref: _array(op.type.shape, op.type.dtype) for op in small})


def try_text(random: Random, folder: Path, whole: bool) -> None:
    """Read a damaged program text, verify it, print it again, and compile it."""
    text, other = (random.choice(seeds.texts()) for _ in range(2))
    match random.randrange(4):
        case 0:
            text = mutated_bytes(text.encode(), other.encode(), random).decode("utf-8", "replace")
        case 1:
            text = mutated_text(text, other, seeds.words(), random)
        case _:
            text = mutated_program(text, random)
    assert ops.__name__ == "ttc.ops"
    graph = verify(parse_graph(text))
    printed = str(graph)
    assert str(parse_graph(printed)) == printed, "the text does not round-trip"
    compile_graph(graph, Options(TARGETS["n150"], random.choice(list(DTYPES))))


ATTEMPTS: dict[str, Callable[[Random, Path, bool], None]] = {
    "onnx": try_model,
    "ttc": try_artifact,
    "text": try_text,
    "npz": try_inputs,
    "pt2": try_archive,
}
"""The kinds of inputs; each function makes its input from the generator, and raises TtcError or nothing."""


def _is_small(graph: Graph) -> bool:
    return sum(value.type.numel for value in graph.values()) <= SMALL


def _inputs(program: Program) -> dict[str, np.ndarray]:
    return {name: _array(type.shape, type.dtype) for name, type in program.inputs}


def _array(shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    """Numbers of all signs, 0 and 1 where they are integers."""
    size = int(np.prod(shape, dtype=np.int64))
    held = np.dtype("float32") if dtype is DType.bf16 else NUMPY[dtype]
    numbers = np.linspace(-1.5, 1.5, size) if dtype.is_float else np.arange(size) % 2
    return numbers.astype(held).reshape(shape)
