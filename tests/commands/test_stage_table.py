"""The table of a system's stages: runs of a stage in one bucket are added up."""

from __future__ import annotations

import numpy as np
import torch

import ttc
from ttc.commands.stage_table import stage_rows
from ttc.compiled.chain import Chain


def test_runs_of_a_stage_in_a_bucket_are_one_row():
    compiled = ttc.compile(
        torch.nn.ReLU(), torch.ones(1, 40), dynamic_shapes=({1: "N"},), lengths={"N": [32, 64]}, dtype="fp32"
    )
    with Chain.of({"relu": compiled.executable}, {}).session("emulator") as session:
        for size in (10, 50, 20, 30):
            session.run("relu", {"input": np.ones((1, size), np.float32)}, keep=("output",) if size == 20 else ())
        once, rows = stage_rows(session.runs[:1])[0], stage_rows(session.runs)
    assert [(row["bucket"], row["runs"]) for row in rows] == [({"N": 32}, 3), ({"N": 64}, 1)]
    assert once["calls"] > 0
    for name in ("calls", "device_programs", "predicted_seconds", "dram_bytes", "uploaded_bytes"):
        np.testing.assert_allclose(rows[0][name], 3 * once[name], err_msg=name)
    assert rows[0]["downloaded_bytes"] == 2 * once["downloaded_bytes"]
    assert rows[0]["peak_l1_per_core"] == once["peak_l1_per_core"]
    assert rows[0]["seconds"] > once["seconds"]
