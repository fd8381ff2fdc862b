"""What every test of a pass does: program text in, program text out, then the same numbers from both."""

from __future__ import annotations

import textwrap

import torch

from ttc import ops
from ttc.ir import Builder, DType, Graph, Input, TensorType, Value, Weight, Weights, parse_graph, verify
from ttc.ir.graph import Const
from ttc.ops.torch_types import array_of, to_torch
from ttc.passes.runner import Pass, run


def graph_of(body: str) -> Graph:
    """The graph of these lines; weights are random and the same for the same name and shape."""
    text = "graph {\n" + textwrap.indent(textwrap.dedent(body).strip(), "  ") + "\n}\n"
    consts = [node.op for node in parse_graph(text).nodes if isinstance(node.op, Const)]
    weights = {op.ref: Weight(op.type, _reader(op.ref, op.type)) for op in consts}
    return verify(parse_graph(text, Weights(weights)))


def _reader(ref: str, type: TensorType):
    tensor = random(type, ref)
    if "var" in ref:  # variances and the like are positive
        tensor = tensor.abs() + 0.5
    return lambda: array_of(tensor)


def random(type: TensorType, name: str) -> torch.Tensor:
    """Random numbers that depend on the name and type alone."""
    generator = torch.Generator().manual_seed(sum(map(ord, name)) + 7 * type.numel)
    if type.dtype.is_float:
        return torch.randn(type.shape, generator=generator, dtype=torch.float32).to(to_torch(type.dtype))
    high = 2 if type.dtype is DType.bool else 4
    return torch.randint(0, high, type.shape, generator=generator).to(to_torch(type.dtype))


def numbers(graph: Graph) -> dict[str, torch.Tensor]:
    """The outputs for random inputs."""
    inputs = {v.op.name: random(v.type, v.op.name) for v in graph.inputs if isinstance(v.op, Input)}
    return ops.evaluate(graph, inputs)


def agree(before: Graph, after: Graph, tolerance: float = 1e-6) -> None:
    """Assert a scaled error of at most `tolerance` for every output, and the same NaN."""
    expected, actual = numbers(before), numbers(after)
    assert expected.keys() == actual.keys()
    for name, x in expected.items():
        y = actual[name]
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        assert torch.equal(x.isnan(), y.isnan())
        x, y = x.double().nan_to_num(), y.double().nan_to_num()
        assert x.numel() == 0 or (x - y).abs().max() <= tolerance * x.abs().max().clamp(min=1e-30), name


def rewrites(step: Pass, before: str, after: str, tolerance: float = 1e-6) -> Graph:
    """Assert that `step` turns one text into the other, with the same numbers, and then is content."""
    graph = graph_of(before)
    result = run((step,), graph, twice=True)
    assert body(result) == textwrap.dedent(after).strip()
    agree(graph, result, tolerance)
    return result


def near_miss(text: str, old: str, new: str, made: str, *steps: Pass) -> Graph:
    """Assert that `steps` make `made` of the text, but not once `old` in it is `new`; the same numbers both times.

    Result types of the text need not be right: they are inferred anew, so that one line can be changed alone. The
    answer is what becomes of the changed text.
    """
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
    assert made in body(run(steps, retyped(text), twice=True))
    graph = retyped(text.replace(old, new))
    after = run(steps, graph, twice=True)
    assert made not in body(after), body(after)
    agree(graph, after)
    return after


def retyped(text: str) -> Graph:
    """The graph of these lines with the result types that its type rules give."""
    parsed = parse_graph("graph {\n" + text + "\n}\n")
    builder = Builder()
    new: dict[Value, Value] = {}
    for node in parsed.nodes:
        found = builder.add(node.op.with_operands(new.__getitem__), tuple(value.name for value in node.results))
        new.update(zip(node.results, found, strict=True))
    return graph_of(body(builder.finish((name, new[value]) for name, value in parsed.outputs)))


def leaves(step: Pass, text: str) -> None:
    """Assert that `step` changes nothing."""
    graph = graph_of(text)
    assert step(graph) is graph, body(step(graph))


def body(graph: Graph) -> str:
    """The text without the braces around it."""
    return textwrap.dedent("\n".join(str(graph).splitlines()[1:-1]))
