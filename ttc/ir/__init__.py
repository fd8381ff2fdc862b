"""The intermediate representation: types, the graph and its builder, text, the verifier, and rewriting."""

from ttc.ir.builder import Builder
from ttc.ir.graph import Const, Graph, Input, Node, Op, Value, require
from ttc.ir.loop import FORWARD, Body, Spelled, Step, Window, backward, bodies, with_bodies
from ttc.ir.rewrite import rebuilt, rewrite, settled
from ttc.ir.rules import Rule, Rules
from ttc.ir.text import parse_graph, print_graph
from ttc.ir.types import (
    DRAM,
    HOST,
    L1,
    TILE,
    Buffer,
    DType,
    Layout,
    MemoryConfig,
    Sharding,
    ShardSpec,
    Spec,
    TensorType,
    Type,
    round_up,
)
from ttc.ir.verify import verify
from ttc.ir.walk import operands_first
from ttc.ir.weights import Weight, Weights

__all__ = [
    "DRAM",
    "FORWARD",
    "HOST",
    "L1",
    "TILE",
    "Body",
    "Buffer",
    "Builder",
    "Const",
    "DType",
    "Graph",
    "Input",
    "Layout",
    "MemoryConfig",
    "Node",
    "Op",
    "Rule",
    "Rules",
    "ShardSpec",
    "Sharding",
    "Spec",
    "Spelled",
    "Step",
    "TensorType",
    "Type",
    "Value",
    "Weight",
    "Weights",
    "Window",
    "backward",
    "bodies",
    "operands_first",
    "parse_graph",
    "print_graph",
    "rebuilt",
    "require",
    "rewrite",
    "round_up",
    "settled",
    "verify",
    "with_bodies",
]
