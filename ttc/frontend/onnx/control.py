"""Control flow whose course is known when compiling: branches are chosen, loops unrolled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from onnx import GraphProto, NodeProto

from ttc.errors import Refusal
from ttc.frontend.onnx.shape import axis_of
from ttc.ir import DType
from ttc.ops.expr import Expr, concat

if TYPE_CHECKING:
    from ttc.frontend.onnx.importer import Importer

STEP_LIMIT = 512
"""The largest number of steps that a loop is unrolled to: a program has a call for every op of every step."""


class Body:
    """A graph inside a node, its own weights added once; a call imports the graph's nodes for certain inputs."""

    def __init__(self, importer: Importer, node: NodeProto, name: str, env: Mapping, opsets: Mapping, where: str):
        graph = next((item.g for item in node.attribute if item.name == name), None)
        if graph is None:
            raise Refusal(f"lacks its {name}")
        self.graph: GraphProto = graph
        self._importer, self._opsets, self._where = importer, opsets, where
        self._outputs = tuple(node.output)
        prefix = next(filter(None, node.output), node.op_type)
        self._scope = {**env, **importer.inner_constants(graph, prefix)}

    def __call__(self, inputs: list[Any]) -> list[Any]:
        """Return the body's outputs for these inputs."""
        names = [value.name for value in self.graph.input]
        if len(names) != len(inputs):
            raise Refusal(f"its body takes {len(names)} inputs, but gets {len(inputs)}")
        scope = {**self._scope, **{name: item for name, item in zip(names, inputs, strict=True) if item is not None}}
        self._importer.nodes(self.graph.node, scope, self._opsets, self._where)
        self._importer.b.outputs = self._outputs
        results = [self._importer.lookup(output.name, scope, self._where) for output in self.graph.output]
        self._importer.stop_if_refused(results)
        return results


def If(importer: Importer, node: NodeProto, inputs: list[Any], env: Mapping, opsets: Mapping, where: str) -> list[Any]:
    """Import the branch that the condition, known when compiling, takes."""
    taken = bool(importer.b.known(inputs[0], "Int", "condition"))
    return Body(importer, node, "then_branch" if taken else "else_branch", env, opsets, where)([])


def Loop(
    importer: Importer, node: NodeProto, inputs: list[Any], env: Mapping, opsets: Mapping, where: str
) -> list[Any]:
    """Unroll a loop for as many steps as the trip count, and the condition after each step, say."""
    b = importer.b
    given = [*inputs, None, None][:2]
    count = None if given[0] is None else int(b.known(given[0], "Int", "trip count"))
    running = True if given[1] is None else bool(b.known(given[1], "Int", "condition"))
    body = Body(importer, node, "body", env, opsets, where)
    carried, stacked = list(inputs[2:]), []
    step = 0
    with importer.expansion.repeated(body.graph, _expected_steps(importer, count)):
        while running and (count is None or step < count):
            _check_steps(step)
            going = b.full(True, DType.bool)
            again, *results = body([b.full(step, DType.i64), going, *carried])
            carried, rows = results[: len(carried)], results[len(carried) :]
            stacked.append(rows)
            running = bool(b.known(again, "Int", "condition"))
            step += 1
    scans = len(body.graph.output) - 1 - len(carried)
    if scans and not stacked:
        raise Refusal("stacks the results of no steps")
    return [*carried, *(_stacked([rows[i] for rows in stacked], 0) for i in range(scans))]


def _expected_steps(importer: Importer, count: int | None) -> int:
    """Predict the steps of a loop: one where a condition ends the loop, but as many as can be inside another loop."""
    if count is not None and count <= STEP_LIMIT:
        return max(count, 0)
    return STEP_LIMIT if importer.expansion.nested else 1


def _check_steps(step: int) -> None:
    if step >= STEP_LIMIT:
        raise Refusal(f"has more than {STEP_LIMIT} steps, to which loops are unrolled")


def Scan(
    importer: Importer, node: NodeProto, inputs: list[Any], env: Mapping, opsets: Mapping, where: str
) -> list[Any]:
    """Unroll a scan, one step for each slice of the scanned inputs."""
    b = importer.b
    if b.opset < 9:
        raise Refusal("scans a batch, as ONNX did before opset 9")
    ints = {item.name: tuple(item.ints) for item in node.attribute}
    count = next((item.i for item in node.attribute if item.name == "num_scan_inputs"), 0)
    if not 1 <= count <= len(inputs):
        raise Refusal(f"scans {count} of its {len(inputs)} inputs")
    states, scanned = list(inputs[:-count]), inputs[-count:]
    axes = [axis_of(axis, x.rank) for axis, x in zip(_each(ints, "scan_input_axes", count), scanned, strict=True)]
    backwards = _each(ints, "scan_input_directions", count)
    steps = scanned[0].shape[axes[0]]
    if any(x.shape[axis] != steps for x, axis in zip(scanned, axes, strict=True)):
        raise Refusal("scans inputs of different lengths")
    _check_steps(steps - 1)
    body = Body(importer, node, "body", env, opsets, where)
    rows = []
    with importer.expansion.repeated(body.graph, steps):
        for step in range(steps):
            places = [steps - 1 - step if back else step for back in backwards]
            items = [_item(x, axis, i) for x, axis, i in zip(scanned, axes, places, strict=True)]
            results = body([*states, *items])
            states = results[: len(states)]
            rows.append(results[len(states) :])
    return [*states, *_outputs(rows, ints, len(body.graph.output) - len(states))]


def _outputs(rows: list[list[Expr]], ints: Mapping[str, tuple[int, ...]], scans: int) -> list[Expr]:
    """Stack the outputs of a Scan, along the axes and in the directions that the node names."""
    axes = _each(ints, "scan_output_axes", scans)
    backwards = _each(ints, "scan_output_directions", scans)
    found = []
    for i in range(scans):
        items = [row[i] for row in rows]
        items = items[::-1] if backwards[i] else items
        found.append(_stacked(items, axis_of(axes[i], items[0].rank + 1)))
    return found


def _each(ints: Mapping[str, tuple[int, ...]], name: str, count: int) -> tuple[int, ...]:
    """Return an attribute's numbers, one for each of `count` tensors: zeros where the attribute is absent."""
    numbers = ints.get(name) or (0,) * count
    if len(numbers) != count:
        raise Refusal(f"its attribute {name} has {len(numbers)} numbers for {count} tensors")
    return numbers


def _item(x: Expr, axis: int, index: int) -> Expr:
    """Select x[index] along an axis, which is dropped."""
    return x.part(axis, index, index + 1).reshape(*x.shape[:axis], *x.shape[axis + 1 :])


def _stacked(items: list[Expr], axis: int) -> Expr:
    """Stack tensors of one shape along a new axis."""
    return concat([x.reshape(*x.shape[:axis], 1, *x.shape[axis:]) for x in items], axis)


FORMS: dict[str, Callable[..., list[Any]]] = {"If": If, "Loop": Loop, "Scan": Scan}
"""The operators that hold graphs."""
