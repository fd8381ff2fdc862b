"""The families of device programs, each with its formula; `price_work` predicts one program's time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ttc.analysis.cost import attention, elementwise, movement, reduction, window
from ttc.analysis.cost.amounts import Amounts
from ttc.analysis.cost.constants import CONSTANTS
from ttc.analysis.cost.estimate import Estimate
from ttc.analysis.cost.product import product
from ttc.analysis.cost.work import Card, Work

AMOUNTS: Mapping[str, Callable[[Work, Card], Amounts]] = {
    "accumulation": elementwise.accumulation,
    "attention": attention.attention,
    "binary": elementwise.binary,
    "concat": movement.concat,
    "convolution": window.convolution,
    "embedding": movement.embedding,
    "group_norm": reduction.group_norm,
    "halo": window.halo,
    "heads": movement.heads,
    "move": movement.move,
    "norm": reduction.norm,
    "one_token": movement.one_token,
    "permute": movement.permute,
    "pool": window.pool,
    "reduction": reduction.reduction,
    "reshape": movement.reshape,
    "reshard": movement.reshard,
    "rotary": reduction.rotary,
    "slice": movement.sliced,
    "softmax": reduction.softmax,
    "tilize": movement.tilize,
    "transpose": movement.transpose,
    "typecast": elementwise.typecast,
    "unary": elementwise.unary,
    "untilize": movement.untilize,
}
"""Families whose time is a sum of amounts; products have a formula of their own."""

DRAM = "dram"
"""The amount that is no core's: the seconds that all bytes take at DRAM's peak rate."""

RESOURCES = {
    "start": "start",
    "fill": "start",
    **dict.fromkeys(("engine", "engine_in_turns"), "matrix engine"),
    **dict.fromkeys(
        (
            "wait", "wait_dram", "far_kilobyte", "block_kilobyte", "kilobyte_in", "kilobyte_out",
            "kilobyte_ahead", "foreign", "row", "row_in", "row_out", "row_alone", "row_untiled", "part", "piece",
            "weight_kilobyte", "key", "first_block", "line",
        ),
        "NoC",
    ),
    **dict.fromkeys(("kilobyte", "kilobyte_within", "copied_kilobyte", "element"), "L1"),
}  # fmt: skip
"""Resource that an amount takes; the others take the vector unit and the units beside it that pack and unpack."""


SHARED = frozenset({"fill", "wait", "wait_dram", "far_kilobyte", "row_alone"})
"""Amounts that take as long in all families: a tile or a row that a core waits for, and bytes of other banks."""


def constant(family: str, amount: str) -> str:
    """Return the name of the constant of a family's amount."""
    return f"stream.{amount}" if amount in SHARED else f"{family}.{amount}"


def price_work(work: Work, card: Card, constants: Mapping[str, Mapping[str, float]] = CONSTANTS) -> Estimate:
    """Predict the time of one device program on a card."""
    known = constants[card.arch]
    if work.family == "product":
        return product(work, card, known)
    parts: dict[str, float] = {}
    amounts = AMOUNTS[work.family](work, card)
    bytes_moved = amounts.pop(DRAM, 0.0)
    for name, amount in amounts.items():
        resource = RESOURCES.get(name, "vector unit")
        parts[resource] = parts.get(resource, 0.0) + amount * known[constant(work.family, name)] / card.clock_hz
    start = parts.pop("start", 0.0)
    return Estimate({"start": start}, {**_sum(parts), "DRAM": bytes_moved * known["dram.share"]})


def _sum(parts: Mapping[str, float]) -> dict[str, float]:
    """Return what a core does one after the other, under the name of the longest part."""
    return {max(parts, key=lambda name: parts[name]): sum(parts.values())} if parts else {}
