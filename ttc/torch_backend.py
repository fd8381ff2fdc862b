"""The backend "ttc" of torch.compile.

    compiled = torch.compile(model.eval(), backend="ttc", options={"target": "p150", "dtype": "bf16"})
    with torch.no_grad():
        y = compiled(x)

Each graph that dynamo takes from the model is compiled when it is first called, for the sizes of that call.
Parameters and buffers are weights of the program; if one is changed the program is compiled anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

import ttc
from ttc.compiled import Compiled
from ttc.errors import InputError

OPTIONS = {"target", "dtype"}


def ttc_backend(
    module: GraphModule,
    example_inputs: Sequence[Any],
    *,
    mode: str | None = None,
    options: Mapping[str, Any] | None = None,
    dynamic: bool | None = None,
) -> DynamoGraph:
    """A callable in place of dynamo's graph; `options` are `target` and `dtype` of `ttc.compile`.

    InputError for other options. What cannot be compiled raises Refused when the graph is first called.
    """
    options = dict(options or {})
    if set(options) - OPTIONS:
        raise InputError(f"torch.compile's backend ttc knows the options dtype and target, not {_listed(options)}")
    return DynamoGraph(module, options)


def _listed(options: Mapping[str, Any]) -> str:
    return ", ".join(sorted(set(options) - OPTIONS))


class DynamoGraph:
    """A graph that dynamo took from a model, with the model's parameters and buffers among its inputs."""

    def __init__(self, module: GraphModule, options: Mapping[str, Any]):
        nodes = [node for node in module.graph.nodes if node.op == "placeholder"]
        self._module, self._options = module, options
        self._held = {index: node.name for index, node in enumerate(nodes) if _is_held(node)}
        self._compiled: Compiled | None = None
        self._weights: list[tuple[int, int]] = []

    def __call__(self, *args: Any) -> Any:
        """Run with torch tensors; results have no gradients, which a call under autograd is told."""
        if torch.is_grad_enabled() and any(isinstance(arg, Tensor) and arg.requires_grad for arg in args):
            raise InputError("ttc compiles for inference only: call the model under torch.no_grad()")
        weights = [(id(args[index]), args[index]._version) for index in self._held]
        if self._compiled is None or weights != self._weights:
            held = {name: args[index] for index, name in self._held.items()}
            order = [self._held.get(index) for index in range(len(args))]
            self._compiled, self._weights = ttc.compile(_Held(self._module, held, order), **self._options), weights
        return self._compiled(*(arg for index, arg in enumerate(args) if index not in self._held))


def _is_held(node: Node) -> bool:
    """Whether an input is a parameter or buffer of the model, which dynamo marks."""
    return "_dynamo_static_input_type" in (node.meta.get("tensor_dict") or {})


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

    def forward(self, *args: Any) -> Any:
        given = iter(args)
        return self.module(*(next(given) if name is None else getattr(self, name) for name in self.order))
