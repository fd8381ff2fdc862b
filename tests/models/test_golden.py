"""Golden programs: the final text of small models. A refactor shows no difference here; `make golden` rewrites them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import ttc
from ttc import models
from ttc.compiled.compiled import Compiled
from ttc.models import light

FOLDER = Path(__file__).parent / "golden"


def compiled(name: str) -> Compiled:
    if name.startswith("light_"):
        return ttc.compile(light.seeded(name.removeprefix("light_")))
    module, inputs = models.named(name).build("tiny")
    return ttc.compile(module, kwargs=inputs)


@pytest.mark.parametrize("name", ["bert", "clip_text", "light_squeezenet", "vit"])
def test_program_text_is_the_golden_one(name: str):
    text = str(compiled(name).build.program.graph)
    path = FOLDER / f"{name}.ttir"
    if os.environ.get("TTC_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), "the program changed: if on purpose, `make golden`, and read the diff"
