"""Random programs give what torch and onnxruntime give, or are refused; and the judge of them notices what is wrong."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from tests.differential import torch_trial
from tests.differential.draw import Argument
from tests.differential.judge import judge
from tests.differential.onnx_program import Model, Step, Wide
from tests.differential.onnx_trial import try_model
from tests.differential.outcome import Outcome
from tests.differential.rounding import Rounded, rounded
from tests.differential.shrink import shrunk
from tests.differential.sources import SOURCES
from tests.differential.torch_program import Line, Program, draw_program

SEED = 8


def tried(kind: str, count: int, seed: int = SEED) -> Counter:
    """How many programs of a kind came to what; the faults fail, each as small as it still is."""
    counts, faults = Counter(), []
    for found in SOURCES[kind](seed, 0, count):
        for dtype, outcome in found.outcomes.items():
            counts[outcome.kind] += 1
            if outcome.fault:
                faults.append(f"{kind}:{found.number} {dtype} {outcome.words}\n{found.smallest(dtype)}")
    assert not faults, "\n\n".join(faults)
    return counts


@pytest.mark.parametrize(("kind", "count"), [("torch", 4), ("onnx", 20), ("buckets", 2)])
def test_random_programs(kind, count):
    counts = tried(kind, count)
    assert counts["right"] >= counts["refused"] + counts["undecided"], counts


@pytest.mark.sweep
@pytest.mark.parametrize(("kind", "count"), [("torch", 800), ("onnx", 1100), ("buckets", 100)])
def test_many_random_programs(kind, count):
    counts = tried(kind, count, seed=1)
    assert counts["right"] > 3 * (counts["refused"] + counts["undecided"]), counts


# ---------------------------------------------------------------- the judge

TRUTH = np.array([1.0, -2.0, 0.5, 4.0])
RUNS = [TRUTH * (1 + 1e-7), TRUTH * (1 - 1e-7)]


def test_the_judge_holds_well_behaved_numbers_to_the_tolerance():
    assert not judge((TRUTH + 3e-4).astype("float32"), TRUTH, RUNS, "fp32").wrong
    assert "4 of 4 elements" in judge((TRUTH + 5e-4).astype("float32"), TRUTH, RUNS, "fp32").wrong
    assert judge(TRUTH[:3], TRUTH, RUNS, "fp32").wrong == "shape [3], not [4]"


def test_the_judge_wants_infinities_and_nan_where_truth_has_them():
    truth = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert not judge(truth.astype("float32"), truth, [truth], "fp32").wrong
    for at, number in ((0, 1.0), (1, -np.inf), (2, 3e38), (3, np.nan)):
        wrong = truth.astype("float32")
        wrong[at] = number
        assert judge(wrong, truth, [truth], "fp32").wrong.startswith("1 of 4 elements")


def test_the_judge_leaves_open_what_rounding_decides():
    """One run puts the second element elsewhere: no more can be asked of it, but of all others."""
    truth, other = np.array([1, 2, 3]), np.array([1, 5, 3])
    assert not judge(np.array([1, 7, 3]), truth, [other], "fp32").wrong
    assert judge(np.array([1, 2, 4]), truth, [other], "fp32").wrong
    assert judge(np.array([True, False]), np.array([True, True]), [np.array([True, True])], "bf16").wrong


def test_the_judge_leaves_open_what_lies_beside_a_pole():
    """The last element may be infinite: its runs move it by as much as it is. No other may, nor one that is small."""
    truth = np.array([1.0, -2.0, 1e-3, 100.0])
    runs = [truth + np.array([0, 0, 2e-3, 90]), truth - np.array([0, 0, 2e-3, 40])]
    larger, more = np.append(truth, 1e6), [np.append(run, 1e6) for run in runs]
    assert not judge(np.array([1, -2, 1e-3, np.inf, 1e6], "float32"), larger, more, "fp32").wrong
    for at, number, allowed in ((3, np.inf, True), (3, np.nan, True), (2, np.inf, False), (1, np.inf, False)):
        found = truth.astype("float32")
        found[at] = number
        assert bool(judge(found, truth, runs, "fp32").wrong) is not allowed
    found[1:] = truth[1], truth[2], np.inf
    assert judge(found, truth, [truth + np.array([0, 0, 0, 1]), truth], "fp32").wrong


def test_what_a_few_runs_find_wrong_is_asked_of_many():
    """A result that lies where only the seventh run puts it is right; one where none does is not."""
    argument = Argument("x1", "float32", (3, 4))
    oracle = torch_trial.Oracle(Program((argument,), (), (Line("v2", "torch.neg(x1)", "neg"),), ("v2",), 0))
    other = [oracle.truth[0] + 1.0]
    oracle._runs[24] = [oracle.truth] * 6 + [other] + [oracle.truth] * 33
    found = oracle.truth[0].numpy().astype("float32")
    assert oracle.outcome([found + 0.5], "fp32").kind != "wrong"
    assert oracle.outcome([found + 40], "fp32").kind == "wrong"


def test_integers_of_onnx_beyond_int32_are_not_judged(monkeypatch):
    """int32 results do not say that they overflowed: the same nodes in floats do."""
    for x, kind in (([2, 3], "right"), ([60, 3], "undecided")):
        argument = Argument("x", "int32", (2,))
        step = Step("Pow", ("x", "p"), ("y",), ())
        model = Model((argument,), (("p", np.array([6], "int32")),), (step,), ("y",))
        monkeypatch.setattr(Model, "feeds", lambda self, x=x: {"x": np.array(x, "int32")})
        assert {outcome.kind for outcome in try_model(model).values()} == {kind}


def test_nodes_whose_attributes_are_lists_are_judged():
    steps = (Step("Transpose", ("x",), ("y",), (("perm", [1, 0]),)),)
    model = Model((Argument("x", "float32", (2, 3)),), (), steps, ("y",))
    assert {outcome.kind for outcome in try_model(model).values()} == {"right"}


def test_truth_keeps_the_variance_of_near_numbers():
    """onnxruntime's GroupNormalization loses it in E[x^2] - E[x]^2 in float32, in a graph of float64 too."""
    x = np.array([[[0.70288306, 0.7145173]]], "float32")
    step = Step("GroupNormalization", ("x", "w", "b"), ("y",), (("num_groups", 1),))
    values = {"x": x.astype("float64"), "w": np.ones(1), "b": np.zeros(1)}
    model = Model((), (), (step,), ("y",))
    deviation = values["x"] - values["x"].mean()
    np.testing.assert_allclose(Wide(model).run(step, values)[0], deviation / np.sqrt(values["x"].var() + 1e-5), 1e-7)


