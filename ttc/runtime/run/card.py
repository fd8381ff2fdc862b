"""An opened card against the card that a program was compiled for."""

from __future__ import annotations

from ttc.calls.target import TARGETS, Target
from ttc.errors import InputError

REMEDIES = {
    # tt-metal issue 47014: two columns of cores went with that firmware
    (
        "blackhole",
        (13, 10),
    ): "the card's firmware is older than 19.5, which leaves 11 x 10: update it with tt-flash",
    # an n300 dispatches with Ethernet cores unless told otherwise
    ("wormhole_b0", (8, 7)): "a row of cores is kept for dispatch: leave dispatch to the Ethernet cores",
}
"""Advice about known cards that no program is compiled for, by architecture and grid."""

ADDING = "no target is like this card: `ttc target --device ttnn` prints its row, docs/adding-a-target.md adds it"


def require_like(card: Target, target: Target) -> None:
    """Require that programs for `target` are for `card`, the numbers of an opened one; InputError with what differs.

    A program's calls state cores, memory layouts and rates of one architecture: elsewhere they give wrong numbers,
    or fail half-way.
    """
    differing = [pair for pair in zip(facts(card), facts(target), strict=True) if pair[0] != pair[1]]
    if differing:
        found, wanted = (", ".join(words) for words in zip(*differing, strict=True))
        raise InputError(
            f"the card in this machine has {found}, but the program was compiled for {target.name}, "
            f"which has {wanted}; {_advice(card)}"
        )


def like(card: Target) -> Target:
    """Return the target that an opened card is; InputError with advice for a card that no program is compiled for."""
    found = [target for target in TARGETS.values() if facts(target) == facts(card)]
    if not found:
        raise InputError(f"no program is compiled for a card of {', '.join(facts(card))}; {_advice(card)}")
    return next((target for target in found if target.name == card.name), found[0])


def facts(card: Target) -> tuple[str, ...]:
    """List in words what must be the same: architecture, grid, DRAM banks, L1."""
    return (
        f"the architecture {card.arch}",
        f"{card.grid[0]} x {card.grid[1]} cores",
        f"{card.dram_banks} DRAM banks",
        f"{card.l1_bytes:,} B of L1 per core",
    )


def _advice(card: Target) -> str:
    """Name the target that the card is, or else what makes one of the card."""
    if any(facts(target) == facts(card) for target in TARGETS.values()):
        return f"compile the model for {like(card).name}"
    return REMEDIES.get((card.arch, card.grid), ADDING)
