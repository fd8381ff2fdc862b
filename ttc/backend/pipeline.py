"""Passes over a program of calls, in order; each is `(graph, target) -> graph`."""

from __future__ import annotations

from collections.abc import Callable

from ttc.backend.plan.cast_in_calls import cast_in_calls
from ttc.backend.plan.choose_layouts import choose_layouts
from ttc.backend.plan.close_holes import close_holes
from ttc.backend.plan.cut_blocks import cut_blocks
from ttc.backend.plan.deallocate_after_last_use import deallocate_after_last_use
from ttc.backend.plan.delay_calls import delay_calls
from ttc.backend.plan.hold_in_loops import hold_in_loops
from ttc.backend.plan.meet_in_shards import meet_in_shards
from ttc.backend.plan.place import place
from ttc.backend.plan.place_exactly import place_exactly
from ttc.backend.plan.separate_operands import separate_operands
from ttc.backend.plan.shard import shard
from ttc.backend.plan.upload_as_used import upload_as_used
from ttc.backend.plan.view_columns import view_columns
from ttc.backend.plan.view_steps import view_steps
from ttc.calls.target import Target
from ttc.ir import Graph

Pass = Callable[[Graph, Target], Graph]

PIPELINE: tuple[Pass, ...] = (
    upload_as_used,  # first: a typecast that has been dropped demands no layout
    cast_in_calls,  # after uploads, whose typecasts are gone; before layouts, as calls that cast run in either
    choose_layouts,  # before placement, which needs to know every buffer and its size
    separate_operands,  # after layouts, which decide what is a view; before placement, as copies are buffers too
    view_columns,  # after operands are separated, whose rule views of shards of their own do not break
    view_steps,  # after columns, which one take of a step gives
    shard,  # before placement, which fills the L1 that shards leave
    meet_in_shards,  # after shards are chosen, between which moves stand
    cut_blocks,  # before placement, which takes the room that products leave
    delay_calls,  # after shards are chosen, beside which no call comes; before placement, which takes the room
    hold_in_loops,  # before placement, which takes the room that is left
    place,
    deallocate_after_last_use,  # after all that changes who reads a value
    close_holes,  # last: it moves deallocations, and calls, of exactly the program that runs
)

EXACT: tuple[Pass, ...] = tuple(place_exactly if step is place else step for step in PIPELINE)
"""The pipeline with the solver's choice of values for L1."""

NEEDED: tuple[Pass, ...] = (separate_operands, deallocate_after_last_use)
"""Passes without which a program is wrong or does not fit; without the others each call is alone, and in DRAM."""