def test_rounding_is_to_a_neighbour_and_keeps_what_fits():
    generator = torch.Generator().manual_seed(0)
    x = torch.full((4000,), 1 + 2.0**-9, dtype=torch.float64)
    found = rounded(x, 8, generator)
    assert set(found.tolist()) == {1.0, 1 + 2.0**-7}
    assert abs(found.mean() - x.mean()) < 1e-3  # as often up as it is near
    whole = torch.tensor([3.0, -0.5, 255.0, 0.0, torch.inf], dtype=torch.float64)
    assert torch.equal(rounded(whole, 8, generator), whole)
    assert rounded(torch.tensor([1e39], dtype=torch.float64), 24, generator).isinf().all()


def test_the_rounded_mode_magnifies_what_cancels():
    x = torch.tensor([1.0 + 1e-7], dtype=torch.float64)
    with Rounded(24, 1):
        y = (x * 3.3 - 3.3) / 1e-7
    assert abs(float(y) - 3.3) > 1e-2


def test_a_fault_is_found_and_made_small(monkeypatch):
    """A lowering that is wrong by a thousandth is noticed, and the program comes down to the line at fault."""
    lines = (Line("v2", "torch.neg(x1)", "neg"), Line("v3", "torch.tanh(v2)", "tanh"), Line("v4", "v3 + x1", "+"))
    program = Program((Argument("x1", "float32", (3, 4)),), (), lines, ("v2", "v4"), 0)
    exact = torch_trial.results

    def at_fault(program, dtype, lengths):
        found = exact(program, dtype, lengths)
        return [y * 1.001 if "tanh" in str(program) else y for y in found]

    monkeypatch.setattr(torch_trial, "results", at_fault)
    outcome = torch_trial.try_program(program, "fp32")
    assert outcome.kind == "wrong"
    smallest = shrunk(program, lambda smaller: torch_trial.try_program(smaller, "fp32").fault)
    assert [line.name for line in smallest.lines] == ["v3"]


def test_exceptions_that_are_no_ttc_error_are_faults(monkeypatch):
    def broken(program, dtype, lengths):
        raise IndexError("list index out of range")

    monkeypatch.setattr(torch_trial, "results", broken)
    assert torch_trial.try_program(draw_program(1), "fp32") == Outcome("raw", "IndexError: list index out of range")


def test_programs_follow_from_their_seed():
    assert str(draw_program(5)) == str(draw_program(5)) != str(draw_program(6))


@pytest.mark.parametrize(
    ("make", "undecided"),
    [
        (lambda x: torch.argmin(torch.log(x - 2)), True),
        (lambda x: torch.argmax(x), False),
        (lambda x: x // 0.1, True),
        (lambda x: x // 0.25, False),
        (lambda x: (x - 0.5) // 0.7, False),
        (lambda x: torch.floor_divide(x, -0.1), True),
    ],
)
def test_what_the_page_of_numbers_leaves_open_is_not_judged(make, undecided):
    with Rounded(None) as noted:
        make(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    assert noted.undefined is undecided


@pytest.mark.parametrize(
    ("operator", "inputs", "kind"),
    [
        ("ReduceMax", ("x", "axes"), "undecided"),
        ("ReduceSum", ("x", "axes"), "right"),
        ("Sign", ("x",), "undecided"),
        ("Relu", ("x",), "right"),
        ("Pow", ("roots", "half"), "undecided"),
        ("Sqrt", ("roots",), "right"),
    ],
)
def test_onnx_says_nothing_of_nan_where_its_judges_differ(
    operator: str, inputs: tuple[str, ...], kind: str, monkeypatch
):
    given = {"x": np.array([[1, np.nan, 3]], "float32"), "roots": np.array([4, -np.inf], "float32")}
    arguments = tuple(Argument(name, "float32", given[name].shape) for name in inputs if name in given)
    constants = {"axes": np.array([1]), "half": np.array([0.5], "float32")}
    held = tuple((name, constants[name]) for name in inputs if name in constants)
    model = Model(arguments, held, (Step(operator, inputs, ("y",), ()),), ("y",))
    monkeypatch.setattr(
        Model, "feeds", lambda self: {argument.name: given[argument.name] for argument in self.arguments}
    )
    assert {outcome.kind for outcome in try_model(model).values()} == {kind}
