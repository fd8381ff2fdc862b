"""A model larger than memory: a 40-layer encoder of ViT-g's kind, 10.2 GB of weights that exist nowhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LIMIT = 2e9  # bytes

PROGRAM = """
import json, resource, sys
import ttc
from ttc import models
from ttc.runtime.check import check

module, inputs = models.named("vit").build("giant", fake=True)
weights = sum(p.numel() * p.element_size() for p in module.parameters())
compiled = ttc.compile(module, kwargs=inputs)
compiled.save(sys.argv[1])
loaded = ttc.load(sys.argv[1])
report = check(loaded.program)
# getrusage would count what the process that started this one had in memory: exec does not reset it.
own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
peak = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
print(json.dumps({"weights": weights, "peak": peak * 1024, **report.to_dict()}))
"""


def test_compiles_and_is_checked_in_under_two_gigabytes(tmp_path: Path, ttnn_python: str):
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path / "giant.ttc")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["weights"] > 10e9
    assert found["ok"], found["refusal"] or found["spec_mismatches"]
    assert found["peak"] < LIMIT
    assert (tmp_path / "giant.ttc").stat().st_size < 1e6
