"""How long `ttc check` takes on whole models, beside compiling them."""

from __future__ import annotations

from collections.abc import Iterator

import ttc
from bench.timing import Row, compare
from ttc.models import light, minilm
from ttc.runtime.check import check


def rows() -> Iterator[Row]:
    module, inputs = minilm.MODEL.build()
    for name, compiled in (
        ("MiniLM", ttc.compile(module, kwargs=inputs)),
        ("light_resnet50", ttc.compile(light.seeded("resnet50"))),
    ):
        program = compiled.build.program
        yield compare(
            f"check {name} on mock n150, both modes", {"ttc check": lambda program=program: check(program)}, 3
        )
