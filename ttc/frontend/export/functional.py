"""A program without in-place ops, and without ops that neither the table nor a decomposition of torch's reads."""

from __future__ import annotations

import operator
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._C import DispatchKey
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import is_fake
from torch.export import ExportedProgram
from torch.export.exported_program import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import ExportGraphSignature, OutputKind
from torch.fx import Graph, GraphModule, Node
from torch.utils import _pytree as pytree

from ttc.errors import InputError, TtcError
from ttc.frontend.export.branches import branches, inline_branches
from ttc.frontend.export.decomposition import read_composites, run_decompositions
from ttc.frontend.export.regions import inline_regions, regions
from ttc.frontend.export.table import is_listed
from ttc.frontend.export.written_parts import filled_by_parts, scatter_parts

MAX_DECOMPOSITIONS = 4
"""The number of times that the ops of a decomposition are decomposed again."""


def functional(program: ExportedProgram) -> ExportedProgram:
    """Return the program without in-place ops; ops that the table does not list are decomposed as torch itself would.

    The result's arguments and results are flat. InputError where torch fails, or branches differ in size.
    """
    with warnings.catch_warnings():
        # torch copies its own LeafSpec objects here, a class it has deprecated.
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
        try:
            return _decomposed(inline_branches(_flat(program)))
        except TtcError:
            raise
        except Exception as error:  # torch asserts what its own exporter does not keep to
            why = f"torch cannot decompose the exported program: {first_line(error)}"
            raise InputError(_shared(program) or why) from error


def _shared(program: ExportedProgram) -> str:
    """Name the first two tensors that lie in one memory, one of them a buffer; "" if each has its own."""
    buffers, seen = set(program.graph_signature.buffers), dict[int, str]()
    for name, tensor in {**program.state_dict, **program.constants}.items():
        if not isinstance(tensor, Tensor) or is_fake(tensor) or tensor.is_meta or not tensor.numel():
            continue
        first = seen.setdefault(tensor.untyped_storage().data_ptr(), name)
        if first != name and not buffers.isdisjoint((first, name)):
            return f"{first!r} and {name!r} share memory, and the model changes it: give each memory of its own"
    return ""


def _decomposed(program: ExportedProgram) -> ExportedProgram:
    if not _is_functional(program):
        program = run_decompositions(program, {})
    for _ in range(MAX_DECOMPOSITIONS):
        unlisted = {node.target for node in program.graph.nodes if _is_aten(node) and not is_listed(node.target)}
        table = {target: _known()[target] for target in unlisted if target in _known()}
        if not table:
            break
        program = run_decompositions(program, table)
    return program


@cache
def _known() -> Mapping[Any, Callable]:
    """Return torch's decompositions of its own ops: torch lists the rules of all composite ops anew at every call."""
    return torch.export.default_decompositions()


def _is_functional(program: ExportedProgram) -> bool:
    """Return whether the front end reads a program as exported: torch would trace the program once more for nothing.

    Nothing is changed in place, and all ops but checks of metadata are read as they are.
    """
    alive, kinds = live(program.graph), {spec.kind for spec in program.graph_signature.output_specs}
    if kinds != {OutputKind.USER_OUTPUT} or any(
        node.op not in ("placeholder", "call_function", "output") for node in program.graph.nodes
    ):
        return False
    return all(
        _is_read(node) if node in alive else not _changes(node)
        for node in program.graph.nodes
        if node.op == "call_function"
    )


def live(graph: Graph, kept: Iterable[Node] = ()) -> set[Node]:
    """Return the nodes that the outputs, and the nodes `kept`, depend on."""
    found: set[Node] = set()
    waiting = [*graph.output_node().all_input_nodes, *kept]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def _changes(node: Node) -> bool:
    """Return whether a node changes an operand, or may: only torch's operators tell, and a choice of a result."""
    if isinstance(node.target, OpOverload):
        return node.target._schema.is_mutable
    return node.target is not operator.getitem


VIEWS = frozenset(
    {
        torch.ops.aten.chunk.default,
        torch.ops.aten.contiguous.default,
        torch.ops.aten.flatten.using_ints,
        torch.ops.aten.reshape.default,
        torch.ops.aten.to.device,
        torch.ops.aten.to.dtype,
        torch.ops.aten.to.dtype_layout,
        torch.ops.aten.unflatten.int,
    }
)
"""Composite ops that torch would trace through, and that the front end reads as they are."""


