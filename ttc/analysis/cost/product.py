"""Matrix products: the matrix engine, the readers of DRAM, the multicast, and the writing of the result.

Sources: tt-metal's tech_reports/matrix_engine (a product of two tiles takes 16 cycles a pass) and
tech_reports/GEMM_FLOPS (2-D multicast: one core a row reads and sends `a`, one a column `b`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ttc.analysis.cost.division import Division, divide
from ttc.analysis.cost.estimate import Estimate
from ttc.analysis.cost.work import Card, Work
from ttc.calls.call import MathFidelity
from ttc.ir import Buffer

CYCLES = {MathFidelity.LoFi: 16, MathFidelity.HiFi2: 32, MathFidelity.HiFi3: 48, MathFidelity.HiFi4: 64}
"""Cycles of the matrix engine for one product of two 32 x 32 tiles."""

SHARP = 8
"""Order of the norm that joins two bounds of one pipeline: nearly the larger of them."""


def product(work: Work, card: Card, known: Mapping[str, float]) -> Estimate:
    """Predict the time of a @ b by its division over the cores."""
    a, b, out = work.inputs[0], work.inputs[1], work.outputs[0]
    cut = divide(work, card)
    if work.get("by_banks"):
        return _by_banks(work, cut, card, known)
    page_a, page_b = (_page(x.tile_bytes, known) for x in (a, b))
    if a.local:  # whoever holds the rows sends them, and nobody where a core holds all that needs them
        page_a = known["product.send_page"] + known["product.send_byte"] * a.tile_bytes
        page_a *= cut.readers_b > 1
    cycle, rate = 1 / card.clock_hz, known["product.dram"] / card.dram_bytes_per_second
    read_a, read_b = (cut.rounds * n for n in (cut.read_a * cut.sweeps_a, cut.read_b * cut.sweeps_b))
    moved = read_a * cut.readers_a * a.tile_bytes * (
        a.buffer is Buffer.DRAM
    ) + read_b * cut.readers_b * b.tile_bytes * (b.buffer is Buffer.DRAM)
    fill = cut.depth * (cut.block_rows * page_a * (not a.local) + cut.block_columns * page_b)
    written = out.dram_bytes
    steps = cut.steps * cut.listeners * known["product.step"]
    rounds = (cut.rounds - 1) * known["product.round"]
    chain = max(read_a * page_a, read_b * page_b)
    if 1 in (cut.readers_a, cut.readers_b):
        chain = read_a * page_a + read_b * page_b
    engine = cut.rounds * cut.rows * cut.columns * cut.inner * tile_cycles(work, cut, known)
    return Estimate(
        serial={
            "start": known["product.start_us"] * 1e-6,
            "NoC": known["product.fill"] * fill * cycle,
            "DRAM": known["product.write"] * written / card.dram_bytes_per_second,
        },
        together={
            "matrix engine": engine * cycle * known["product.stretch"],
            "NoC": (chain + steps + rounds) * cycle * known["product.stretch"],
            "DRAM": moved * rate * known["product.stretch"],
        },
        order=SHARP,
    )


def _by_banks(work: Work, cut: Division, card: Card, known: Mapping[str, float]) -> Estimate:
    """Predict a product of weights over the banks of DRAM: each core reads its own bank, nearly at the bank's rate."""
    a, b = work.inputs[:2]
    cycle, bank = 1 / card.clock_hz, card.dram_bytes_per_second / card.dram_banks
    sent = cut.read_a * (known["product.send_page"] + known["product.send_byte"] * a.tile_bytes)
    engine = cut.columns * cut.inner * tile_cycles(work, cut, known)
    return Estimate(
        serial={"start": known["product.start_us"] * 1e-6},
        together={
            "matrix engine": engine * cycle * known["product.stretch"],
            "NoC": sent * cycle * known["product.stretch"],
            "DRAM": cut.read_b * b.tile_bytes / bank * known["product.banks"],
        },
        order=SHARP,
    )


def tile_cycles(work: Work, cut: Division, known: Mapping[str, float]) -> float:
    """Return the cycles of a product of two tiles: the passes, or the unpacking of operands, 64 bytes a cycle.

    A block of the result that is several tiles wide unpacks one operand once for all of them.
    """
    size = max(work.inputs[0].tile_bytes, work.inputs[1].tile_bytes)
    reuse = min(4, max(cut.block_rows, cut.block_columns))
    unpack = known["product.unpack"] * size / 64 * (1 + 1 / reuse)
    passes = CYCLES[work.fidelity] + known["product.overhead"]
    return (passes**SHARP + unpack**SHARP) ** (1 / SHARP)


def _page(size: int, known: Mapping[str, float]) -> float:
    """Return the cycles in which a core reads a tile from an interleaved buffer and sends the tile on."""
    return known["product.page"] + known["product.byte"] * size
