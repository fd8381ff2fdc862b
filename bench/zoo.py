"""The models that ttc carries, at their tiny size: errors against torch, and the word of the real ttnn on each card.

    python -m bench.zoo [NAME ...] [--write]

`--write` renews docs/models.md. The exit status is 1 if a model is refused, misses its accuracy, or a card takes it
not as predicted.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils import _pytree as pytree

import ttc
from bench.page import main
from ttc import models
from ttc.calls.target import TARGETS
from ttc.compiled.compiled import Compiled
from ttc.errors import Refused
from ttc.models.model import Model
from ttc.runtime.check import check
from ttc.validation.accuracy import pcc, scaled_error

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
FP32_LIMIT = 1e-4
HEAD = """# Models

Each model at its tiny size, random weights, through torch.export and the whole compiler. Errors are against torch:
the largest scaled error, max|a - b| / max|b|, of any output in fp32 (in the emulator's numeric modes `exact` and
`tensix`), and the smallest correlation in bf16. Calls are those of the bf16 program; the cards' columns say
whether the real ttnn takes every call of both programs, with the results that were predicted. Written by
`python -m bench.zoo --write`.

| model | what it is | fp32 exact | fp32 tensix | bf16 PCC | calls | {cards} |
|---|---|---:|---:|---:|---:|{bars}|
"""


@dataclass
class Row:
    """What one model gave."""

    model: Model
    exact: float = 0.0
    tensix: float = 0.0
    pcc: float = 1.0
    calls: int = 0
    cards: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether it is as accurate as it must be, and taken by every card."""
        accurate = self.exact <= FP32_LIMIT and self.pcc >= self.model.pcc
        return accurate and all(word == "taken" for word in self.cards.values())

    def __str__(self) -> str:
        figures = f"{self.exact:.1e} | {self.tensix:.1e} | {self.pcc:.5f} | {self.calls}"
        return f"| {self.model.name} | {self.model.summary} | {figures} | {' | '.join(self.cards.values())} |"


def measured(name: str) -> Row:
    """Compile one model in both dtypes for all cards, run it on the emulator, and have it checked."""
    model = models.named(name)
    module, inputs = model.build(model.smallest)
    row = Row(model, cards=dict.fromkeys(TARGETS, "taken"))
    with torch.no_grad():
        wanted = [leaf.numpy() for leaf in pytree.tree_leaves(module(**inputs)) if isinstance(leaf, torch.Tensor)]
    compiled: Compiled | None = None
    for dtype in ("fp32", "bf16"):
        for target in TARGETS:
            try:
                if compiled is None:
                    compiled = ttc.compile(module, kwargs=inputs, dtype=dtype, target=target)
                compiled = compiled.variant(dtype=dtype, target=target)
            except Refused as refusal:
                row.cards[target] = str(refusal)
                continue
            report = check(compiled.build.program)
            if not report.ok:
                row.cards[target] = "; ".join(report.faults)
            if target == next(iter(TARGETS)):
                _compare(row, dtype, compiled, inputs, wanted)
    return row


def _compare(row: Row, dtype: str, compiled: Compiled, inputs: dict[str, Any], wanted: list) -> None:
    arrays = {name: value.numpy() for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    found = list(compiled.run(arrays, "emulator").values())
    if dtype == "bf16":
        row.pcc = min(map(pcc, found, wanted))
        row.calls = compiled.report.to_dict()["calls"]
        return
    row.exact = max(map(scaled_error, found, wanted))
    row.tensix = max(map(scaled_error, compiled.run(arrays, "emulator", "tensix").values(), wanted))


if __name__ == "__main__":
    sys.exit(main("bench.zoo", "ttc's models at their tiny size", PAGE, HEAD, models.NAMES, measured))
