"""The pass for the data format: spatial values become channels-last rows, which TTNN's convolutions and pools take."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Graph, Op, Value, settled
from ttc.ops.binary import Binary
from ttc.ops.expr import Expr
from ttc.ops.reduce import Reduce
from ttc.ops.spatial import Spatial
from ttc.ops.unary import Unary
from ttc.passes.channels_last.forms import Forms, rows_of_constant
from ttc.passes.channels_last.rows import moved, reduced, reshaped, spatial, weighted
from ttc.passes.normal import builder_for


def channels_last(graph: Graph) -> Graph:
    """Convert [N, C, *spatial] values near convolutions and pools to [1, 1, N * prod(spatial), C] rows.

    One forward walk makes up to two forms of each value, on demand and once. Spatial ops take rows;
    elementwise ops, concatenations, slices and reductions stay in rows where an operand is in rows; all others take
    [N, C, *spatial]. So conversions remain only where a model enters and leaves the convolutional part.

    Before:
        %y: f32[1,8,4,4] = conv(x=%x, w=%w, ...)
        %z: f32[1,8,4,4] = relu(x=%y)
        %m: f32[1,8] = max(x=%z, dims=[2, 3])
    After:
        %y: f32[1,4,4,3] = permute(x=%x, dims=[0, 2, 3, 1])
        %y_0: f32[1,1,16,3] = reshape(x=%y, shape=[1, 1, 16, 3])
        %y_1: f32[1,1,16,8] = conv(x=%y_0, w=%w, ..., rows=[1, 4, 4])
        %z: f32[1,1,16,8] = relu(x=%y_1)
        %m: f32[1,16,8] = reshape(x=%z, shape=[1, 16, 8])
        %m_0: f32[1,8] = max(x=%m, dims=[1])
    """
    forms = Forms(builder_for(graph), wanted=_wanted(graph))
    for node in graph.nodes:
        forms.builder.at(node.results)
        if len(node.results) == 1 and not forms.all_constant(node.op) and _in_rows(node.op, node.results[0], forms):
            continue
        results = forms.builder.again(node, node.op.with_operands(forms.plain_of))
        forms.plain.update(zip(node.results, results, strict=True))
    return settled(graph, forms.builder.finish((name, forms.plain_of(value)) for name, value in graph.outputs))


def _wanted(graph: Graph) -> frozenset[Value]:
    """Return the values that reach a spatial op through elementwise ops alone."""
    wanted: set[Value] = set()
    for node in reversed(graph.nodes):
        op = node.op
        if isinstance(op, Spatial) and not op.rows:
            wanted.add(op.x)
        elif isinstance(op, (Unary, Binary, ops.Where)) and not wanted.isdisjoint(node.results):
            wanted.update(x for x in op.operands() if x.shape == node.results[0].shape)
    return frozenset(wanted)


def _in_rows(op: Op, result: Value, forms: Forms) -> bool:
    """Compute `op` on rows if rows are possible and an operand is in rows; return whether `op` was computed."""
    match op:
        case Spatial():
            return spatial(op, result, forms)
        case ops.Reshape() | ops.Permute() | ops.Linear():
            return reshaped(op, result, forms)
        case ops.Concat() | ops.Slice() | ops.Pad() | ops.Softmax():
            return moved(op, result, forms)
        case Reduce():
            return reduced(op, result, forms)
        case ops.Matmul():
            return weighted(op, result, forms)
        case Binary() | ops.Where():
            return _broadcast(op, result, forms)
        case Unary(x=x) if x in forms.rows:
            forms.rows[result] = forms.builder(op.with_operands(forms.rows_of))
            return True
    return False


def _broadcast(op: Op, result: Value, forms: Forms) -> bool:
    """Compute an elementwise op of several operands on rows, if an operand of the result's shape is in rows."""
    if not any(x in forms.rows and x.shape == result.shape for x in op.operands()):
        return False
    found = {x: _operand(x, result.shape, forms) for x in op.operands()}
    if any(value is None for value in found.values()):
        return False
    forms.rows[result] = forms.builder(op.with_operands(found.__getitem__))  # type: ignore[arg-type]
    return True


def _operand(x: Value, shape: tuple[int, ...], forms: Forms) -> Value | None:
    """Convert `x`, which broadcasts to [N, C, *spatial], to a form that broadcasts to rows; None if there is none."""
    builder = forms.builder
    batch, channels, *sizes = shape
    if x.type.numel == 1:
        plain = forms.plain_of(x)
        return plain if x.type.rank <= 4 else builder(ops.Reshape(plain, (1,)))
    if forms.constant(x):
        return rows_of_constant(forms.plain_of(x), shape, builder)
    if x.shape == shape or x.shape == (batch, 1, *sizes):
        return forms.rows_of(x)
    if x.type.rank != len(shape) or x.shape[1:] != (channels, *(1 for _ in sizes)):
        return None
    vectors = forms.rows_of(x)  # one row for each sample
    if x.shape[0] == 1:
        return vectors
    count = forms.positions(shape)
    each = Expr(vectors, builder).reshape(batch, 1, channels).expand(batch, count, channels)
    return each.reshape(1, 1, batch * count, channels).value
