"""The trace region: the DRAM that a card must set aside when it is opened, for the commands of captured runs."""

from __future__ import annotations

from collections.abc import Iterable

from ttc.analysis.run_calls import RunCall, run_calls
from ttc.calls.host import HostOp
from ttc.calls.target import Target
from ttc.ir import Graph

BYTES_PER_CORE = 512
"""Bytes that a captured program takes for each core, at most: run-time arguments of three kernels (40 words each)."""

BYTES_PER_PROGRAM = 4096
"""Bytes that a captured program takes besides: circular buffers (32 of 16 B, for several groups of cores), launch
message, semaphores, and the commands around all of these."""

ROUNDED = 1 << 20
"""Bytes that a region is a multiple of."""


def trace_bytes(graph: Graph, calls: Iterable[RunCall], target: Target) -> int:
    """Estimate the bytes of the trace of a run, from above; 0 for a program that cannot be traced.

    That is one with ops on the host. Loops are unrolled, and each output is copied. Nothing but a card tells the
    number, in the error of a region that is too small. Neither kernels nor tensors are in a trace.
    """
    programs = len(graph.outputs)
    for call in calls:
        if isinstance(call.node.op, HostOp):
            return 0
        programs += call.cost.programs
    size = programs * (BYTES_PER_PROGRAM + BYTES_PER_CORE * target.cores)
    return -(-size // ROUNDED) * ROUNDED


def region_sizes(graphs: Iterable[Graph], target: Target) -> tuple[int, ...]:
    """Estimate the bytes of each program's trace."""
    return tuple(trace_bytes(graph, run_calls(graph, target), target) for graph in graphs)
