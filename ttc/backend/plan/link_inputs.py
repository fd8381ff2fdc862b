"""Links: a program takes inputs in the form in which another program leaves them on the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ttc.backend.plan.deallocate_after_last_use import deallocate_after_last_use
from ttc.calls.call import spec_of
from ttc.calls.layout import ToLayout, Typecast
from ttc.calls.target import Target
from ttc.ir import DRAM, Builder, Graph, Input, Layout, Spec, Value
from ttc.ir.rewrite import settled


def link_inputs(graph: Graph, forms: Mapping[str, Spec], target: Target) -> Graph:
    """Let each named input of a placed program have the given form, and convert where the program read another.

        %x: f32[2,4] row = input(name="x")         %x: bf16[2,4] tile = input(name="x")
        %a = ttnn.relu(%x)                    ->   %x.f32 = ttnn.typecast(%x, f32)
                                                   %x.row = ttnn.to_layout(%x.f32, ROW_MAJOR)
                                                   %a = ttnn.relu(%x.row)

    A state that has a form is left in that form, too. Forms are in the card's DRAM, and of the inputs' own shapes.
    """
    builder = Builder(graph.weights)
    new: dict[Value, Value] = {}
    for node in graph.nodes:
        builder.at(node.results)
        op = node.op.with_operands(new.__getitem__)
        if isinstance(op, Input) and op.name in forms:
            linked = builder(replace(op, type=forms[op.name]), node.results[0].name)
            results: tuple[Value, ...] = (_converted(linked, spec_of(node.results[0]), builder),)
        else:
            results = builder.again(node, op)
        new.update(zip(node.results, results, strict=True))
    left = {
        name: _converted(new[value], forms[name], builder) if name in graph.states and name in forms else new[value]
        for name, value in graph.outputs
    }
    linked_graph = settled(graph, builder.finish(left))
    return deallocate_after_last_use(linked_graph, target)


def _converted(value: Value, wanted: Spec, builder: Builder) -> Value:
    """Return the value in the dtype and layout that the program reads; block formats exist in tiles alone."""
    name = value.name
    if wanted.layout is Layout.TILE is not spec_of(value).layout:
        value = builder(ToLayout(value, Layout.TILE, memory_config=DRAM), f"{name}.tile")
    if value.dtype is not wanted.dtype:
        value = builder(Typecast(value, wanted.dtype, memory_config=DRAM), f"{name}.{wanted.dtype}")
    if spec_of(value).layout is not wanted.layout:
        value = builder(ToLayout(value, wanted.layout, memory_config=DRAM), f"{name}.{wanted.layout.name.lower()}")
    return value
