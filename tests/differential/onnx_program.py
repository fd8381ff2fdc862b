"""Random ONNX graphs: how they are drawn, written down, and run node by node."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.differential.draw import FLOATS, Argument, Draw, Skip, Var
from tests.differential.onnx_recipes import RECIPES

OPSET = 21
LIMIT = 8192
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Step:
    """One node: its operator, the names of inputs ("" for absent ones) and outputs, and its attributes."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[tuple[str, Any], ...]

    @property
    def node(self) -> onnx.NodeProto:
        return helper.make_node(self.operator, self.inputs, self.outputs, **dict(self.attributes))


@dataclass(frozen=True)
class Model:
    """A graph: inputs, constants by name, steps, and the names that it gives."""

    arguments: tuple[Argument, ...]
    constants: tuple[tuple[str, np.ndarray], ...] = field(compare=False)
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]

    def used(self) -> Model:
        """The graph without what reaches no output."""
        wanted, steps = set(self.outputs), []
        for step in reversed(self.steps):
            if not wanted.isdisjoint(step.outputs):
                steps.insert(0, step)
                wanted.update(step.inputs)
        return replace(
            self,
            arguments=tuple(a for a in self.arguments if a.name in wanted),
            constants=tuple(item for item in self.constants if item[0] in wanted),
            steps=tuple(steps),
        )

    def feeds(self) -> Arrays:
        return {a.name: np.asarray(a.array) for a in self.arguments}

    def proto(self) -> onnx.ModelProto:
        return proto_of([step.node for step in self.steps], self.feeds(), dict(self.constants), self.outputs)

    def __str__(self) -> str:
        inputs = ", ".join(f"({a.name!r}, {a.dtype!r}, {a.shape}, {a.numbers!r}, {a.seed})" for a in self.arguments)
        return f"# inputs: {inputs}\n{onnx.printer.to_text(self.proto())}"


def proto_of(nodes: list, feeds: Arrays, constants: Arrays, outputs: tuple[str, ...]) -> onnx.ModelProto:
    declared = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    given = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "random", declared, [onnx.ValueInfoProto(name=name) for name in outputs], given)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_step(step: Step, values: Arrays) -> list[np.ndarray]:
    """A node by onnxruntime, at the dtypes of its operands."""
    return session_of(alone(step, values)).run(None, used_by(step, values))


def used_by(step: Step, values: Arrays) -> Arrays:
    return {name: values[name] for name in dict.fromkeys(step.inputs) if name}


def alone(step: Step, values: Arrays) -> onnx.ModelProto:
    return proto_of([step.node], used_by(step, values), {}, step.outputs)


class Wide:
    """The steps of a model in float64: by onnxruntime, else by ONNX's reference, else by onnxruntime in float32."""

    def __init__(self, model: Model):
        self.model = model
        self.runners: dict[str, Any] = {}

    def run(self, step: Step, values: Arrays) -> list[np.ndarray]:
        step = widened(step)
        key = repr(step)  # attributes may be lists
        if key not in self.runners:
            self.runners[key] = self._runner(step, values)
        found = self.runners[key](used_by(step, values))
        return [array.astype("float64") if array.dtype.kind == "f" else array for array in map(np.asarray, found)]

    def _runner(self, step: Step, values: Arrays) -> Any:
        for make in (self._runtime, self._reference):
            try:
                runner = make(step, values)
                runner(used_by(step, values))
            except Exception:  # no kernel for float64
                continue
            return runner
        return self._narrow(step, values)

    def _runtime(self, step: Step, values: Arrays) -> Any:
        session = session_of(alone(step, values))
        return lambda feeds: session.run(None, feeds)

    def _reference(self, step: Step, values: Arrays) -> Any:
        evaluator = ReferenceEvaluator(alone(step, values))
        return lambda feeds: evaluator.run(None, feeds)

    def says_of_nan(self, step: Step, values: Arrays) -> list[np.ndarray] | None:
        """Where ONNX's reference has NaN in the results of a step, which has run; None if it cannot tell."""
        step = widened(step)
        try:
            found = self._reference(step, values)(used_by(step, values))
        except Exception:  # no kernel for these types
            return None
        return [array.dtype.kind == "f" and np.isnan(array) for array in map(np.asarray, found)]

    def _narrow(self, step: Step, values: Arrays) -> Any:
        def narrow(feeds: Arrays) -> Arrays:
            return {n: a.astype("float32") if a.dtype == "float64" else a for n, a in feeds.items()}

        session = session_of(alone(step, narrow(values)))
        return lambda feeds: session.run(None, narrow(feeds))


