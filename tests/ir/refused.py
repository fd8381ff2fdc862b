"""What `ttc.ir` refuses, as tables of (text or attempt, message), one step beyond what is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ttc.calls.loop  # noqa: F401 (whose bodies the parser reads)
from tests.ir.loops import LOOP
from ttc import ops
from ttc.guard import budget
from ttc.ir import Builder, DType, Graph, Input, Node, Op, TensorType, Value, Weights, parse_graph, rewrite
from ttc.ir.fields import fits
from ttc.ir.lengths import from_json
from ttc.ir.state import require_plain, state_input
from ttc.ir.text import print_node
from ttc.ir.types import broadcast

CLAMPED = """graph {
  %x: f32[2,3] = input(name="x")
  %y: f32[2,3] = clamp(x=%x, low=-1.0)
  return "y"=%y
}
"""


def broken(text: str, old: str, new: str) -> str:
    """A text with one change, of a part that stands in it once."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
    return text.replace(old, new)


def nested(depth: int) -> str:
    """Loops in one another."""
    body = "return"
    for _ in range(depth):
        body = f"loop(count=1, carried=[], scanned=[], stacked=[], captured=[], body=body {{ {body} }})\nreturn"
    return "graph {\n" + body + "\n}"


def ranked(rank: int) -> str:
    """A value of so many dimensions."""
    return f'graph {{\n  %x: f32[{",".join("1" * rank)}] = input(name="x")\n  return "x"=%x\n}}'


_CHANGES: list[tuple[str, str, int, str]] = [
    ("graph", "program", 1, "expected 'graph', found 'program'"),
    ("graph {", "graph", 2, "expected '{', found '%x'"),
    ("}\n", "}\nmore", 6, "expected the end, found 'more'"),
    ("}\n", "", 4, "expected a string, found ''"),
    ('return "y"=%y', "", 5, "expected a word, found '}'"),
    ('"y"=%y', '"y" %y', 4, "expected '=', found '%y'"),
    ('"y"=%y', '"y"=%w', 5, "%w is not defined"),
    ('"y"=%y', "y=%y", 4, "expected a string, found 'y'"),
    ('"y"=%y', '"\\x"=%y', 4, '"\\x" is no proper string'),
    ("%y: f32[2,3] =", "%y f32[2,3] =", 3, "expected ':', found 'f32'"),
    ("%y: f32[2,3] =", "%y: f31[2,3] =", 3, "no DType is called 'f31'"),
    ("%y: f32[2,3] =", "%y: f32(2,3) =", 3, "expected '[', found '('"),
    ("%y: f32[2,3] =", "%y: f32[2,x] =", 3, "expected a number, found 'x'"),
    ("%y: f32[2,3] =", "%y: f32[2,-3] =", 3, "a size is -3"),
    ("%y: f32[2,3] =", "%y: f32[2,3.5] =", 3, "expected an integer, found 3.5"),
    ("%y: f32[2,3] =", "%y: f32[2,333333333333333333333] =", 3, "expected an integer, found 333333333333333333333"),
    ("%y: f32[2,3] =", "%y: f32[2,3]", 3, "expected '=', found 'clamp'"),
    ("%y: f32[2,3] =", "%x: f32[2,3] =", 4, "%x is defined twice"),
    ("%y: f32[2,3] =", "%y: f32[2,3] tile sram =", 3, "no Buffer is called 'sram'"),
    ("%y: f32[2,3] =", "%y: f32[2,3] tile l1 height_sharded 8 8 of 32x32 =", 3, "expected a word, found '8'"),
    ("%y: f32[2,3] =", "%y: f32[2,3] tile l1 height_sharded 8y8 of 32x32 =", 3, "expected two sizes such as 8x7"),
    ("%y: f32[2,3] =", "%y: f32[2,3] tile l1 height_sharded 8x8 by 32x32 =", 3, "expected 'of', found 'by'"),
    ("%y: f32[2,3] =", "%y: f32[2,3] tile l1 height_sharded 8x7 and 8 of 32x32 =", 3, "8 cores are no part of a row"),
    ("%y: f32[2,3] =", "%y: f32[2,3] tile l1 height_sharded 8x7 and -1 of 32x32 =", 3, "-1 cores are no part of a row"),
    ("clamp", "clomp", 3, "no op is called 'clomp'"),
    ("clamp(", "clamp[", 3, "expected '(', found '['"),
    ("x=%x", "x=%w", 3, "%w is not defined"),
    ("x=%x", "z=%x", 3, "Clamp takes no 'z'"),
    ("x=%x", "x=%x, x=%x", 3, "Clamp takes no second 'x'"),
    ("x=%x, ", "", 4, "Clamp lacks x"),
    ("x=%x", "x %x", 3, "expected '=', found '%x'"),
    ("x=%x", "%x", 3, "expected a word, found '%x'"),
    ("x=%x", "x=1.0", 3, "what Clamp takes as x is of another kind"),
    ("low=-1.0", "low=[1.0]", 3, "what Clamp takes as low is of another kind"),
    ("low=-1.0", 'low="1.0"', 3, "what Clamp takes as low is of another kind"),
    ("low=-1.0", "low=much", 3, "'much' means nothing here"),
    ("low=-1.0", "low=<f32[2]>", 3, "what Clamp takes as low is of another kind"),
    ("low=-1.0", "low=<f32[2]", 3, "expected '>', found ')'"),
    ("low=-1.0", "low=-1.0 ?", 3, "cannot read '?)"),
]
PARSER = [(broken(CLAMPED, old, new), f"line {line}: {message}") for old, new, line, message in _CHANGES]
PARSER += [
    (ranked(65), "line 2: a shape has 65 sizes"),
    (nested(9), "line 2: loops stand more than 8 deep in one another"),
    ("graph { %x: f32[1] = " + "loop(count=1, body=body { %x: f32[1] = " * 20, "line 1: loops stand more than 8 deep"),
]
"""Texts that are not read, and the line and message that the parser gives."""

