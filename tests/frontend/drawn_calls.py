"""Draws calls of aten ops from their schemas: operands of random kinds, shapes and options that eager torch takes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from ttc.frontend.export.reader import MEANINGLESS

SHAPES = ((4, 4), (4, 4), (3, 4), (2, 3, 4), (4, 4, 4), (5,), (), (1, 4, 6, 6), (2, 4, 5, 5), (1, 2, 4, 4, 4), (4, 1),
          (1, 4), (0, 4), (6,))  # fmt: skip
"""Shapes of operands; most operands of a call share one, squares among them, so that mixed up dimensions still fit."""

WORDS = ("mean", "sum", "none", "floor", "trunc", "amax", "amin", "prod", "add", "multiply", "reflect", "constant",
         "replicate", "circular", "tanh", "fro", "right", "left", "ij", "xy")  # fmt: skip
"""Texts that some op takes as an option."""

NUMBERS = {
    "int": (0, 1, 2, 3, 4, -1, -2, 5),
    "float": (0.5, 1.5, 2.0, -1.0, 0.0, 1e-5, 3.0, 0.9),
    "number": (0, 1, 2, -1, 3, 0.5, 1.5, -0.7),
}
DTYPES = (torch.float32, torch.int64, torch.int32, torch.bool)
ATTEMPTS = 600
"""How many calls are drawn at most for one that torch takes."""


class Call(torch.nn.Module):
    """An op with operands, as a module of the tensors among them."""

    def __init__(self, op: torch._ops.OpOverload, leaves: list[Any], structure: Any):
        super().__init__()
        self.op, self.leaves, self.structure = op, leaves, structure

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        return tuple(leaf for leaf in self.leaves if isinstance(leaf, torch.Tensor))

    def forward(self, *tensors: torch.Tensor) -> Any:
        left = iter(tensors)
        leaves = [next(left) if isinstance(leaf, torch.Tensor) else leaf for leaf in self.leaves]
        args, keywords = tree_unflatten(leaves, self.structure)
        return self.op(*args, **keywords)


def calls(op: torch._ops.OpOverload, seed: int) -> Iterator[Call]:
    """Draw calls that eager torch takes, and that give tensors of real numbers of at most 32 bits or i64."""
    random = Random(f"{op}{seed}")
    torch.manual_seed(seed)
    for _ in range(ATTEMPTS):
        leaves, structure = tree_flatten(_Draw(random).operands(op))
        call = Call(op, leaves, structure)
        if call.tensors and _is_taken(call):
            yield call


def _is_taken(call: Call) -> bool:
    try:
        results = tree_flatten(call(*(tensor.clone() for tensor in call.tensors)))[0]
    except Exception:  # whatever torch says of operands that do not fit
        return False
    return all(isinstance(y, torch.Tensor) and not y.is_complex() and y.dtype != torch.float64 for y in results)


class _Draw:
    """The operands of one call: one kind and mostly one shape for all its tensors."""

    def __init__(self, random: Random):
        self.random = random
        self.shape = random.choice(SHAPES)
        self.kind = random.choice(("float", "float", "float", "float", "int", "bool"))

    def operands(self, op: torch._ops.OpOverload) -> tuple[list, dict[str, Any]]:
        """Draw values for the arguments; those with defaults are left out from some place on, or not."""
        args: list[Any] = []
        keywords: dict[str, Any] = {}
        given = True
        for argument in op._schema.arguments:
            given = given and (not argument.has_default_value() or self.random.random() < 0.8)
            if argument.kwarg_only and self.random.random() < 0.5:
                keywords[argument.name] = self.value(str(argument.type), argument.name)
            elif not argument.kwarg_only and given:
                args.append(self.value(str(argument.type), argument.name))
        return args, {name: value for name, value in keywords.items() if value is not None}

    def value(self, kind: str, name: str) -> Any:
        random = self.random
        if name in MEANINGLESS or name in ("copy", "non_blocking"):
            return None if kind.startswith("Optional[") else False
        if kind.startswith("Optional["):
            return None if random.random() < 0.4 else self.value(kind[len("Optional[") : -1], name)
        if kind.startswith("List[") and "Tensor" in kind:
            return [self.tensor(name) for _ in range(random.randint(1, 3))]
        if kind == "Tensor":
            return self.tensor(name)
        if "dtype" in name:
            return random.choice(DTYPES)
        if kind in ("List[int]", "List[SymInt]"):
            return self.sizes(name)
        if kind == "List[float]":
            return [random.choice((1.5, 2.0, 0.7)) for _ in range(max(len(self.shape) - 2, 1))]
        if kind == "bool":
            return random.random() < 0.5
        if kind == "str":
            return random.choice(WORDS)
        if kind in ("int", "SymInt") and "dim" in name:
            return random.randint(-3, 3)
        numbers = NUMBERS.get({"SymInt": "int", "Scalar": "number"}.get(kind, kind))
        return random.choice(numbers) if numbers else None

    def sizes(self, name: str) -> list[int]:
        if "dim" in name:
            return self.random.sample(range(-3, 3), self.random.randint(0, 3))
        count = self.random.choice((len(self.shape), max(len(self.shape) - 2, 1), 1, 2, 3))
        if "size" in name and self.random.random() < 0.4:
            return list(self.shape)[-count:]
        choices = (0, 1, 2, -1) if "pad" in name else (1, 2, 3, 1, 2, 3, 4, 0)
        return [self.random.choice(choices) for _ in range(count * self.random.choice((1, 1, 2)))]

    def tensor(self, name: str) -> torch.Tensor:
        """Draw a tensor; whole numbers differ from each other, as torch orders equal ones as it likes."""
        shape = self.shape if self.random.random() < 0.6 else self.random.choice(SHAPES)
        if shape and self.random.random() < 0.15:
            shape = shape[-1:]
        if name in ("index", "indices"):
            return torch.randint(0, 4, shape)
        if name in ("mask", "condition") or self.kind == "bool":
            return torch.rand(shape) > 0.5
        if self.kind == "int":
            numel = torch.Size(shape).numel()
            return (torch.randperm(numel) - numel // 3).reshape(shape)
        return torch.randn(shape)
