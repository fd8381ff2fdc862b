"""Random torch programs: how they are drawn, written down, made smaller and run."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tests.differential import torch_elementwise, torch_layers, torch_movement  # noqa: F401  (recipes)
from tests.differential.draw import Argument, Draw, Var
from tests.differential.torch_recipes import RECIPES

WORD = re.compile(r"\b[xvm]\d+\b")
"""An input, a line's value or a layer, in a line."""

LIMIT = 8192
"""Elements of a value."""

LOW_FLOATS = ("torch.float32", "torch.float16", "torch.bfloat16")


@dataclass(frozen=True)
class Line:
    """`name = text`, by a recipe."""

    name: str
    text: str
    recipe: str


@dataclass(frozen=True)
class Program:
    """A module as source: inputs, layers by name, lines, and the names that it returns.

    `length` is the size that may vary, in all inputs that have it.
    """

    arguments: tuple[Argument, ...]
    layers: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    outputs: tuple[str, ...]
    seed: int
    length: int | None = None

    def used(self) -> Program:
        """The program without lines, layers and inputs that reach no output."""
        wanted, lines = set(self.outputs), []
        for line in reversed(self.lines):
            if line.name in wanted:
                lines.insert(0, line)
                wanted |= set(WORD.findall(line.text))
        arguments = tuple(a for a in self.arguments if a.name in wanted)
        return replace(
            self,
            arguments=arguments,
            layers=tuple(item for item in self.layers if item[0] in wanted),
            lines=tuple(lines),
        )

    def source(self, double: bool = False) -> str:
        """The module's Python; in float64 throughout if `double`."""
        layers = [f"        self.{name} = {constructor}" for name, constructor in self.layers]
        lines = [f"        {line.name} = {line.text}" for line in self.lines]
        names = "".join(f", {argument.name}" for argument in self.arguments)
        text = "\n".join(
            [
                "class Program(nn.Module):",
                "    def __init__(self):",
                "        super().__init__()",
                *layers,
                f"    def forward(self{names}):",
                *lines,
                f"        return ({', '.join(self.outputs)},)",
            ]
        )
        if double:
            for dtype in LOW_FLOATS:
                text = text.replace(dtype, "torch.float64")
        return text

    def module(self, double: bool = False) -> nn.Module:
        """The module in eval mode, its parameters drawn from the seed."""
        torch.manual_seed(self.seed)
        module = made(self.source())
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        for buffer_name, buffer in module.named_buffers():
            if "running" in buffer_name:
                buffer.copy_(torch.rand_like(buffer) + 0.25)
        if not double:
            return module
        wide = made(self.source(double=True))
        for parameter in wide.parameters():
            parameter.requires_grad_(False)
        wide = wide.double()
        wide.load_state_dict(module.double().state_dict())
        return wide

    def inputs(self, length: int | None = None) -> list[torch.Tensor]:
        """The inputs' numbers, at another length if one is given."""
        return [tensor_of(resized(argument, self.length, length)) for argument in self.arguments]

    def __str__(self) -> str:
        arguments = ", ".join(f"({a.name!r}, {a.dtype!r}, {a.shape}, {a.numbers!r}, {a.seed})" for a in self.arguments)
        return f"# inputs: {arguments}; parameters: torch.manual_seed({self.seed})\n{self.source()}"


def resized(argument: Argument, old: int | None, new: int | None) -> Argument:
    """An input whose dimensions of one length have another."""
    if old is None or new is None:
        return argument
    numbers = str(new) if argument.numbers == str(old) else argument.numbers
    return replace(argument, shape=tuple(new if size == old else size for size in argument.shape), numbers=numbers)


def tensor_of(argument: Argument) -> torch.Tensor:
    return torch.as_tensor(argument.array).to(getattr(torch, argument.dtype))


def written(x: torch.Tensor, write: Callable[[torch.Tensor], Any]) -> torch.Tensor:
    """A copy of x after `write` has changed it in place."""
    copy = x.clone()
    write(copy)
    return copy


