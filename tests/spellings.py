"""Reads from the front ends' own source which ops each of their functions makes.

A function makes the classes of ops that its code names, those of its operators and methods on expressions
(`ttc/ops/expr.py`), and what the functions of its front end make that it names. Expressions are told by
annotations: a parameter of one, what is computed from one, what a function gives that says so.
"""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from ttc import ops
from ttc.frontend import export, onnx  # noqa: F401  (registers their functions)
from ttc.frontend.export.table import TABLE, ExportBuilder
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import entries
from ttc.ir import Op
from ttc.ops import expr

SPELT: dict[str, type[Op]] = {
    "Add": ops.Add, "Sub": ops.Sub, "Mult": ops.Mul, "Div": ops.Div, "FloorDiv": ops.FloorDiv, "Mod": ops.Remainder,
    "Pow": ops.Pow, "MatMult": ops.Matmul, "BitAnd": ops.And, "BitOr": ops.Or, "BitXor": ops.Xor,
    "LShift": ops.ShiftLeft, "RShift": ops.ShiftRight, "Eq": ops.Eq, "NotEq": ops.Ne, "Lt": ops.Lt, "LtE": ops.Le,
    "Gt": ops.Gt, "GtE": ops.Ge, "USub": ops.Neg, "Invert": ops.Not, "abs": ops.Abs, "round": ops.Round,
    "cast": ops.Cast, "number": ops.Full, "reshape": ops.Reshape, "view": ops.Reshape, "permute": ops.Permute,
    "expand": ops.Expand, "part": ops.Slice, "pad": ops.Pad, "flip": ops.Flip, "clamp": ops.Clamp, "sum": ops.Sum,
    "mean": ops.Mean, "max": ops.Max, "min": ops.Min, "argmax": ops.Argmax, "where": ops.Where,
    "maximum": ops.Maximum, "minimum": ops.Minimum, "concat": ops.Concat, "exp": ops.Exp, "log": ops.Log,
    "sqrt": ops.Sqrt, "rsqrt": ops.Rsqrt, "reciprocal": ops.Reciprocal, "sin": ops.Sin, "cos": ops.Cos,
    "tanh": ops.Tanh, "sigmoid": ops.Sigmoid, "relu": ops.Relu, "silu": ops.Silu, "sign": ops.Sign,
    "trunc": ops.Trunc, "is_nan": ops.IsNan,
}  # fmt: skip
"""What Python's operators are called in its syntax trees, and expressions' functions and methods: what they make."""

HOLDERS = (expr, expr.Expr)
FUNCTIONS = {id(getattr(x, name)): kind for name, kind in SPELT.items() for x in HOLDERS if hasattr(x, name)}
"""What each function and method of expressions makes, by its identity."""

PLAIN = ("value", "op", "type", "shape", "dtype", "rank", "builder", "labels", "size", "items", "wants", "known")
"""Attributes of expressions, and of what holds them, that are none."""

COUNTS = ("all", "any", "bool", "float", "int", "isinstance", "len", "range", "set", "str")
Node = ast.FunctionDef | ast.Lambda


def spellings() -> dict[str, dict[str, list[str]]]:
    """The names of the ONNX and of the aten operators whose functions make an op, by the op's mnemonic."""
    found = {kind.mnemonic: {"onnx": [], "aten": []} for kind in Op.registry.values()}
    aten = {name: function for name, function in TABLE.items() if "::" not in name}  # no ops of our own
    of_onnx = {name: entry.function for name, entry in entries().items()}
    for column, functions, builder in (("onnx", of_onnx, Emitter), ("aten", aten, ExportBuilder)):
        for name in sorted(functions):
            for kind in made(functions[name], builder):
                found[kind.mnemonic][column].append(name)
    return found


def made(function: Callable, builder: type) -> frozenset[type[Op]]:
    """The classes of ops that a function makes."""
    function = function.func if isinstance(function, partial) else function
    found: set[type[Op]] = set()
    seen: set[int] = set()
    part = function.__module__.split(".")[2]
    pending: list[Any] = [function]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, type):
            found.update({item} & set(Op.registry.values()))
        elif id(item) in FUNCTIONS:
            found.add(FUNCTIONS[id(item)])
        elif isinstance(item, types.FunctionType) and _is_of(item.__module__.split("."), part):
            pending.extend(_Reader(item, builder).made())
        elif isinstance(item, (tuple, list)):
            pending.extend(item)
    return frozenset(found)


def _is_of(module: list[str], part: str) -> bool:
    """Whether a module belongs to a front end, or to what the front ends share."""
    shared = len(module) == 3
    return module[:2] == ["ttc", "frontend"] and (shared or module[2] == part)


@cache
def _syntax(path: str) -> dict[int, list[Node]]:
    """The functions of a file by the line on which their code begins."""
    found: dict[int, list[Node]] = {}
    with open(path) as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
            found.setdefault(min([node.lineno, *(each.lineno for each in decorators)]), []).append(node)
    return found


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


