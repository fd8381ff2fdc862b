"""Steps of what a loop scans: views in DRAM, so that TTNN keeps a few programs for any number of steps."""

from __future__ import annotations

from dataclasses import replace
from math import gcd, prod

from ttc.calls.call import spec_of
from ttc.calls.loop import Take, View
from ttc.calls.target import Target
from ttc.ir import DRAM, TILE, Builder, Graph, Input, Layout, Op, Spec, Value, Window
from ttc.ir.rewrite import rewrite


def view_steps(graph: Graph, target: Target) -> Graph:
    """Take each step of a loop from a view of the steps around the step.

        %t = loop.take(%x)    ->    %v = loop.view(%x, window=Window(period=3, length=4, count=64))
                                    %t = loop.take(%v, window=Window(period=3, length=4, count=64))

    TTNN compiles a slice for each place that the slice starts from, a program for each step. A view may begin wherever
    a step begins in the first bank of DRAM, so that slices of views start from as many places as a view is long; where
    each step begins there, the view is the step.
    """

    def rule(op: Op, builder: Builder) -> Value | None:
        window = _window(op, target)
        if window is None:
            return None
        assert isinstance(op, Take)
        view = builder(View(op.input_tensor, window=window, step=op.step))
        whole = window.length == 1 and op.columns is None and op.memory_config in (None, DRAM)
        return view if whole else builder(replace(op, input_tensor=view, window=window))

    return rewrite(graph, rule)


def _window(op: Op, target: Target) -> Window | None:
    """Return the steps that are viewed together; None for other calls, and where slices start from no fewer places."""
    if not isinstance(op, Take) or op.window or not isinstance(op.input_tensor.op, Input):
        return None
    spec = spec_of(op.input_tensor)
    if spec.memory != DRAM or spec.layout is not Layout.TILE or spec.rank < 3:
        return None
    period, count = _period(spec, target), spec.shape[0]
    length = period + count % period
    return Window(period, length, count) if length < count else None


def _period(spec: Spec, target: Target) -> int:
    """Return every how many entries one begins in the first bank of DRAM."""
    tiles = prod(spec.padded_shape[1:]) // TILE**2
    return target.dram_banks // gcd(tiles, target.dram_banks)
