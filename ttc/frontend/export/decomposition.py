"""torch's decomposition of an exported program, without its walk over every composite op that torch has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from torch._export.utils import (
    _collect_all_valid_cia_ops_for_aten_namespace,
    _is_preservable_cia_op,
    _special_op_to_preserve_cia,
)
from torch._ops import OpOverload
from torch._subclasses.fake_impls import op_implementations_dict
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.export import ExportedProgram
from torch.export.exported_program import _decompose_exported_program, _override_composite_implicit_decomp

from ttc.frontend.export.table import is_listed


def run_decompositions(program: ExportedProgram, table: Mapping[OpOverload, Callable]) -> ExportedProgram:
    """Run decompositions as `program.run_decompositions(table)` does, in a quarter of the time for small programs.

    An op is composite (`CompositeImplicitAutograd` to torch) if torch traces through it unless told to keep it whole.
    torch tells so of all 525 composite ops at every call. Here those are told of that the program has and those that
    the front end reads, as a decomposition may lead to one of these.
    """
    present = {node.target for node in program.graph.nodes if isinstance(node.target, OpOverload)}
    composite = read_composites() | set(filter(_is_preservable_cia_op, present | table.keys()))
    with unset_fake_temporarily(), _told({op: table.get(op, _special_op_to_preserve_cia) for op in composite}):
        return _decompose_exported_program(
            program,
            cia_to_decomp={},
            python_decomp_table={op: rule for op, rule in table.items() if op not in composite},
            joint_loss_index=None,
            decompose_custom_triton_ops=False,
        )


Kernels = Mapping[Any, Callable]
"""An op's kernels in Python, by torch's dispatch keys."""


@contextmanager
def _told(rules: Mapping[OpOverload, Callable]) -> Iterator[None]:
    """Tell torch the rules of composite ops, as `_override_composite_implicit_decomp` does, with kernels made once."""
    before = {op: (dict(op.py_kernels), op_implementations_dict.get(op)) for op in rules}
    try:
        for op, rule in rules.items():
            _set_kernels(op, *_kernels(op, rule))
        yield
    finally:
        for op, kernels in before.items():
            _set_kernels(op, *kernels)


@cache
def _kernels(op: OpOverload, rule: Callable) -> tuple[Kernels, Callable | None]:
    """Return the kernels that torch gives a composite op with a rule, and the op's implementation on fake tensors."""
    with _override_composite_implicit_decomp({op: rule}):
        return dict(op.py_kernels), op_implementations_dict.get(op)


def _set_kernels(op: OpOverload, kernels: Kernels, on_fake: Callable | None) -> None:
    op.py_kernels.clear()
    op.py_kernels.update(kernels)
    op._dispatch_cache.clear()
    if on_fake is None:
        op_implementations_dict.pop(op, None)
    else:
        op_implementations_dict[op] = on_fake


@cache
def read_composites() -> frozenset[OpOverload]:
    """Return the composite ops of torch that the front end reads or refuses by name."""
    found = _collect_all_valid_cia_ops_for_aten_namespace()
    return frozenset(op for op in found if isinstance(op, OpOverload) and is_listed(op))
