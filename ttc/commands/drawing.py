"""Drawing of a program's graph in HTML and SVG: a box for each call, edges between boxes, a section for each module."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ttc.calls.layout import Deallocate
from ttc.errors import printable
from ttc.ir import Const, Graph, Node, Value, bodies

ROW = 28
"""Height of a box and the room below it, in pixels."""

LEFT, WIDTH, LETTER = 130, 1150, 7.3
"""Room for edges beside the boxes, width of a drawing, and width of a letter, in pixels."""

MOST_OPEN = 60
"""Most boxes of a program whose sections are all open at first."""

SECTION = re.compile(r"[^./]+(?:[./][^./]+)*?[./]\d+(?=[./]|$)|[^./]+")
"""The path of a module up to the first number, `encoder.layers.0`, or else the first name in it."""

STYLE = """
details { margin: .3rem 0 .3rem 1rem; } summary { cursor: pointer; } svg { font: 12px ui-monospace, monospace; }
svg rect { fill: #f6f7f9; stroke: #b8c0cc; } svg g:hover rect, svg g:target rect { fill: #ffe9a8; }
svg path { fill: none; stroke: #7a8699; } svg a { fill: #0b57a4; }
"""


@dataclass(frozen=True)
class Section:
    """Neighbouring nodes of one module, and the title over them."""

    title: str
    nodes: Sequence[Node]


def drawing(graph: Graph) -> str:
    """Draw a graph; sections can be closed, and of a large program are at first. Names are text, never markup."""
    found = list(_sections(graph))
    opened = " open" if sum(len(section.nodes) for section in found) <= MOST_OPEN else ""
    outputs: dict[Value, list[str]] = {}
    for name, value in graph.outputs:
        outputs.setdefault(value, []).append(name)
    return "".join(_details(section, outputs, opened) for section in found)


def escaped(text: str) -> str:
    """Return a stranger's text in one line, as text of HTML."""
    return html.escape(" ".join(printable(text).split()))


def _sections(graph: Graph) -> Iterator[Section]:
    """Yield the nodes in order, cut where the module changes; what has no location belongs to what is before."""
    title, nodes = "", []
    for node in graph.nodes:
        if isinstance(node.op, (Const, Deallocate)):
            continue
        own = _module(node.results[0].location) or title
        if title and own != title:
            yield Section(title, nodes)
            nodes = []
        title = own
        nodes.append(node)
    if nodes:
        yield Section(title or "the program", nodes)


def _module(location: str) -> str:
    """Return the section that a location belongs to: part of a module's path or of an ONNX node's name."""
    path, _, line = location.rpartition(" at ")
    found = SECTION.search(path or ("" if re.search(r":\d+$", line) else line))
    return found[0] if found else ("the model itself" if location else "")


def _details(section: Section, outputs: dict[Value, list[str]], opened: str) -> str:
    boxes = {node.results[0]: row for row, node in enumerate(section.nodes)}
    rows = {value: row for row, node in enumerate(section.nodes) for value in node.results}
    drawn = "".join(_box(node, row, rows, outputs) for node, row in zip(section.nodes, boxes.values(), strict=True))
    height, count = ROW * len(section.nodes) + 4, len(section.nodes)
    inside = "".join(_steps(node) for node in section.nodes)
    return (
        f"<details{opened}><summary>{escaped(section.title)} ({count} call{'s' if count > 1 else ''})</summary>"
        f'<svg width="{WIDTH}" height="{height}">{drawn}</svg>{inside}</details>'
    )


def _steps(node: Node) -> str:
    """Draw the bodies of a loop, in sections of their own."""
    name = escaped(node.results[0].name)
    drawn = "".join(drawing(body) for body in bodies(node.op))
    return f"<details><summary>a step of %{name}</summary>{drawn}</details>" if drawn else ""


def _box(node: Node, row: int, rows: dict[Value, int], outputs: dict[Value, list[str]]) -> str:
    """Draw a node: a box with its results, edges from operands of the section, names of the other operands."""
    names = ", ".join(f"%{value.name}" for value in node.results)
    ends = [name for value in node.results for name in outputs.get(value, [])]
    text = f"{names} = {node.op.mnemonic}: {node.results[0].type}" + "".join(f", the output {name!r}" for name in ends)
    width = min(len(printable(text)) * LETTER + 16, WIDTH - LEFT - 8)
    operands = list(dict.fromkeys(node.op.operands()))
    edges = "".join(_edge(rows[operand], row) for operand in operands if operand in rows)
    others = " ".join(f"%{operand.name}" for operand in operands if operand not in rows)
    y = ROW * row + 4
    return (
        f"{edges}<g><title>{escaped(node.results[0].location or names)}</title>"
        f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{ROW - 8}" rx="4"/>'
        f'<text x="{LEFT + 8}" y="{y + 14}">{_link(node.results[0].name, text)}</text>'
        f'<text x="{LEFT + width + 8:.0f}" y="{y + 14}">{escaped(f"from {others}" if others else "")}</text></g>'
    )


def _link(name: str, text: str) -> str:
    """Link a box to the line of the program's text below that defines the name."""
    return f'<a href="#{escaped(name)}">{escaped(text)}</a>'


def _edge(first: int, last: int) -> str:
    """Draw an edge between two rows: down to the next one, else in an arc beside the rows between."""
    start, end = ROW * first + ROW - 4, ROW * last + 4
    if last == first + 1:
        return f'<path d="M{LEFT + 20} {start}V{end}"/>'
    bend = max(4, LEFT - 12 * (last - first) - 12)
    return f'<path d="M{LEFT} {start - 10}C{bend} {start - 10} {bend} {end + 10} {LEFT} {end + 10}"/>'
