"""THE pipeline: a graph of ops in, a program of TTNN calls and the graph of its weights out."""

from ttc.pipeline.buckets import Reading
from ttc.pipeline.build import Build
from ttc.pipeline.options import DTYPES, Options, dtype_named
from ttc.pipeline.refusals import all_refusals, every_stage
from ttc.pipeline.stages import STAGES, compile_graph, in_one_memory, lowered_again

__all__ = [
    "DTYPES",
    "STAGES",
    "Build",
    "Options",
    "Reading",
    "all_refusals",
    "compile_graph",
    "dtype_named",
    "every_stage",
    "in_one_memory",
    "lowered_again",
]
