"""Smaller torch programs that fail alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from tests.differential.draw import Argument
from tests.differential.torch_program import Program


def shrunk(program: Program, fails: Callable[[Program], bool]) -> Program:
    """The program with as few outputs and lines as still fail: one change after another, as long as one helps."""
    while True:
        smaller = next((p for p in _smaller(program) if fails(p)), None)
        if smaller is None:
            return program
        program = smaller


def _smaller(program: Program) -> Iterator[Program]:
    """With one output; with a line less at the end; with a line's value given as an input."""
    if len(program.outputs) > 1:
        for name in program.outputs:
            yield replace(program, outputs=(name,)).used()
    types = _types(program)
    for line in program.lines[:-1] if len(program.outputs) == 1 else ():
        yield replace(program, outputs=(line.name,)).used()
    for number, line in reversed(list(enumerate(program.lines))):
        if line.name in program.outputs or line.name not in types:
            continue
        dtype, shape = types[line.name]
        lines = program.lines[:number] + program.lines[number + 1 :]
        given = Argument(line.name, dtype, shape)
        yield replace(program, lines=lines, arguments=(*program.arguments, given)).used()


def _types(program: Program) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The dtype and shape of each line's value."""
    whole = replace(program, outputs=tuple(line.name for line in program.lines))
    with torch.no_grad():
        values = whole.module()(*whole.inputs())
    return {
        line.name: (str(value.dtype).removeprefix("torch."), tuple(value.shape))
        for line, value in zip(program.lines, values, strict=True)
    }
