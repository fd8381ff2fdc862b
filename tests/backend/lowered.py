"""Ops as text in, calls as text out."""

from __future__ import annotations

import textwrap

from ttc.backend import lower
from ttc.calls.target import TARGETS
from ttc.ir import DType, parse_graph, verify


def lowered(body: str, dtype: DType = DType.bf16) -> str:
    """The calls that these lines of ops become on n150, without inputs, constants and the frame."""
    graph = verify(parse_graph("graph {\n" + textwrap.dedent(body).strip() + "\n}\n"))
    program = verify(lower(graph, TARGETS["n150"], dtype, dtype)[0])
    lines = [line.strip() for line in str(program).splitlines()]
    return "\n".join(line for line in lines if " = ttnn." in line)


def calls(text: str) -> str:
    """Lines to compare with `lowered`."""
    return textwrap.dedent(text).strip()
