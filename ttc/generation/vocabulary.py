"""The tokens that a program knows: for one beyond the table of tokens a device reads what lies behind the table."""

from __future__ import annotations

from ttc.calls.index import Embedding
from ttc.compiled.executable import Executable
from ttc.ir import Input, Value


def vocabulary_of(executable: Executable, name: str) -> int | None:
    """Return the rows of the smallest table in which the tokens of an input are looked up; None if in none."""
    embeddings = (node.op for node in executable.program.graph.nodes if isinstance(node.op, Embedding))
    return min((op.weight.shape[0] for op in embeddings if _comes_from(op.input_tensor, name)), default=None)


def _comes_from(index: Value, name: str) -> bool:
    """Return whether an index is an input of this name, in whatever shape or layout."""
    while len(operands := list(index.op.operands())) == 1:
        index = operands[0]
    return isinstance(index.op, Input) and index.op.name == name
