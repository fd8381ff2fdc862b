"""The stages of a run of a system: runs, calls, programs, predicted and measured time, bytes, memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ttc.analysis.report import report
from ttc.calls.target import target_named
from ttc.commands.table import print_table
from ttc.compiled.chain_session import StageRun
from ttc.ir.lengths import size_words

COLUMNS = ("stage", "bucket", "runs", "calls", "programs", "conversions", "predicted", "measured",
           "DRAM moved", "L1 per core", "to card", "from card", "host ops")  # fmt: skip


def stage_rows(runs: Iterable[StageRun]) -> list[dict[str, Any]]:
    """Return the facts of all runs of each stage in each bucket as JSON values: seconds, bytes, counts."""
    of_bucket: dict[tuple[str, int], list[StageRun]] = {}
    for run in runs:
        of_bucket.setdefault((run.stage, id(run.bucket)), []).append(run)
    return [_row(each) for each in of_bucket.values()]


def _row(runs: Sequence[StageRun]) -> dict[str, Any]:
    """Return the facts of the runs of a stage in one bucket, added up."""
    bucket, count = runs[0].bucket, len(runs)
    facts = report(bucket.program.graph, target_named(bucket.program.target))
    return {
        "stage": runs[0].stage,
        "bucket": dict(bucket.sizes),
        "runs": count,
        "calls": facts.calls * count,
        "device_programs": facts.device_programs * count,
        "layout_conversions": facts.layout_conversions * count,
        "predicted_seconds": facts.predicted_seconds * count,
        "seconds": sum(run.seconds for run in runs),
        "dram_bytes": facts.dram_bytes * count,
        "peak_l1_per_core": facts.peak_l1_per_core,
        "uploaded_bytes": sum(run.uploaded for run in runs),
        "downloaded_bytes": sum(run.downloaded for run in runs),
        "host_ops": facts.host_ops * count,
    }


def pace(rows: Sequence[Mapping[str, Any]], seconds: float) -> dict[str, float]:
    """Return the predicted seconds from one item's inputs to its sound, items in a second, and the real-time factor.

    Traced runs follow one another without a gap: a card's second queue writes the next item's inputs meanwhile.
    `seconds` is the length of the sound.
    """
    latency = sum(row["predicted_seconds"] for row in rows)
    return {"latency_seconds": latency, "items_per_second": 1 / latency, "real_time_factor": latency / seconds}


def print_stages(rows: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """Print a line for each stage in each bucket, and their sum; `seconds` is the length of the sound."""
    total: dict[str, Any] = {
        name: sum(row[name] for row in rows) for name in rows[0] if name not in ("stage", "bucket")
    }
    total |= {"stage": "total", "bucket": {}, "peak_l1_per_core": max(row["peak_l1_per_core"] for row in rows)}
    print_table(COLUMNS, [_words(row) for row in rows], [_words(total)])
    paced, measured = pace(rows, seconds), total["seconds"] / seconds
    print(f"real-time factor {paced['real_time_factor']:.4f} predicted, traced; {measured:.3f} measured here")
    one, items = paced["latency_seconds"] * 1e3, paced["items_per_second"]
    print(f"one item {one:.1f} ms predicted, {total['seconds'] * 1e3:.1f} ms measured; {items:.1f} items/s in a row")


def _words(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["stage"],
        size_words(row["bucket"]),
        f"{row['runs']:,}",
        f"{row['calls']:,}",
        f"{row['device_programs']:,}",
        f"{row['layout_conversions']:,}",
        f"{row['predicted_seconds'] * 1e3:.3f} ms",
        f"{row['seconds'] * 1e3:.1f} ms",
        f"{row['dram_bytes'] / 1e6:.2f} MB",
        f"{row['peak_l1_per_core'] / 1e3:.1f} kB",
        f"{row['uploaded_bytes']:,} B",
        f"{row['downloaded_bytes']:,} B",
        f"{row['host_ops']:,}",
    )
