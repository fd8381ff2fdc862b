"""The house stays as it was drawn: imports go one way, and files stay small enough to read."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ttc
from ttc import ops
from ttc.ir import Op

ROOT = Path(ttc.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

MAY_IMPORT = {
    "errors": set(),
    "guard": {"errors"},
    "version": set(),
    "ir": {"errors", "guard"},
    "ops": {"errors", "guard", "ir"},
    "frontend": {"errors", "guard", "ir", "ops"},
    "passes": {"errors", "guard", "ir", "ops"},
    "calls": {"errors", "guard", "ir"},
    "analysis": {"errors", "guard", "ir", "calls"},
    "backend": {"errors", "guard", "ir", "ops", "calls", "analysis"},
    "runtime": {"errors", "guard", "ir", "calls", "version"},
}
"""What each part of the package may import; parts that are not listed stand on top and may import all."""

ANYWHERE_LIMIT = 400
"""Lines of a file, with room above the 300 that call for an idea."""


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file, type-checking imports included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path):
    part = part_of(path)
    if part not in MAY_IMPORT:
        return
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("ttc.")}
    ours = {name for name in ours if (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()}
    assert ours <= MAY_IMPORT[part] | {part}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_libraries_stay_in_their_places(path: Path):
    tops = {name.split(".")[0] for name in imports(path)}
    part = part_of(path)
    assert "ttnn" not in tops or path.name == "device_ttnn.py"
    if part == "runtime" and "emulator" not in path.parts:
        assert "torch" not in tops
    if part in ("ir", "calls", "analysis"):
        assert tops.isdisjoint({"torch", "onnx", "networkx"})
    if part in ("passes", "backend", "runtime"):
        assert "onnx" not in tops


OPS = {name for name, kind in vars(ops).items() if isinstance(kind, type) and issubclass(kind, Op)}
FAMILIES = {"ops", *(path.stem for path in (ROOT / "ops").glob("*.py"))}


def names_op(node: ast.expr) -> bool:
    """Whether an expression is `ops.Add`, or `binary.Add`."""
    match node:
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return module in FAMILIES and name in OPS
    return False


def sets_of_ops(source: str) -> list[int]:
    """Lines of constants at the top of a module that hold a tuple, list, set or union of two ops or more."""
    found = []
    for statement in ast.parse(source).body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            for node in ast.walk(statement):
                match node:
                    case ast.Tuple(elts=members) | ast.List(elts=members) | ast.Set(elts=members):
                        found += [node.lineno] * (sum(map(names_op, members)) >= 2)
                    case ast.BinOp(left=left, right=right) if node is statement.value:
                        found += [node.lineno] * (names_op(right) and (names_op(left) or isinstance(left, ast.BinOp)))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sets_of_ops_are_facts_on_their_classes(path: Path):
    """Tables from ops to what else there is of them, and the few ops of one matcher, may stand anywhere."""
    assert part_of(path) == "ops" or not sets_of_ops(path.read_text())


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("A = (ops.Add, ops.Sub)", [1]),
        ("\nA: Any = frozenset({ops.Add, unary.Abs, 3})", [2]),
        ("A = [*B, ops.Add, ops.Sub]", [1]),
        ("A = ops.Add | ops.Sub", [1]),
        ("A = list[ops.Add | ops.Sub]", []),
        ("A = (ops.Add,)", []),
        ("A = (calls.Added, calls.Subtracted)", []),
        ("A = {ops.Add: calls.Add, ops.Sub: calls.Sub}", []),
        ("def f(op):\n    return isinstance(op, (ops.Add, ops.Sub))", []),
    ],
)
def test_sets_of_ops_are_seen(source: str, lines: list[int]):
    assert sets_of_ops(source) == lines


def test_the_root_holds_what_a_reader_starts_with():
    start = {"__init__", "__main__", "cli", "errors", "version"}
    assert {path.stem for path in ROOT.glob("*.py")} == start


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_small(path: Path):
    assert len(path.read_text().splitlines()) <= ANYWHERE_LIMIT


@pytest.mark.parametrize(
    "module",
    [
        "ttc",
        "ttc.runtime.run.session",
        "ttc.runtime.file.artifact",
        "ttc.runtime.check",
        "ttc.compiled.executable",
        "ttc.analysis.report",
        "ttc.analysis.script",
    ],
)
def test_runtime_needs_neither_torch_nor_onnx(module: str):
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'onnx', 'ttnn'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, check=False).returncode == 0
