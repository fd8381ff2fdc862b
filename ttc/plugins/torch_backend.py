"""The backend "ttc" of torch.compile.

    compiled = torch.compile(model.eval(), backend="ttc", options={"target": "p150", "dtype": "bf16"})
    with torch.no_grad():
        y = compiled(x)

Each graph that dynamo takes from the model is compiled when it is first called, for the sizes of that call.
Parameters and buffers are weights of the program. As everywhere in torch.compile, a change to them is seen, however it
was made (an optimizer's step, `load_state_dict`, `weight.data = ...`): each call compares the numbers of all weights
with those compiled, which reads them once, and compiles anew if one differs. Buffers that the graph itself changes are
inputs of the program instead, and are changed in place as torch does. `ttc.compile` has no such cost: there weights are
what they were when it was called, and the state of buffers is a session's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from ttc.calls.target import target_named
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError
from ttc.frontend.export import frozen
from ttc.ir.state import state_name
from ttc.pipeline import Options, dtype_named
from ttc.sources.torch_source import ModuleSource

OPTIONS = {"target", "dtype"}


def ttc_backend(
    module: GraphModule,
    example_inputs: Sequence[Any],
    *,
    mode: str | None = None,
    options: Mapping[str, Any] | None = None,
    dynamic: bool | None = None,
) -> DynamoGraph:
    """Return a callable in place of dynamo's graph; `options` are `target` and `dtype` of `ttc.compile`.

    InputError for other options. What cannot be compiled raises Refused when the graph is first called.
    """
    options = dict(options or {})
    if set(options) - OPTIONS:
        raise InputError(f"torch.compile's backend ttc knows the options dtype and target, not {_listed(options)}")
    return DynamoGraph(module, **options)


def _listed(options: Mapping[str, Any]) -> str:
    return ", ".join(sorted(set(options) - OPTIONS))


class DynamoGraph:
    """A graph that dynamo took from a model, with the model's parameters and buffers among its inputs.

    Threads take turns.
    """

    def __init__(self, module: GraphModule, target: str = "n150", dtype: Any = "bf16"):
        nodes = [node for node in module.graph.nodes if node.op == "placeholder"]
        self._held = {index: node.name for index, node in enumerate(nodes) if _is_held(node)}
        self._numbers = {index for index, node in enumerate(nodes) if _is_number(node)}
        self._module = _with_numbers(module, self._numbers)
        self._options = Options(target_named(target), dtype_named(dtype))
        self._compiled: Compiled | None = None
        self._weights: dict[int, Tensor] = {}
        self._turn = RLock()

    def __call__(self, *args: Any) -> Any:
        """Run with torch tensors; a call under autograd is told that its results have no gradients."""
        if torch.is_grad_enabled() and any(isinstance(arg, Tensor) and arg.requires_grad for arg in args):
            raise InputError("ttc compiles for inference only: call the model under torch.no_grad()")
        given = [arg.item() if index in self._numbers else arg for index, arg in enumerate(args)]
        with self._turn:
            if self._compiled is None or any(not same(args[index], own) for index, own in self._weights.items()):
                self._compiled = self._compile(given)
            return self._compiled(*(arg for index, arg in enumerate(given) if index not in self._held))

    def _compile(self, args: Sequence[Any]) -> Compiled:
        """Compile the graph with its weights as they are now, in memory of their own, but for those that it changes."""
        source = self._source(args)
        given = tuple(arg for index, arg in enumerate(args) if index not in self._held)
        changed = {state_name(name) for name in source.for_call(given, {})[0].states}
        if changed:
            self._held = {index: name for index, name in self._held.items() if name not in changed}
            source = self._source(args)
        return Compiled(source, self._options)

    def _source(self, args: Sequence[Any]) -> ModuleSource:
        order = [self._held.get(index) for index in range(len(args))]
        held = frozen(_Held(self._module, {name: args[index] for index, name in self._held.items()}, order))
        self._weights = {index: getattr(held, name) for index, name in self._held.items()}
        return ModuleSource(held, None, {}, {})


def same(x: Tensor, y: Tensor) -> bool:
    """Return whether two tensors hold the same bits: NaN is NaN, and 0.0 is not -0.0."""
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    return torch.equal(_bits(x.detach()), _bits(y.detach()))


def _bits(x: Tensor) -> Tensor:
    x = torch.view_as_real(x) if x.is_complex() else x
    return x.view(_INTEGERS[x.element_size()]) if x.is_floating_point() else x


_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _is_held(node: Node) -> bool:
    """Return whether an input is a parameter or buffer of the model, which dynamo marks."""
    return "_dynamo_static_input_type" in (node.meta.get("tensor_dict") or {})


def _is_number(node: Node) -> bool:
    """Return whether an input is a Python number: with dynamic sizes, dynamo gives floats as tensors read at once."""
    return bool(node.users) and all(user.op == "call_method" and user.target == "item" for user in node.users)


def _with_numbers(module: GraphModule, numbers: set[int]) -> GraphModule:
    """Return the graph with numbers where the graph reads them out of these inputs."""
    graph = torch.fx.Graph()
    output = graph.graph_copy(module.graph, values := {})
    graph.output(output)
    for index, node in enumerate([node for node in module.graph.nodes if node.op == "placeholder"]):
        for user in node.users if index in numbers else ():
            values[user].replace_all_uses_with(values[node])
            graph.erase_node(values[user])
    return GraphModule(module, graph)


class _Held(nn.Module):
    """A graph with some of its inputs, by name, held as weights; `order` has None for each that is not."""

    def __init__(self, module: GraphModule, held: Mapping[str, Tensor], order: Sequence[str | None]):
        super().__init__()
        self.module, self.order = module, order
        for name, tensor in held.items():
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor)
        self.eval()

    def forward(self, *args: Any) -> Any:
        given = iter(args)
        return self.module(*(next(given) if name is None else getattr(self, name) for name in self.order))
