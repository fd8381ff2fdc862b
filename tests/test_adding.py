"""The pages on adding an op, a pass and a target show lines of the code as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {"adding-an-op": 6, "adding-a-pass": 3, "adding-a-target": 2}
"""The pages, and the most files that what they show may take."""


def shown(page: str) -> dict[str, list[str]]:
    """The lines that a page's diff adds, by file."""
    (diff,) = re.findall(r"```diff\n(.*?)```", page, re.DOTALL)
    files: dict[str, list[str]] = {}
    for line in filter(None, diff.splitlines()):
        if line[0] not in "+-":
            lines = files.setdefault(line, [])
        elif line[0] == "+":
            lines.append(line[1:])
    return files


def missing(files: dict[str, list[str]]) -> list[str]:
    """The shown lines that do not stand in their files in this order."""
    found = []
    for name, lines in files.items():
        rest = [line.strip() for line in (ROOT / name).read_text().splitlines()]
        for line in lines:
            if line.strip() not in rest:
                found.append(f"{name}: {line}")
                continue
            del rest[: rest.index(line.strip()) + 1]
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_the_code(name: str):
    files = shown((ROOT / "docs" / f"{name}.md").read_text())
    assert all(files.values())
    assert missing(files) == []
    assert len(files) <= PAGES[name]
    assert sum(map(len, files.values())) <= 25


def test_other_lines_are_missed():
    page = "```diff\ntests/test_adding.py\n-gone\n+import re\n+import rex\n\ntests/__init__.py\n+x\n```\n"
    files = shown(page)
    assert files == {"tests/test_adding.py": ["import re", "import rex"], "tests/__init__.py": ["x"]}
    assert missing(files) == ["tests/test_adding.py: import rex", "tests/__init__.py: x"]
    assert missing({"tests/test_adding.py": ["import pytest", "import re"]}) == ["tests/test_adding.py: import re"]
