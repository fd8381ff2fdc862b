"""The result of one compilation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ttc.ir import Graph, Weights
from ttc.ir.lengths import Length
from ttc.ir.names import free_name
from ttc.ops.derived import derived_weights
from ttc.pipeline.options import Options
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import Program, weight_types


@dataclass(frozen=True)
class Build:
    """The result of compiling one graph: the bucket of its program, and the graph of ops that derives the weights.

    `ops` is what was lowered, and `names` which of the program's values, by name, holds which of its values; `elements`
    counts those of the weights of products and convolutions, by name. `steps` are the graphs, as imported and after
    each stage that did something, with the stages' names.
    """

    bucket: Bucket
    derivations: Graph
    ops: Graph
    names: Mapping[str, str]
    elements: Mapping[str, int]
    steps: Sequence[tuple[str, Graph]]
    options: Options

    @property
    def imported(self) -> Graph:
        """Return the graph as the front end made it."""
        return self.steps[0][1]

    @cached_property
    def stages(self) -> Mapping[str, Graph]:
        """Return the graphs after each stage that changed the text, by name; a stage that runs again has a number."""
        stages: dict[str, Graph] = {}
        text = ""
        for stage, after in self.steps:
            before, text = text, str(after)
            if text != before:
                stages[free_name(stage, stages, "-")] = after
        return stages

    def taking(self, least: Mapping[Length, int]) -> Build:
        """Return the build with more limits: the smallest that each of these lengths may be."""
        return replace(self, bucket=replace(self.bucket, least=(*self.bucket.least, *least.items())))

    @property
    def program(self) -> Program:
        """Return the program of the bucket."""
        return self.bucket.program

    @property
    def weights(self) -> Weights:
        """Return the program's weights in their storage types, each derived when it is read."""
        return derived_weights(weight_types(self.program), self.derivations)