TAKEN_BY_PARSER = (CLAMPED, ranked(64), nested(8))

CHAIN = """graph {
  %x: f32[2] = input(name="x")
  %a: f32[2] = relu(x=%x)
  %b: f32[2] = abs(x=%a)
  %c: f32[2] = neg(x=%b)
  %d: f32[2] = exp(x=%c)
  return "y"=%d
}"""

OVERWRITTEN = """graph {
  %x: bf16[32,32] tile dram = input(name="x")
  %h: bf16[32,32] tile dram = ttnn.relu(%x)
  %new: bf16[32,32] tile dram = ttnn.add(%x, 1.0, output_tensor=%h)
  %y: bf16[32,32] tile dram = ttnn.relu(%new)
  return "y"=%y
}"""

VERIFIER = [
    (broken(text, old, new), message)
    for text, old, new, message in [
        (CHAIN, "%b: f32[2]", "%b: f32[3]", "abs gives f32[2] but the program says f32[3]"),
        (CHAIN, "%b: f32[2] =", "%b: f32[2], %e: f32[2] =", "abs gives f32[2] but the program says f32[2], f32[2]"),
        (CHAIN, "abs(x=%a)", "not(x=%a)", "not: needs bool, got f32[2]"),
        (CHAIN, "abs(x=%a)", "slice(x=%a, starts=[], ends=[0], steps=[1])",
         "slice: its operands and attributes do not fit together"),
        (CHAIN, '"y"=%d', '"y"=%d, "y"=%c', "two outputs share a name"),
        (OVERWRITTEN, "ttnn.relu(%new)", "ttnn.relu(%h)", "ttnn.relu reads %h, which is overwritten before"),
        (OVERWRITTEN, '"y"=%y', '"y"=%h', "output 'y' is %h, which is overwritten"),
        (LOOP, "ttnn.matmul(%h, %r)", "ttnn.matmul(%h, %x)", "loop: the body of loop: ttnn.matmul"),
        (LOOP, "%p: bf16[1,1,2,64]", "%p: bf16[1,1,2,32]",
         "loop: the body of loop: ttnn.matmul gives bf16[1,1,2,64] tile dram but the program says"),
        (LOOP, "%p: bf16", '%k: bf16[1,1,2,64] tile dram = const(ref="k")\n    %p: bf16',
         "the body of loop has constants of its own"),
        (LOOP, "loop.put(%ys, %new)", "loop.put(%ys, %h)",
         "loop: the body of loop: loop.put reads %h, which is overwritten before"),
        (LOOP, '"y"=%y, "h_n"=%h_n', '"y"=%y, "h_n"=%h0', "output 'h_n' is %h0, which is overwritten"),
    ]
]  # fmt: skip
"""Texts that are read, and what the verifier says of them."""

