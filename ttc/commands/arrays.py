"""Random arrays that a program can run with, and the largest size of a file of its inputs."""

from __future__ import annotations

import numpy as np

from ttc.calls.call import Call
from ttc.calls.index import Embedding
from ttc.ir import Input, TensorType
from ttc.ir.state import is_given
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.convert import user_dtype
from ttc.runtime.run.program import Program


def room(program: Program | None) -> int:
    """Return the bytes that a file of a program's inputs may hold, with room so that wrong inputs can be named.

    None stands for a model whose sizes are bound by the inputs.
    """
    if program is None:
        return 1 << 30
    return (1 << 20) + 16 * sum(type.numel * user_dtype(type).itemsize for _, type in program.inputs)


def random_inputs(bucket: Bucket) -> dict[str, np.ndarray]:
    """Draw seeded inputs that a bucket takes: normal floats, coin flips, integers that stay within their tables.

    Lengths are somewhat shorter than the bucket's: full inputs would not test the padding. The session draws the
    model's own random inputs, and keeps states.
    """
    generator = np.random.default_rng(0)
    limits = index_limits(bucket.program)
    lengths = {name: np.array([_shorter(size, bucket.multiples[name])]) for name, size in bucket.sizes.items()}
    asked = (name for name in bucket.inputs if is_given(name))
    return {name: _random(bucket.true_type(name, lengths), limits.get(name, 2), generator) for name in asked}


def _shorter(size: int, multiple: int) -> int:
    """Return about seven eighths of a size."""
    return max(size * 7 // 8 // multiple * multiple, multiple)


def _random(type: TensorType, limit: int, generator: np.random.Generator) -> np.ndarray:
    dtype = user_dtype(type)
    if dtype.kind == "b":
        return generator.random(type.shape) < 0.5
    if dtype.kind in "iu":
        return generator.integers(0, limit, type.shape).astype(dtype)
    return generator.standard_normal(type.shape).astype(dtype)


def index_limits(program: Program) -> dict[str, int]:
    """Map each index input to the rows of the smallest table that it looks up, perhaps cast or reshaped."""
    limits: dict[str, int] = {}
    for node in program.graph.nodes:
        if not isinstance(node.op, Embedding):
            continue
        source = node.op.input_tensor
        while isinstance(source.op, Call):
            source = source.op.operands()[0]
        if isinstance(source.op, Input):
            rows = node.op.weight.shape[-2]
            limits[source.op.name] = min(rows, limits.get(source.op.name, rows))
    return limits
