"""Safety lints: what the real library takes, and a card gets wrong.

A lint is a function from a call to the fault in it, "" if there is none; each names the issue of tt-metal that reports
the fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ttc.calls.conv import Conv2d, Convolution
from ttc.calls.conv_transpose import ConvTranspose2d
from ttc.calls.slicing import SliceType
from ttc.ir import Graph, Op
from ttc.ir.loop import bodies
from ttc.ir.text import print_node

Lint = Callable[[Op], str]


def stated_slices(call: Op) -> str:
    """Find a convolution that leaves its slices to TTNN, which cuts lines of any width along the height (42667)."""
    if isinstance(call, Convolution) and call.slices is None:
        return f"{call.mnemonic} does not state its slices"
    return ""


def slices_of_whole_tiles(call: Op) -> str:
    """Find slices along the height of lines that are no whole tiles: their result is noise (42667)."""
    if not isinstance(call, (Conv2d, ConvTranspose2d)) or call.slices is None or call.lines_are_tiles:
        return ""
    if call.slices.slice_type is not SliceType.DRAMSliceHeight:
        return ""
    return (
        f"{call.mnemonic} is cut along the height, from lines of {call.input_width} to lines of "
        f"{call.window.output[1]} pixels, which are no whole tiles of 32"
    )


LINTS: tuple[Lint, ...] = (stated_slices, slices_of_whole_tiles)


def lint(graph: Graph) -> Iterator[str]:
    """Yield the faults in a program's calls, those of loops included, each with its line of program text."""
    for node in graph.nodes:
        for body in bodies(node.op):
            yield from lint(body)
        line = print_node(node).partition("\n")[0]
        yield from (f"{fault} (in: {line})" for rule in LINTS if (fault := rule(node.op)))