TAKEN_BY_VERIFIER = (CHAIN, OVERWRITTEN, broken(OVERWRITTEN, "  return", "  ttnn.deallocate(%h)\n  return"), LOOP)

X = Value(Input(TensorType(DType.f32, (2,)), "x"), TensorType(DType.f32, (2,)), "x")
INPUT = Node(X.op, (X,))


def node(op: Op, name: str) -> Node:
    """A node of one result, whatever its type."""
    return Node(op, (Value(op, X.type, name),))


RELU, NEG = node(ops.Relu(X), "y"), node(ops.Neg(X), "y")

MADE_BY_HAND: list[tuple[Graph, str]] = [
    (Graph((RELU, INPUT), (("y", RELU.results[0]),)), "relu reads %x before it is defined"),
    (Graph((INPUT, RELU, NEG), (("y", RELU.results[0]),)), "%y is defined twice"),
    (Graph((INPUT,), (("out", RELU.results[0]),)), "output 'out' is %y, which nothing defines"),
]
"""Graphs that no text says, and what the verifier says of them."""


@dataclass(frozen=True)
class Untyped(Op, abstract=True):
    """An op without a type rule, and with an attribute that has no text."""

    mnemonic = "untyped"
    numbers: frozenset[int] = frozenset()


def crowded() -> Any:
    """Add one op more than a program may have."""
    builder = Builder()
    x = builder(X.op)
    builder._nodes *= budget.NODES
    return builder(ops.Relu(x))


def in_builder(make: Callable[[Value], Op]) -> Callable[[], Any]:
    """Add an op that reads an input."""
    builder = Builder()
    return lambda: builder(make(builder(X.op)))


def rewritten(answer: Callable[[Op, Builder], Any]) -> Callable[[], Any]:
    """Rewrite the op that `RELU` is by this rule."""
    return lambda: rewrite(parse_graph(CHAIN), lambda op, b: answer(op, b) if isinstance(op, ops.Relu) else None)


def part(op: Any, b: Builder) -> Value:
    return b(ops.Slice(op.x, (0,), (1,), (1,)))


ATTEMPTS: list[tuple[Callable[[], Any], str]] = [
    (in_builder(ops.Not), "needs bool, got f32[2]"),
    (in_builder(lambda x: Untyped()), "Untyped has no type rule"),
    (crowded, "250,001 ops are more than the 250,000 that ttc takes"),
    (lambda: TensorType(DType.f32, (1,) * 65), "65 dimensions of a value are more than the 64 that ttc takes"),
    (lambda: TensorType(DType.f32, (1 << 36, 2)), "137,438,953,472 elements of a value are more than"),
    (lambda: broadcast((2, 3), (4, 3)), "shapes [2, 3] and [4, 3] do not broadcast"),
    (rewritten(part), "rewriting relu changed %a from f32[2] to f32[1]"),
    (rewritten(lambda op, b: b(ops.Cast(op.x, DType.bf16))), "rewriting relu changed %a from f32[2] to bf16[2]"),
    (lambda: print_node(Node(Untyped(frozenset({1})), ())), "frozenset({1}) has no text form"),
    (lambda: fits(Untyped, "numbers", 1), "no rule says which values a field of frozenset[int] takes"),
    (lambda: Weights().read("w"), "weight 'w' has no data: the model was compiled from fake weights; bind real ones"),
    (lambda: from_json([[["T", 1.0]], 0]), "1.0 is not an integer"),
    (lambda: state_input(""), "a state has no name"),
    (
        lambda: require_plain("@state.n"),
        "'@state.n' is no name for an input or output: what begins with @state. is state",
    ),
    (lambda: from_json([[[[[[["T", 1]], 0], 0], 1]], 0]), "a length is divided by 0"),
]
"""What builders, rewriting, types, weights and lengths refuse."""