DOUBLE = onnx.TensorProto.DOUBLE


def widened(step: Step) -> Step:
    """A node that casts to float64 where it casts to another float, and computes in float64 where it says in what.

    ONNX's function for GroupNormalization takes E[x^2] - E[x]^2, in float32 if nothing else is said: little is left of
    the variance of two numbers that are near each other.
    """
    attributes = dict(step.attributes)
    if step.operator == "GroupNormalization":
        return replace(step, attributes=(*step.attributes, ("stash_type", DOUBLE)))
    if step.operator == "Cast" and attributes["to"] in (1, 10):
        return replace(step, attributes=(("to", DOUBLE),))
    return step


# ---------------------------------------------------------------- drawing

DTYPES = (
    ("float32",),
    ("float32",),
    ("float32", "int64", "bool"),
    ("float32", "int64", "int32", "bool"),
    ("float32", "float64", "float16", "int64"),
    ("float64", "int32"),
)


def draw_model(seed: int, most: int = 12) -> Model:
    """A graph of 1 to `most` nodes that onnxruntime takes, each by itself."""
    draw = Draw(seed, Draw(seed, ()).pick(*DTYPES))
    wanted, steps, constants, values = draw.integer(1, most), [], {}, {}
    for _ in range(wanted * 8):
        if len(steps) >= wanted:
            break
        steps += _next_steps(draw, constants, values)
    if not steps:
        return draw_model(seed + 10**9, most)
    read = {name for step in steps for name in step.inputs}
    names = [name for step in steps for name in step.outputs]
    chosen = tuple(n for n in names if n.startswith("v") and (n not in read or draw.chance(0.1)))
    return Model(tuple(draw.arguments), tuple(constants.items()), tuple(steps), chosen).used()


def _next_steps(draw: Draw, constants: Arrays, values: Arrays) -> list[Step]:
    """One node more (a pair for quantisation), or none where onnxruntime does not take what was drawn."""
    state = len(draw.vars), len(draw.arguments), set(constants)
    name = draw.random.choice(list(RECIPES))
    try:
        operator, operands, attributes = RECIPES[name](draw)
        for argument in draw.arguments:
            values.setdefault(argument.name, np.asarray(argument.array))
        inputs = tuple(_name_of(draw, operand, constants, values) for operand in operands)
        steps = _steps(draw, operator, inputs, tuple(attributes.items()))
        for step in steps:
            for output, array in zip(step.outputs, run_step(step, values), strict=True):
                array = np.asarray(array)
                if not 0 < array.size <= LIMIT or array.ndim > 6:
                    raise Skip
                values[output] = array
    except Exception:  # whatever onnxruntime says of operands that do not fit
        del draw.vars[state[0] :], draw.arguments[state[1] :]
        for extra in set(constants) - state[2]:
            del constants[extra]
        return []
    names = [name for step in steps for name in step.outputs if name.startswith("v")]
    draw.vars += [Var(n, str(values[n].dtype), values[n].shape) for n in names if str(values[n].dtype) in KEPT]
    return steps


KEPT = (*FLOATS, "int64", "int32", "bool")


def _steps(draw: Draw, operator: str, inputs: tuple[str, ...], attributes: tuple) -> list[Step]:
    """The nodes of a drawn operator; "Split:2" has two outputs, "Quantize:" is a pair."""
    if operator == "Quantize:":
        middle = draw.fresh("v")
        pair = (inputs[1], inputs[2])
        first = Step("QuantizeLinear", inputs, (middle,), ())
        return [first, Step("DequantizeLinear", (middle, *pair), (draw.fresh("v"),), ())]
    operator, _, count = operator.partition(":")
    outputs = int(count or 1)
    return [Step(operator, inputs, tuple(draw.fresh("v") for _ in range(outputs)), attributes)]


def _name_of(draw: Draw, operand: Any, constants: Arrays, values: Arrays) -> str:
    match operand:
        case None:
            return ""
        case Var():
            return operand.name
    name = draw.fresh("c")
    constants[name] = values[name] = np.asarray(operand)
    return name
