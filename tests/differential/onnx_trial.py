"""One random ONNX graph tried: compiled, run, and judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

import ttc
from tests.differential.draw import Argument
from tests.differential.judge import BITS, MANY_RUNS, RUNS, judge
from tests.differential.onnx_program import Arrays, Model, Step, Wide, session_of, used_by
from tests.differential.outcome import DTYPES, Outcome, of_error, quiet
from tests.differential.rounding import bits_of, rounded, shaken, takes_several

UNDEFINED_OF_NAN = ("TopK", "ArgMax", "ArgMin", "Hardmax", "QuantizeLinear", "Sign")
"""Operators of which ONNX does not say what they make of NaN.

Nor does ONNX of any other, where its reference and onnxruntime differ: `ReduceMax` has NaN in the one, and passes NaN
over in the other.
"""


WRAPPING = {
    "Abs": "Abs", "Add": "Add", "CumSum": "CumSum", "Mul": "Mul", "Neg": "Neg", "Pow": "Pow", "ReduceL1": "ReduceL1",
    "ReduceL2": "ReduceSumSquare", "ReduceProd": "ReduceProd", "ReduceSum": "ReduceSum",
    "ReduceSumSquare": "ReduceSumSquare", "Sub": "Sub",
}  # fmt: skip
"""Operators whose integers may leave int32 inside, and the one that tells how far they go."""


def try_model(model: Model) -> dict[str, Outcome]:
    """Try a graph in every dtype."""
    with quiet():
        try:
            oracle = Oracle(model)
        except Exception as error:  # onnxruntime takes each node, but not the graph
            return {"fp32": Outcome("undecided", f"onnxruntime: {error}")}
        return {dtype: _tried(model, oracle, dtype) for dtype in DTYPES}


def _tried(model: Model, oracle: Oracle, dtype: str) -> Outcome:
    try:
        found = ttc.compile(model.proto(), dtype=dtype).run(model.feeds())
    except Exception as error:
        return of_error(error)
    with np.errstate(all="ignore"):
        return oracle.outcome([found[name] for name in model.outputs], dtype)


class Oracle:
    """What onnxruntime gives for a graph, and what its nodes give in float64, rounded at random."""

    def __init__(self, model: Model):
        self.model, self.wide, self.floating = model, Wide(model), Wide(model)
        self.declared = session_of(model.proto()).run(None, model.feeds())
        self.beyond = False
        self.low = any(a.dtype == "float16" for a in model.arguments) or "float16" in str(model)
        self.truth = self._run(None, 0)
        self._runs: dict[int, list[list[np.ndarray]]] = {}

    def _run(self, bits: int | None, seed: int) -> list[np.ndarray]:
        generator = torch.Generator().manual_seed(seed)
        values: Arrays = {}
        for name, array in (*self.model.feeds().items(), *self.model.constants):
            values[name] = self._noted(array, bits, generator)
        for step in self.model.steps:
            operands = values if bits is None else self._shaken(step, values, bits, generator)
            for name, array in zip(step.outputs, self.wide.run(step, operands), strict=True):
                values[name] = self._noted(array, bits, generator)
            self._check(step, values)
        return [values[name] for name in self.model.outputs]

    def _shaken(self, step: Step, values: Arrays, bits: int, generator: torch.Generator) -> Arrays:
        if not takes_several(step.operator):
            return values
        bits = bits_of(step.operator, bits)
        names = step.inputs[:1] if step.operator == "Resize" else step.inputs  # not its scales: they say the shape
        floats = {name: values[name] for name in names if name and values[name].dtype.kind == "f"}
        return values | {n: shaken(torch.from_numpy(np.array(a)), bits, generator).numpy() for n, a in floats.items()}

    def _noted(self, array: np.ndarray, bits: int | None, generator: torch.Generator) -> np.ndarray:
        if array.dtype.kind != "f":
            return array
        return rounded(torch.from_numpy(np.array(array, "float64")), bits, generator).numpy()

    def _check(self, step, values: Arrays) -> None:
        """Note what is not defined: integers beyond int32, casts of floats beyond it, what orders and integers NaN."""
        if any(_has_nan(values[name]) for name in step.inputs if name):
            self.beyond |= step.operator in UNDEFINED_OF_NAN or self._disputed(step, values)
        if step.operator == "Pow":
            root = np.isin(values[step.inputs[1]], (0.5, -0.5))  # docs/numbers.md: NaN of -inf, and -0 counts as 0
            self.beyond |= bool(
                (root & (np.isneginf(values[step.inputs[0]]) | _is_minus_zero(values[step.inputs[0]]))).any()
            )
        if step.operator in WRAPPING and values[step.outputs[0]].dtype == np.int32:
            self.beyond |= not bool((np.abs(self._unbounded(step, values)) < 2.0**31).all())
        for name in step.outputs:
            array = values[name]
            if array.dtype.kind == "i" and array.size and (array.max() >= 2**31 or array.min() < -(2**31)):
                self.beyond = True
            if array.dtype.kind == "i" and step.operator in ("Cast", "CastLike"):
                source = values[step.inputs[0]]
                self.beyond |= source.dtype.kind == "f" and not bool((np.abs(source) < 2**31).all())

    def _disputed(self, step: Step, values: Arrays) -> bool:
        """Whether ONNX's reference has NaN elsewhere in a step's results, as far as the reference can tell."""
        places = self.wide.says_of_nan(step, values)
        found = [values[name] for name in step.outputs]
        return places is not None and any(
            bool(np.any((array.dtype.kind == "f" and np.isnan(array)) != place))
            for array, place in zip(found, places, strict=True)
        )

    def _unbounded(self, step: Step, values: Arrays) -> np.ndarray:
        """What a node on int32 computes, in float64; its int32 result says nothing of overflow."""
        floats = {n: a.astype("float64") if a.dtype == np.int32 else a for n, a in used_by(step, values).items()}
        return self.floating.run(replace(step, operator=WRAPPING[step.operator]), floats)[0]

    def runs(self, bits: int, count: int) -> list[list[np.ndarray]]:
        found = self._runs.setdefault(bits, [])
        found += [self._run(bits, seed) for seed in range(len(found), count)]
        return found

    def outcome(self, found: list[np.ndarray], dtype: str) -> Outcome:
        """What a program gave, judged; what a few runs find wrong is asked of many."""
        outcome = self._judged(found, dtype, RUNS)
        return self._judged(found, dtype, MANY_RUNS) if outcome.kind == "wrong" else outcome

    def _judged(self, found: list[np.ndarray], dtype: str, count: int) -> Outcome:
        """The worst of all outputs; undecided where onnxruntime itself departs from its nodes in float64."""
        rule = "bf16" if self.low else dtype
        runs, tight = self.runs(BITS[rule], count), []
        if self.beyond:
            return Outcome("undecided", "what ONNX or the card does not define")
        for number, (array, like) in enumerate(zip(found, self.declared, strict=True)):
            if array.dtype != like.dtype:
                return Outcome("wrong", f"output {number} is {array.dtype}, not {like.dtype}")
            truth, *others = (self._as(run[number], like) for run in (self.truth, *runs))
            if judge(np.asarray(like), truth, others, rule).wrong:
                return Outcome("undecided", f"onnxruntime departs from the reference: {self.model.steps}")
            verdict = judge(array, truth, others, rule)
            if verdict.wrong:
                return Outcome("wrong", f"output {number} in {dtype}: {verdict.wrong}")
            tight.append(verdict.tight)
        return Outcome("right" if max(tight) > 0 else "undecided", "", min(tight))

    def _as(self, array: np.ndarray, like: np.ndarray) -> np.ndarray:
        return array.astype(like.dtype).astype("float64") if like.dtype.kind == "f" else array


def _has_nan(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and bool(np.isnan(array).any())


def _is_minus_zero(array: np.ndarray) -> np.ndarray:
    return (array == 0) & np.signbit(array)


def smallest(model: Model, dtype: str) -> str:
    """The graph with as few outputs and nodes as still fail, as text."""
    while True:
        smaller = next((m for m in _smaller(model) if try_model(m).get(dtype, Outcome("right")).fault), None)
        if smaller is None:
            return str(model)
        model = smaller


def _smaller(model: Model) -> Iterator[Model]:
    if len(model.outputs) > 1:
        yield from (replace(model, outputs=(name,)).used() for name in model.outputs)
    values = _values(model)
    for number, step in reversed(list(enumerate(model.steps))):
        if not set(step.outputs).isdisjoint(model.outputs):
            continue
        given = tuple(Argument(name, str(values[name].dtype), values[name].shape) for name in step.outputs)
        steps = model.steps[:number] + model.steps[number + 1 :]
        yield replace(model, steps=steps, arguments=(*model.arguments, *given)).used()


def _values(model: Model) -> Arrays:
    outputs = tuple(name for step in model.steps for name in step.outputs)
    found = session_of(replace(model, outputs=outputs).proto()).run(None, model.feeds())
    return dict(zip(outputs, map(np.asarray, found), strict=True))
