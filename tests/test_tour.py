"""docs/tour.md: its texts are what the compiler gives, and it passes no stage over.

`TTC_WRITE_GOLDEN=1 python -m pytest tests/test_tour.py` writes them anew.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import torch

import ttc
from examples import tour
from ttc.compiled.compiled import Compiled

PAGE = Path(__file__).parents[1] / "docs/tour.md"
BLOCK = re.compile(r"<!-- (?P<name>[^>]+) -->\n```(?P<language>\w*)\n(?P<text>.*?)```\n", re.DOTALL)
WHOLE = ("import", "lower")
"""Stages that are shown whole; of the others what they change is shown."""


@cache
def compiled() -> Compiled:
    return tour.compiled()


def changes(before: str, after: str) -> str:
    """The lines that go and come, in order."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return "".join(f"{line[0]} {line[2:].strip()}\n" for line in lines if line[0] in "+-")


def texts() -> dict[str, str]:
    """The blocks of the page by name."""
    program, found, before = compiled(), {"model": inspect.getsource(tour.Tour)}, ""
    for stage in program.stages:
        after = program.dump(stage)
        found[f"stage: {stage}"] = f"{after.strip()}\n" if stage in WHOLE else changes(before, after)
        before = after
    source = program.source
    found["source"] = source[source.index("def compute(") :].split("\n\n\n")[0].rstrip() + "\n"
    return found


def test_the_page_shows_what_the_compiler_gives():
    found = texts()
    page = PAGE.read_text()
    renewed = BLOCK.sub(lambda m: f"<!-- {m['name']} -->\n```{m['language']}\n{found[m['name']]}```\n", page)
    if os.environ.get("TTC_WRITE_GOLDEN"):
        PAGE.write_text(renewed)
    assert PAGE.read_text() == renewed
    assert [block["name"] for block in BLOCK.finditer(page)] == list(found)


def test_the_commands_of_the_page(tmp_path: Path):
    """The artifact that the example writes loads, and gives torch's numbers whatever the padding would hold."""
    tour.main(tmp_path)
    torch.manual_seed(0)
    module = tour.Tour().eval()
    x, lengths = torch.randn(2, 6, 8), torch.tensor([6, 3])
    inputs = {"x": x.numpy(), "lengths": lengths.numpy()}
    (found,) = ttc.load(tmp_path / "tour.ttc").run(inputs, device="emulator").values()
    with torch.no_grad():
        np.testing.assert_allclose(found, module(x, lengths).numpy(), atol=0.02)