class _Reader(ast.NodeVisitor):
    """One function: the names that hold expressions, and what they are put into."""

    def __init__(self, function: types.FunctionType, builder: type):
        self.nodes = _syntax(inspect.getsourcefile(function) or "")[function.__code__.co_firstlineno]
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        own = {name for code in _codes(function.__code__) for name in (*code.co_varnames, *code.co_cellvars)}
        outer = {name: item for name, item in function.__globals__.items() if name not in own}
        self.known = {**outer, **{name: cell.cell_contents for name, cell in cells}}
        self.builder = builder
        self.names: set[str] = set()
        self.found: list[Any] = []

    def made(self) -> list[Any]:
        """Classes and functions, in any order."""
        before = -1
        while before != len(self.names):  # names of expressions lead to further ones
            before = len(self.names)
            self.found = []
            for node in self.nodes:
                self.visit(node)
        return self.found

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._parameters(node)
        for statement in node.body:
            self.visit(statement)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._parameters(node)
        self.visit(node.body)

    def _parameters(self, node: Node) -> None:
        given = node.args
        listed = [*given.args, *given.kwonlyargs, *filter(None, [given.vararg])]
        for parameter in listed:
            unsaid = isinstance(node, ast.Lambda) and parameter.arg != "b"
            if unsaid or (parameter.annotation is not None and _of_expressions(ast.unparse(parameter.annotation))):
                self.names.add(parameter.arg)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._bind(target, node.value)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._bind(node.target, node.value)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self._bind(node.target, node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._bind(node.target, node.iter)
        self.generic_visit(node)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        match target, value:
            case (ast.Tuple(elts=names), ast.Tuple(elts=parts)) if len(names) == len(parts):
                for name, part in zip(names, parts, strict=True):
                    self._bind(name, part)
            case (ast.Tuple(elts=names), ast.Call(func=ast.Name(id="zip"), args=parts)) if len(names) == len(parts):
                for name, part in zip(names, parts, strict=True):
                    self._bind(name, part)
            case (ast.Tuple(elts=[_, name]), ast.Call(func=ast.Name(id="enumerate"), args=[part, *_])):
                self._bind(name, part)
            case _ if self._is(value):
                self.names.update(each.id for each in ast.walk(target) if isinstance(each, ast.Name))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.found.append(self.known.get(node.id))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            holder = self.builder if node.value.id == "b" else self.known.get(node.value.id)
            if isinstance(holder, types.ModuleType) or holder is self.builder:
                self.found.append(getattr(holder, node.attr, None))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._operator(node.op, node.left, node.right)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for sign in node.ops:
            if not isinstance(sign, (ast.Is, ast.IsNot, ast.In, ast.NotIn)):
                self._operator(sign, node.left, node.comparators[0])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if self._is(node.operand) and not isinstance(node.op, ast.Not):
            self.found.append(SPELT[type(node.op).__name__])
        self.generic_visit(node)

    def _operator(self, sign: ast.AST, left: ast.expr, right: ast.expr) -> None:
        operands = [self._is(left), self._is(right)]
        if any(operands):
            self.found.append(SPELT[type(sign).__name__])
        if any(operands) and not all(operands):
            self.found.append(ops.Full)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in ("abs", "round") and any(map(self._is, node.args)):
            self.found.append(SPELT[node.func.id])
        if isinstance(node.func, ast.Attribute) and self._is(node.func.value) and node.func.attr in SPELT:
            self.found.append(SPELT[node.func.attr])
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("where", "maximum", "minimum") and not all(map(self._is, node.args)):
            self.found.append(ops.Full)
        self.generic_visit(node)

    def _is(self, node: ast.AST | None) -> bool:
        """Tell whether this is an expression, or holds some."""
        match node:
            case ast.Name(id=name):
                return name in self.names
            case ast.Attribute(value=value, attr=attr):
                return attr not in PLAIN and attr not in SPELT and self._is(value)
            case ast.Call():
                return self._gives(node)
            case ast.Compare(left=left, comparators=comparators, ops=signs):
                plain = any(isinstance(sign, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for sign in signs)
                return not plain and any(map(self._is, (left, *comparators)))
            case ast.IfExp(body=body, orelse=other):
                return self._is(body) or self._is(other)
            case ast.GeneratorExp(elt=each) | ast.ListComp(elt=each):
                return self._is(each)
            case ast.DictComp(value=each):
                return self._is(each)
            case ast.Subscript(value=value) | ast.Starred(value=value) | ast.NamedExpr(value=value):
                return self._is(value)
            case ast.BinOp() | ast.UnaryOp() | ast.BoolOp() | ast.Tuple() | ast.List() | ast.Dict():
                return any(map(self._is, ast.iter_child_nodes(node)))
        return False

    def _gives(self, node: ast.Call) -> bool:
        """Tell whether a call gives expressions: by the function's word, else if it takes some."""
        match node.func:
            case ast.Attribute(value=value, attr=attr) if self._is(value):
                return attr in SPELT
            case ast.Attribute(value=ast.Name(id="b"), attr=attr):
                function = getattr(self.builder, attr, None)
            case ast.Attribute(value=ast.Name(id=name), attr=attr):
                function = getattr(self.known.get(name), attr, None)
            case ast.Name(id=name):
                function = self.known.get(name)
            case _:
                function = None
        if function is expr.apply:
            return True
        said = getattr(function, "__annotations__", {}).get("return")
        if isinstance(function, types.FunctionType) and said:
            return _of_expressions(str(said))
        within = (*node.args, *(keyword.value for keyword in node.keywords))
        return not _counts(node.func) and any(map(self._is, within))


def _counts(function: ast.expr) -> bool:
    """Tell whether this is a function that gives no elements of what it takes."""
    return isinstance(function, ast.Name) and function.id in COUNTS


def _of_expressions(annotation: str) -> bool:
    return any(name in annotation for name in ("Expr", "Complex", "Labelled", "Operand", "Values", "Weights"))
