"""The pass that keeps long signals in blocks: a row of a whole sound does not fit into a core's L1.

A signal is made by blocks, and read by blocks: upsampling gives a block for each element, an inverse transform one for
each hop. In between stands one line of all samples, which this pass makes as late, or takes apart as early, as may be.
"""

from __future__ import annotations

from math import prod

from ttc import ops
from ttc.ir import Builder, Const, Graph, Op, TensorType, Value
from ttc.ir.permutation import inverse_of
from ttc.ops.binary import Binary
from ttc.ops.signal import LONGEST_ROW
from ttc.ops.unary import Unary
from ttc.passes.normal import rebuild


def cut_lines(graph: Graph) -> Graph:
    """Compute elementwise ops, permutes and strided slices of long lines before the line is made of blocks.

    Before:
        %line: f32[1,90000] = reshape(x=%blocks, shape=[1, 90000])
        %y: f32[1,90000] = sin(x=%line)
    After:
        %line: f32[1,300,300] = sin(x=%blocks)
        %y: f32[1,90000] = reshape(x=%line, shape=[1, 90000])
    """
    return rebuild(graph, _cut)


def _cut(op: Unary | Binary | ops.Where | ops.Permute | ops.Slice, builder: Builder) -> Value | None:
    """Return an op of a long line by blocks; None for any other op."""
    match op:
        case ops.Permute(x=Value(ops.Reshape(x=blocks) as line), dims=dims) if _joins_rows(line):
            last = len(dims) - 1
            order = tuple(part for dim in dims for part in ((last, last + 1) if dim == last else (dim,)))
            return builder(ops.Reshape(builder(ops.Permute(blocks, order)), op.infer().shape))
        case ops.Permute():
            return None
        case ops.Slice():
            return _slice(op, builder)
    return _elementwise(op, builder)


def _joins_rows(line: ops.Reshape) -> bool:
    """Return whether a reshape joins the rows of the last two dimensions to long lines."""
    *lead, rows, columns = (1, *line.x.shape)
    return line.shape[-1:] > (LONGEST_ROW,) and (1, *line.shape) == (*lead, rows * columns)


def _slice(op: ops.Slice, builder: Builder) -> Value | None:
    """Take elements of a long line before the line is permuted, or one element of each block before blocks are made."""
    match op.x.op:
        case ops.Permute(x=x, dims=dims) if op.x.shape[-1] > LONGEST_ROW:
            bounds = (tuple(each[place] for place in inverse_of(dims)) for each in (op.starts, op.ends, op.steps))
            return builder(ops.Permute(builder(ops.Slice(x, *bounds)), dims))
        case ops.Reshape(x=line) if line.shape[-1:] > (LONGEST_ROW,) and line.shape == (
            *op.x.shape[:-2],
            prod(op.x.shape[-2:]),
        ):
            start, columns = op.starts[-1], op.x.shape[-1]
            if op.infer().shape != (*op.x.shape[:-1], 1):
                return None
            ends = (*line.shape[:-1], line.shape[-1] - columns + start + 1)
            steps = (*(1 for _ in line.shape[:-1]), columns)
            one = ops.Slice(line, (*(0 for _ in line.shape[:-1]), start), ends, steps)
            return builder(ops.Reshape(_slice(one, builder) or builder(one), op.infer().shape))
    return None


def _elementwise(op: Op, builder: Builder) -> Value | None:
    """Compute an elementwise op of long lines on the blocks of which the lines are made, all of one shape."""
    result = op.infer()
    assert isinstance(result, TensorType)
    shapes = {blocks.shape for x in op.operands() if (blocks := _blocks(x)) is not None}
    if len(shapes) != 1:
        return None
    (shape,) = shapes
    new: dict[Value, Value] = {}
    for x in op.operands():
        blocks = _blocks(x)
        if x.type.numel == 1:
            new[x] = builder(ops.Reshape(x, ()))
        elif blocks is not None:
            new[x] = blocks
        elif isinstance(x.op, Const) and x.shape == result.shape:
            new[x] = builder(ops.Reshape(x, shape))
        else:
            return None
    return builder(ops.Reshape(builder(op.with_operands(new.__getitem__)), result.shape))


def _blocks(x: Value) -> Value | None:
    """Return the blocks of which a long line is made; None for what is no such line."""
    match x.op:
        case ops.Reshape(x=blocks) if x.shape[-1:] > (LONGEST_ROW,) and blocks.shape[-1:] <= (LONGEST_ROW,):
            return blocks
    return None
