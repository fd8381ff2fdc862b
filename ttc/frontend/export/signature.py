"""Signatures of programs: names by pytree path, and the way from a call's structure to tensors by name."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, ExportGraphSignature, InputKind, OutputKind
from torch.fx import Node
from torch.utils import _pytree as pytree

from ttc.errors import InputError
from ttc.ir.names import take_name
from ttc.ir.state import require_plain

NOTHING_GIVEN: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Constant:
    """An argument or result that is no tensor: a number, flag, string or None."""

    value: Any


@dataclass(frozen=True)
class Signature:
    """The structure of a call's arguments and results; leaves are names of tensors, or constants.

    `changed` are the inputs that the model changes in place, and the outputs that hold their new numbers. `returned`
    are results that are an input itself, `repeated` those that are an earlier result itself: what the caller does to
    one in place is done to the other.
    """

    in_spec: pytree.TreeSpec
    out_spec: pytree.TreeSpec
    inputs: tuple[str | Constant, ...]
    outputs: tuple[str | Constant, ...]
    changed: tuple[tuple[str, str], ...] = ()
    returned: tuple[tuple[str, str], ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, program: ExportedProgram, model: torch.nn.Module | None = None) -> Signature:
        """Return the signature of an exported program; a model names variable arguments better."""
        in_spec, out_spec = program.call_spec.in_spec, program.call_spec.out_spec
        assert in_spec is not None, "torch.export always records it"
        assert out_spec is not None, "torch.export always records it"
        arguments, options = in_spec.children()
        positional = _positional_names(program, arguments.num_children, model)
        paths = [
            *(path for name, spec in zip(positional, arguments.children(), strict=True) for path in _paths(spec, name)),
            *_paths(options, ()),
        ]
        user = [s.arg for s in program.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
        results = [s.arg for s in program.graph_signature.output_specs if s.kind is OutputKind.USER_OUTPUT]
        return cls(in_spec, out_spec, _leaves(paths, user), _leaves(_result_paths(out_spec), results))

    @property
    def constants(self) -> dict[str, Any]:
        """Return the results that are no tensors, by their paths in the results."""
        slots = zip(_result_paths(self.out_spec), self.outputs, strict=True)
        return {".".join(path): slot.value for path, slot in slots if isinstance(slot, Constant)}

    def changing(self, functional: ExportedProgram) -> Signature:
        """Return the signature with the inputs that the program, without its in-place ops, gives anew.

        The output has the name of the input unless a result has that name.
        """
        signature = functional.graph_signature
        names = dict(zip(signature.user_inputs, self.inputs, strict=True))
        taken = {slot for slot in self.outputs if isinstance(slot, str)}
        changed = [str(names[node]) for node in signature.user_inputs_to_mutate.values()]
        held = {**names, **{new: names[node] for new, node in signature.user_inputs_to_mutate.items()}}
        returned, repeated = self._shared(signature, held)
        pairs = tuple((name, take_name(name, taken)) for name in changed)
        return replace(self, changed=pairs, returned=tuple(returned), repeated=tuple(repeated))

    def _shared(
        self, signature: ExportGraphSignature, held: Mapping[str, str | Constant]
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return results beside the inputs that the results are, and beside earlier results.

        `held` are the inputs by the nodes that compute their last numbers.
        """
        returned, repeated = [], []
        first: dict[str, str] = {}
        results = [spec.arg for spec in signature.output_specs if spec.kind is OutputKind.USER_OUTPUT]
        for slot, argument in zip(self.outputs, results, strict=True):
            if isinstance(slot, Constant):
                continue
            if isinstance(source := held.get(argument.name), str):
                returned.append((slot, source))
            elif first.setdefault(argument.name, slot) != slot:
                repeated.append((slot, first[argument.name]))
        return returned, repeated

    def flatten_inputs(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """Name the tensors of a call by input; InputError if the call has another structure or other constants."""
        leaves, spec = pytree.tree_flatten((tuple(args), self._ordered(dict(kwargs or {}))))
        if spec != self.in_spec:
            raise InputError(f"the call's arguments have the structure {spec}, but the program takes {self.in_spec}")
        found: dict[str, Tensor] = {}
        for slot, leaf in zip(self.inputs, leaves, strict=True):
            if isinstance(slot, str):
                found[slot] = leaf
            elif _leaf_key(leaf) != _leaf_key(slot.value):  # of which NaN is equal to itself, and -0 is not 0
                raise InputError(f"the program was compiled for the argument {slot.value!r}, but got {leaf!r}")
        return found

    def _ordered(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Order keyword arguments as the program does, if they are the same ones."""
        names = self.in_spec.child(1).context
        return {name: kwargs[name] for name in names} if set(names) == set(kwargs) else kwargs

    def unflatten_outputs(self, values: Mapping[str, Any], given: Mapping[str, Any] = NOTHING_GIVEN) -> Any:
        """Build the model's own output structure from tensors by output name, and from those given that are outputs.

        A tensor given whose elements lie in another order than the trace's is no output: torch may have copied it.
        """
        values = dict(values)
        for name, source in self.returned:
            if isinstance(tensor := given.get(source), Tensor) and tensor.is_contiguous():
                values[name] = tensor
        for name, earlier in self.repeated:
            values[name] = values[earlier]
        leaves = [values[slot] if isinstance(slot, str) else slot.value for slot in self.outputs]
        return pytree.tree_unflatten(leaves, self.out_spec)

    def require_own_memory(self, given: Mapping[str, Any]) -> None:
        """Require that what the model changes of a call's tensors is no part of another one; InputError otherwise."""
        given = {name: tensor for name, tensor in given.items() if isinstance(tensor, Tensor)}
        for name in (changed for changed, _ in self.changed if changed in given):
            if torch._debug_has_internal_overlap(given[name]) == 1:  # pyright: ignore[reportPrivateImportUsage]
                raise InputError(f"the model changes {name!r}, whose elements lie in one memory: give a copy of it")
            for other, tensor in given.items():
                if other != name and _overlap(given[name], tensor):
                    words = f"{name!r} and {other!r} share memory, and the model changes {name!r}"
                    raise InputError(f"{words}: give each memory of its own")

    def change_inputs(self, values: Mapping[str, Tensor], given: Mapping[str, Any]) -> None:
        """Copy the new numbers of inputs that the model changes into the tensors that a call has given."""
        for name, output in self.changed:
            given[name].detach().copy_(values[output])


def _overlap(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors' elements lie between each other's first and last in one memory."""
    if not a.numel() or not b.numel() or a.untyped_storage().data_ptr() != b.untyped_storage().data_ptr():
        return False
    (first, end), (start, last) = (_span(item) for item in (a, b))
    return first <= last and start <= end


def _span(tensor: Tensor) -> tuple[int, int]:
    """Return the addresses of the first and the last byte of a tensor."""
    steps = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + (steps + 1) * tensor.element_size() - 1


def call_key(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable:
    """Return the key that calls of one program share: structure, dtypes, shapes, and arguments that are no tensors."""
    options = dict(sorted(kwargs.items()))
    leaves, spec = pytree.tree_flatten((tuple(args), options))
    return str(spec), tuple(_leaf_key(leaf) for leaf in leaves)


def _leaf_key(leaf: Any) -> Hashable:
    if isinstance(leaf, Tensor):
        return "tensor", str(leaf.dtype), tuple(leaf.shape)
    return type(leaf).__qualname__, repr(leaf)


def _positional_names(program: ExportedProgram, count: int, model: torch.nn.Module | None) -> list[tuple[str, ...]]:
    """Return the parameter names of `forward` for the first `count` arguments; `xs.0`, `xs.1` for a variable one."""
    if model is not None:
        names: list[tuple[str, ...]] = []
        for parameter in inspect.signature(model.forward).parameters.values():
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                names.extend((parameter.name, str(i)) for i in range(count - len(names)))
            elif parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                names.append((parameter.name,))
        if len(names) >= count:
            return names[:count]
    entry = next((entry for entry in program.module_call_graph if entry.fqn == ""), None)
    stored = (entry.signature.forward_arg_names if entry and entry.signature else None) or []
    return [(stored[i],) if i < len(stored) else ("args", str(i)) for i in range(count)]


def _paths(spec: pytree.TreeSpec, prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every leaf, as texts."""
    if spec.is_leaf():
        yield prefix
        return
    for name, child in zip(_child_names(spec), spec.children(), strict=True):
        yield from _paths(child, (*prefix, name))


def _result_paths(spec: pytree.TreeSpec) -> list[tuple[str, ...]]:
    return [("output",)] if spec.is_leaf() else list(_paths(spec, ()))


def _child_names(spec: pytree.TreeSpec) -> list[str]:
    """Return keys or field names where the container has them, else positions."""
    match spec.type, spec.context:
        case (_, [list() as keys, *_]) | (_, [_, list() as keys]) if len(keys) == spec.num_children:
            return [str(key) for key in keys]
        case (_, list() | tuple() as keys) if len(keys) == spec.num_children and _are_names(spec.type, keys):
            return [str(key) for key in keys]
        case (_, type() as named) if hasattr(named, "_fields"):
            return list(named._fields)
    return [str(i) for i in range(spec.num_children)]


def _are_names(container: type | None, keys: list[Any] | tuple[Any, ...]) -> bool:
    return (isinstance(container, type) and issubclass(container, dict)) or all(isinstance(key, str) for key in keys)


def _leaves(paths: list[tuple[str, ...]], arguments: list[Any]) -> tuple[str | Constant, ...]:
    """Return a unique name for each tensor, the constant for each other leaf."""
    taken: set[str] = set()
    slots: list[str | Constant] = []
    for path, argument in zip(paths, arguments, strict=True):
        if isinstance(argument, ConstantArgument):
            slots.append(Constant(argument.value))
            continue
        slots.append(require_plain(take_name(".".join(path) or "_", taken, first=1)))
    return tuple(slots)


def user_inputs(program: ExportedProgram) -> list[Node]:
    """Return the placeholders of a call's tensors, in order; parameters and buffers have placeholders of their own."""
    user = set(program.graph_signature.user_inputs)
    return [node for node in program.graph.nodes if node.op == "placeholder" and node.name in user]
