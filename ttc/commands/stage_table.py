"""The stages of a run of a system: calls, programs, predicted and measured time, bytes, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ttc.analysis.report import report
from ttc.calls.target import target_named
from ttc.commands.table import print_table
from ttc.compiled.chain_session import StageRun
from ttc.runtime.run.buckets import size_words

COLUMNS = ("stage", "bucket", "calls", "programs", "conversions", "predicted", "measured",
           "DRAM moved", "L1 per core", "to card", "from card", "host ops")  # fmt: skip


def stage_row(run: StageRun) -> dict[str, Any]:
    """Return the facts of a stage's run as JSON values: seconds, bytes, counts."""
    facts = report(run.bucket.program.graph, target_named(run.bucket.program.target))
    return {
        "stage": run.stage,
        "bucket": dict(run.bucket.sizes),
        "calls": facts.calls,
        "device_programs": facts.device_programs,
        "layout_conversions": facts.layout_conversions,
        "predicted_seconds": facts.predicted_seconds,
        "seconds": run.seconds,
        "dram_bytes": facts.dram_bytes,
        "peak_l1_per_core": facts.peak_l1_per_core,
        "uploaded_bytes": run.uploaded,
        "downloaded_bytes": run.downloaded,
        "host_ops": facts.host_ops,
    }


def print_stages(rows: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """Print a line for each run of a stage and their sum; `seconds` is the length of the sound."""
    total: dict[str, Any] = {
        name: sum(row[name] for row in rows) for name in rows[0] if name not in ("stage", "bucket")
    }
    total |= {"stage": "total", "bucket": {}, "peak_l1_per_core": max(row["peak_l1_per_core"] for row in rows)}
    print_table(COLUMNS, [_words(row) for row in rows], [_words(total)])
    predicted, measured = total["predicted_seconds"] / seconds, total["seconds"] / seconds
    print(f"real-time factor {predicted:.4f} predicted, traced; {measured:.3f} measured here")


def _words(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["stage"],
        size_words(row["bucket"]),
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
