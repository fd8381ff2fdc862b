"""Expressions that a `.pt2` file may hold: arithmetic of sizes, and comparisons of sizes and numbers of inputs.

torch evaluates both as Python. So only expressions of these grammars are passed on, and no number that would take
long to compute.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from ttc.errors import InputError
from ttc.frontend.archive.unsafe import unsafe
from ttc.guard.budget import EXPRESSION_BITS, EXPRESSION_PARTS

SYMBOL = re.compile(r"(s|u|zf|zuf)[0-9]{1,6}", re.ASCII)
"""torch's names of sizes: of inputs, depending on data; and the same of floats."""

SIZE_BITS = 63

FUNCTIONS = {
    "Add", "Mul", "Pow", "PowByNatural", "Max", "Min", "Mod", "PythonMod", "FloorDiv", "CeilDiv", "CleanDiv", "Where",
    "ModularIndexing", "Rational", "Integer", "Float", "IntTrueDiv", "FloatTrueDiv", "ToFloat", "CeilToInt",
    "FloorToInt", "TruncToInt", "RoundToInt", "TruncToFloat", "Identity", "Equality", "Unequality", "Eq", "Ne",
    "LessThan", "GreaterThan", "StrictLessThan", "StrictGreaterThan", "Le", "Ge", "Lt", "Gt", "And", "Or", "Not",
    "IsNonOverlappingAndDenseIndicator",
}  # fmt: skip
"""Functions that torch and sympy write into expressions of sizes."""

WORDS = {"oo", "int_oo", "true", "false", "True", "False"}
ASSUMPTIONS = {"positive", "integer", "nonnegative", "nonzero", "real", "negative", "nonpositive", "finite"}

OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Div, ast.Mod, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip


SIZE_WORDS = {*FUNCTIONS, *WORDS, *ASSUMPTIONS, "Symbol", "precision", "and", "or", "not"}
GUARD_WORDS = {"L", "size", "stride", "storage_offset", "numel", "dim", "and", "or", "not", "True", "False"}

TOKEN = re.compile(
    r"\s|[-+*/%(),=<>!\[\].]|(?P<text>'[^'\\]*')|(?P<number>[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?)|(?P<word>[A-Za-z_]\w*)",
    re.ASCII,
)


class _Unsafe(Exception):
    """A part of an expression that the grammar does not know."""


def check_size(text: str) -> None:
    """Require that `text` is arithmetic of sizes, as torch writes it, of a computable number; InputError otherwise."""
    _checked(text, SIZE_WORDS, _size_bits, "an expression of sizes")


def check_guard(text: str) -> None:
    """Require that `text` compares sizes and numbers of inputs, as torch writes it; InputError otherwise."""
    _checked(text, GUARD_WORDS, _guard_bits, "a condition on sizes")


def _checked(text: str, words: set[str], bits: Callable[[ast.AST], int], what: str) -> None:
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    try:
        tree = ast.parse(text, mode="eval") if _has_only(text, words) else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None:
        raise unsafe(f"{shown!r} is not {what}, but may be code")
    if sum(isinstance(node, ast.expr) for node in ast.walk(tree)) > 3 * EXPRESSION_PARTS:
        raise InputError(f"{shown!r} is too long for {what}")
    try:
        size = bits(tree.body)
    except (_Unsafe, RecursionError):
        raise unsafe(f"{shown!r} is not {what}, but may be code") from None
    if size > EXPRESSION_BITS:
        raise InputError(f"{shown!r} gives too large a number for {what}")


def _has_only(text: str, words: set[str]) -> bool:
    """Return whether a text, of no great length, consists of these words, sizes, numbers, texts and operators."""
    place = 0
    while place < len(text) <= 40 * EXPRESSION_PARTS:
        found = TOKEN.match(text, place)
        if found is None or not (found["word"] is None or found["word"] in words or SYMBOL.fullmatch(found["word"])):
            return False
        place = found.end()
    return 0 < len(text) <= 40 * EXPRESSION_PARTS


def _size_bits(node: ast.AST) -> int:
    """Bound the bits of the largest number that an expression of sizes gives."""
    match node:
        case ast.Name(name) if SYMBOL.fullmatch(name) or name in WORDS:
            return SIZE_BITS
        case ast.Call(ast.Name("Symbol"), [ast.Constant(str() as name)], keywords) if SYMBOL.fullmatch(name):
            _require(all(item.arg in ASSUMPTIONS and _is_flag(item.value) for item in keywords))
            return SIZE_BITS
        case ast.Call(ast.Name("Float"), [ast.Constant(value)], keywords):
            _require(re.fullmatch(r"-?[0-9.]{1,30}(e[-+]?[0-9]{1,2})?", str(value)) is not None)
            _require(all(item.arg == "precision" and _is_precision(item.value) for item in keywords))
            return SIZE_BITS
        case ast.Call(ast.Name("Pow" | "PowByNatural"), [base, exponent], []):
            return _power_bits(_size_bits(base), exponent)
        case ast.BinOp(base, ast.Pow(), exponent):
            return _power_bits(_size_bits(base), exponent)
        case ast.Call(ast.Name(name), operands, []) if name in FUNCTIONS and operands:
            return sum(map(_size_bits, operands))
    return _operation_bits(node, _size_bits)


def _guard_bits(node: ast.AST) -> int:
    """Bound the bits of the largest number in a condition on inputs: `L['x'].size()[0]`, `L['kv'][1]`, numbers."""
    match node:
        case ast.Name("L"):
            return SIZE_BITS
        case ast.Subscript(whole, ast.Constant(str() | int())) if not isinstance(whole, ast.Constant):
            return _guard_bits(whole)
        case ast.Call(ast.Attribute(whole, "size" | "stride" | "storage_offset" | "numel" | "dim"), [], []):
            return _guard_bits(whole)
    return _operation_bits(node, _guard_bits)


def _operation_bits(node: ast.AST, bits: Callable[[ast.AST], int]) -> int:
    """Bound the bits of numbers and operators, which both grammars share."""
    match node:
        case ast.Constant(bool()):
            return 1
        case ast.Constant(int() as value):
            return value.bit_length()
        case ast.Constant(float()):
            return SIZE_BITS
        case ast.UnaryOp(operation, operand) if isinstance(operation, OPERATORS):
            return bits(operand)
        case ast.BinOp(left, operation, right) if isinstance(operation, OPERATORS):
            return bits(left) + bits(right)
        case ast.BoolOp(operation, operands) if isinstance(operation, OPERATORS):
            return sum(map(bits, operands))
        case ast.Compare(left, operations, others) if all(isinstance(item, OPERATORS) for item in operations):
            return bits(left) + sum(map(bits, others))
    raise _Unsafe


def _power_bits(base: int, exponent: ast.AST) -> int:
    """Bound the bits of a power with a small constant exponent; other exponents have no bound."""
    match exponent:
        case ast.Constant(int() as value) | ast.Call(ast.Name("Integer"), [ast.Constant(int() as value)], []):
            _require(0 <= value <= SIZE_BITS)
            return base * value
        case ast.UnaryOp(ast.USub(), ast.Constant(1)) | ast.Call(
            ast.Name("Integer"), [ast.UnaryOp(ast.USub(), ast.Constant(1))], []
        ):
            return base
    raise _Unsafe


def _require(condition: bool) -> None:
    if not condition:
        raise _Unsafe


def _is_flag(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _is_precision(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and 0 < node.value <= 200