def _is_read(node: Node) -> bool:
    """Return whether a node chooses a result, or is of an op that is read alike whether torch traces it or not.

    That is what the table lists and changes no operand: ops that torch does not trace through, or keeps whole.
    """
    op = node.target
    if op is operator.getitem:
        return True
    if not isinstance(op, OpOverload) or not _is_aten(node) or not is_listed(op) or op._schema.is_mutable:
        return False
    if op is torch.ops.aten.dropout.default:
        return not node.args[2]  # none outside of training
    kept = op in VIEWS or op in read_composites()
    return kept or not op.has_kernel_for_dispatch_key(DispatchKey.CompositeImplicitAutograd)


def _flat(program: ExportedProgram) -> ExportedProgram:
    """Return the program with tuples for its arguments and results.

    Decomposing calls the program in the structure of its arguments: a class of the user's may make tensors where its
    objects are put together, and torch then has no data for these tensors (transformers' DynamicCache does).
    """
    module = program.graph_module
    changed = (branches(module), regions(module), filled_by_parts(module.graph), _copies(module.graph))
    if any(changed) or _unread(module.graph):
        module = _copied(module)
        inline_regions(module)
        scatter_parts(module.graph)
        _copy_anew(module.graph)
        module.graph.eliminate_dead_code(_stays)
    signature = _of_results(program.graph_signature, module.graph)
    arguments, results = (0,) * len(signature.user_inputs), (0,) * len(signature.user_outputs)
    in_spec, out_spec = (pytree.tree_flatten(item)[1] for item in ((arguments, {}), results))
    call = next(entry.signature for entry in program.module_call_graph if entry.fqn == "")
    assert isinstance(call, ModuleCallSignature), "torch.export always records it"
    call = replace(call, in_spec=in_spec, out_spec=out_spec, forward_arg_names=None)
    return ExportedProgram(
        root=module,
        graph=module.graph,
        graph_signature=signature,
        state_dict=program.state_dict,
        range_constraints=program.range_constraints,
        module_call_graph=[ModuleCallEntry("", call)],
        constants=program.constants,
        verifiers=program.verifiers,
    )


def _of_results(signature: ExportGraphSignature, graph: Graph) -> ExportGraphSignature:
    """Return the signature with the names of the graph's own results: those of a region have names of their own."""
    (results,) = graph.output_node().args
    assert isinstance(results, (list, tuple))
    specs = [
        replace(spec, arg=replace(spec.arg, name=result.name)) if isinstance(result, Node) else spec
        for spec, result in zip(signature.output_specs, results, strict=True)
    ]
    return ExportGraphSignature(signature.input_specs, specs)


def _copied(module: GraphModule) -> GraphModule:
    """Copy a program's module with the names of nodes: a copy calls an input `input_1` that is called `input`."""
    copy = deepcopy(module)
    for old, new in zip(module.graph.nodes, copy.graph.nodes, strict=True):
        new.name = old.name
    return copy


def _unread(graph: Graph) -> bool:
    """Return whether no output depends on one of an op's results: ops are read by which of their results are."""
    alive = live(graph)
    return any(node not in alive for node in graph.find_nodes(op="call_function", target=operator.getitem))


def _stays(node: Node) -> bool:
    """Return whether a node stays that nobody reads: an input, and what changes an operand, or may."""
    if node.op != "call_function":
        return node.op in ("placeholder", "output")
    return _changes(node) or not (_is_aten(node) or node.target is operator.getitem)


def _copies(graph: Graph) -> list[tuple[Node, Node]]:
    """List each `copy_` with the computed tensor that is copied."""
    found = graph.find_nodes(op="call_function", target=torch.ops.aten.copy_.default)
    pairs = ((node, node.args[1]) for node in found)
    return [(node, source) for node, source in pairs if isinstance(source, Node) and source.op != "get_attr"]


def _copy_anew(graph: Graph) -> None:
    """Let each `copy_` take a copy of its source: torch mixes up buffers that are left with one and the same value."""
    for node, source in _copies(graph):
        with graph.inserting_before(node):
            copy = graph.call_function(torch.ops.aten.clone.default, (source,))
        copy.meta = dict(source.meta)
        node.update_arg(1, copy)


def _is_aten(node: Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target.namespace == "aten"


def first_line(error: Exception) -> str:
    """Return an error's kind and first line of words; the place that raised the error, if there are no words."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines:
        return f"{type(error).__name__}: {lines[0]}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name} ({Path(frame.filename).name}, line {frame.lineno})"