NAMES: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "written": written}


def made(source: str) -> nn.Module:
    names = dict(NAMES)
    exec(source, names)
    return names["Program"]().eval()


# ---------------------------------------------------------------- drawing

DTYPES = (
    ("float32",),
    ("float32",),
    ("float32", "int64", "bool"),
    ("float32", "int64", "int32", "bool"),
    ("float32", "float64", "float16", "bfloat16", "int64", "bool"),
    ("float16", "float32"),
    ("bfloat16", "float32"),
    ("float64", "int32", "float32"),
)
"""What the inputs of a program may be; most programs have one kind."""


def draw_program(seed: int, length: int | None = None, most: int = 12, recipes: Mapping | None = None) -> Program:
    """A program of 1 to `most` lines, each taken by torch at the sizes drawn (and at another `length`)."""
    source = Draw(seed, ())
    draw = Draw(seed, source.pick(*DTYPES), length)
    table = dict(recipes or RECIPES)
    wanted, lines = draw.integer(1, most), []
    sizes = [length] if length is None else [length, 2 * length + 3, length + 1]
    torch.manual_seed(seed)
    values: list[dict[str, torch.Tensor]] = [{} for _ in sizes]
    for _ in range(wanted * 8):
        if len(lines) == wanted:
            break
        line = _next_line(draw, table, values, sizes)
        lines += [line] if line else []
    names = [line.name for line in lines]
    if not names:
        return draw_program(seed + 10**9, length, most, recipes)
    read = {word for line in lines for word in WORD.findall(line.text)}
    chosen = tuple(name for name in names if name not in read or draw.chance(0.1))
    return Program(tuple(draw.arguments), tuple(draw.layers.items()), tuple(lines), chosen, seed, length).used()


def _next_line(draw: Draw, table: Mapping, values: list[dict[str, torch.Tensor]], sizes: list) -> Line | None:
    """One more line, or None where torch does not take what was drawn; the draw is then as it was."""
    state = len(draw.vars), len(draw.arguments), dict(draw.layers)
    name = draw.random.choice(list(table))
    try:
        text = table[name](draw)
        results = [_evaluated(draw, text, known, size) for known, size in zip(values, sizes, strict=True)]
    except Exception:  # whatever torch says of operands that do not fit
        _forget(draw, values, state)
        return None
    found = results[0]
    if not isinstance(found, torch.Tensor) or not _usable(found):
        if isinstance(found, (tuple, list)) and found and isinstance(found[0], torch.Tensor) and _usable(found[0]):
            text, results = f"({text})[0]", [result[0] for result in results]
        else:
            _forget(draw, values, state)
            return None
    line = Line(draw.fresh("v"), text, name)
    for known, result in zip(values, results, strict=True):
        known[line.name] = result
    draw.vars.append(Var(line.name, str(results[0].dtype).removeprefix("torch."), tuple(results[0].shape)))
    return line


def _forget(draw: Draw, values: list[dict[str, torch.Tensor]], state: tuple) -> None:
    variables, arguments, layers = state
    del draw.vars[variables:]
    del draw.arguments[arguments:]
    draw.layers.clear()
    draw.layers.update(layers)


def _usable(x: torch.Tensor) -> bool:
    named = str(x.dtype).removeprefix("torch.") in (
        "float32",
        "float64",
        "float16",
        "bfloat16",
        "int64",
        "int32",
        "bool",
    )
    return named and 0 < x.numel() <= LIMIT and x.ndim <= 6


def _evaluated(draw: Draw, text: str, known: dict[str, torch.Tensor], size: int | None) -> Any:
    """What a line gives, of the values so far."""
    module = nn.Module()
    for name, constructor in draw.layers.items():
        if name in text:
            setattr(module, name, eval(constructor, dict(NAMES)))
    for argument in draw.arguments:
        if argument.name not in known and argument.name in text:
            known[argument.name] = tensor_of(resized(argument, draw.length, size))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(text, {**NAMES, **known, "self": module.eval()})
