"""Models of repeated blocks at full size on fake weights: programs, compiling beside exporting, check, memory.

`python -m bench.full_size [NAME ...] [--no-check]` measures each model in a process of its own, so that the peak of
memory is that model's. Times are of one run each: quote the ratios.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree

import ttc
from bench.blocks import BLOCKS, INSIDE, conversions_inside
from bench.table import Table
from ttc import models
from ttc.backend.plan.place_exactly import spills
from ttc.compiled.compiled import Compiled
from ttc.runtime.check import check as check_program

NAMES = ("flux", "sd3", "wan", "mochi")
CARD = "p150"
"""In bf16 none of these models fits on an n150."""
HEAD = ("model", "calls", "programs a block", INSIDE, "DRAM / compulsory", "DRAM / best plan",
        "predicted ms", "export s", "compile s", "compile / export", "us a call", "check s", "MB")  # fmt: skip


def tables(names: Sequence[str] = NAMES, check: bool = True) -> Iterator[Table]:
    """Yield the figures by model."""
    yield Table(f"Full size on fake weights, {CARD}", HEAD, [_measured(name, check) for name in names])


def _measured(name: str, check: bool) -> tuple[str | float, ...]:
    """Measure a model in another process."""
    command = [sys.executable, "-m", "bench.full_size", "--one", name, *([] if check else ["--no-check"])]
    return tuple(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def figures(name: str, check: bool) -> tuple[str | float, ...]:
    """Return a model's figures; memory is the most that this process has held, export included."""
    module, inputs = _on_fake_cpu(*models.named(name).build("real", fake=True))
    started = time.perf_counter()
    exported = torch.export.export(module, (), inputs, strict=False)
    exporting = time.perf_counter() - started
    started = time.perf_counter()
    compiled = ttc.compile(exported, target=CARD)
    compiling = time.perf_counter() - started
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    if check and (report := check_program(compiled.build.program)) and not report.ok:
        raise SystemExit(f"the library does not take {name}: {report.faults[:3]}")
    checking = time.perf_counter() - started if check else "-"
    calls = compiled.report.calls
    times = exporting, compiling, compiling / exporting, 1e6 * compiling / calls, checking
    return name, calls, *_program(name, compiled), *times, held


def _program(name: str, compiled: Compiled) -> tuple[str | float, ...]:
    """Return device programs and conversions by block, DRAM bytes by two bounds, predicted milliseconds.

    The bounds are the compulsory bytes, and those of the same calls where the exact solver chooses what lies in L1.
    """
    found, spilled = compiled.report, spills(compiled.build.program.graph, compiled.options.target)
    counts = found.device_programs, conversions_inside(compiled)
    each = [count / BLOCKS[name] if name in BLOCKS else "-" for count in counts]
    bounds = found.minimum_dram_bytes, found.dram_bytes - spilled.planned + spilled.least
    return *each, *[found.dram_bytes / bound for bound in bounds], 1e3 * found.predicted_seconds


def _on_fake_cpu(module: nn.Module, inputs: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """Return a module of meta tensors, and its inputs, with fake tensors of the CPU: `torch.autocast` knows no meta."""

    def fake(tensor: Any) -> Any:
        return torch.empty(tensor.shape, dtype=tensor.dtype) if isinstance(tensor, torch.Tensor) else tensor

    with FakeTensorMode():
        return module._apply(fake), pytree.tree_map(fake, inputs)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.full_size", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="these models alone")
    parser.add_argument("--no-check", action="store_true", help="leave the library's check out")
    parser.add_argument("--one", choices=NAMES, help="print one model's figures as JSON, measured in this process")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(figures(options.one, not options.no_check)))
        return
    for table in tables(options.names or NAMES, not options.no_check):
        print(table)


if __name__ == "__main__":
    main()
