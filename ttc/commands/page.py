"""One self-contained HTML page of a program: numbers, calls by kind, graph, and text with links between values."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ttc.commands.drawing import STYLE as DRAWING
from ttc.commands.drawing import drawing
from ttc.errors import printable
from ttc.guard.files import write_bytes
from ttc.ir.text import print_node
from ttc.runtime.run.program import Program

if TYPE_CHECKING:
    from ttc.analysis.report import Report

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #222; }
pre { font: 13px/1.55 ui-monospace, monospace; overflow-x: auto; background: #f6f7f9; padding: 1rem; }
pre a { color: #0b57a4; text-decoration: none; } pre a:hover { text-decoration: underline; }
pre span:target { background: #ffe9a8; } table { border-collapse: collapse; } td { padding: .1rem 1rem .1rem 0; }
td:last-child { text-align: right; font-variant-numeric: tabular-nums; }
"""


def write_page(path: Path, title: str, program: Program, report: Report) -> None:
    """Write the page whole or not at all; InputError if it cannot be written. Names are text, never markup."""
    rows = "".join(f"<tr><td>{_escaped(name)}</td><td>{_escaped(text)}</td></tr>" for name, text in _facts(report))
    lines = "\n".join(_line(print_node(node)) for node in program.graph.nodes)
    page = (
        f"<!doctype html><meta charset=utf-8><title>{_escaped(title)}</title><style>{STYLE}{DRAWING}</style>"
        f"<h1>{_escaped(title)}</h1><p>{_escaped(program.target)}, {_escaped(program.dtype)}</p><table>{rows}</table>"
        f"<h2>Graph</h2>{drawing(program.graph)}"
        f"<h2>Program</h2><pre>{lines}</pre>"
    )
    write_bytes(path, page.encode())


def _escaped(text: str) -> str:
    return html.escape(printable(text))


def _facts(report: Report) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _text(value)) for name, value in report.to_dict().items()]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}" if isinstance(value, float) else str(value)


def _line(text: str) -> str:
    """Link a program line: the names that it defines are anchors, those that it reads are links."""
    left, equals, right = _escaped(text).rpartition(" = ")
    defined = re.sub(r"%([\w.]+)", r'<span id="\1">%\1</span>', left)
    return f"{defined}{equals}" + re.sub(r"%([\w.]+)", r'<a href="#\1">%\1</a>', right)
