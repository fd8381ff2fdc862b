"""ttc as a backend of ONNX's own interface, and ONNX's own suite through the whole compiler."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import ttc
from bench import onnx_suite
from tests.mock_cards import check_many
from ttc.calls.target import target_named
from ttc.errors import InputError, Refused, TtcError
from ttc.plugins import onnx_backend

GROUPS = 8


def model_of(nodes, inputs, outputs, weights=(), opset=21):
    entries = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    results = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()]
    graph = helper.make_graph(nodes, "g", entries, results, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def reshape_model():
    x, shape = (TensorProto.FLOAT, [2, 6]), (TensorProto.INT64, [2])
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    return model_of([node], {"x": x, "shape": shape}, {"y": (TensorProto.FLOAT, [None, None])})


X = np.arange(12, dtype=np.float32).reshape(2, 6)


def test_run_model_gives_outputs_by_position_and_name():
    outputs = onnx_backend.run_model(reshape_model(), [X, np.array([3, 4])])
    np.testing.assert_array_equal(outputs[0], X.reshape(3, 4))
    np.testing.assert_array_equal(outputs["y"], outputs[0])


def test_prepared_models_run_again_with_other_values_that_decide_shapes():
    prepared = onnx_backend.prepare(reshape_model())
    for shape in ((3, 4), (12, 1), (3, 4)):
        assert prepared.run([X, np.array(shape)])[0].shape == shape


def test_each_deciding_value_has_one_program():
    compiled = ttc.compile(reshape_model(), dtype="fp32")
    with pytest.raises(TtcError, match="the values of shape decide shapes; run it once"):
        compiled.dump("import")
    for shape in ((3, 4), (4, 3), (3, 4)):
        compiled.run({"x": X, "shape": np.array(shape)})
    assert len(compiled._forms) == 2


def test_a_deciding_input_that_is_missing_or_of_another_dtype_is_named():
    compiled = ttc.compile(reshape_model(), dtype="fp32")
    with pytest.raises(Refused, match="needs its shape when compiling; it is computed from the input 'shape'"):
        compiled.run({"x": X})
    with pytest.raises(InputError, match="input 'shape' is float32"):
        compiled.run({"x": X, "shape": np.array([3, 4], np.float32)})


def test_run_node():
    outputs = onnx_backend.run_node(helper.make_node("Relu", ["x"], ["y"]), [X - 5])
    np.testing.assert_array_equal(outputs[0], np.maximum(X - 5, 0))


def test_devices():
    assert onnx_backend.supports_device("CPU")
    assert onnx_backend.supports_device("CPU:0")
    assert not onnx_backend.supports_device("CUDA")


def test_too_many_inputs():
    with pytest.raises(InputError, match="the model takes 2 inputs, got 3"):
        onnx_backend.run_model(reshape_model(), [X, np.array([3, 4]), X])


def test_outputs_have_the_models_dtypes():
    nodes = [helper.make_node("Cast", ["x"], [name], to=kind) for name, kind in KINDS.items()]
    model = model_of(nodes, {"x": (TensorProto.FLOAT, [2, 6])}, {name: (kind, [2, 6]) for name, kind in KINDS.items()})
    outputs = onnx_backend.run_model(model, [X])
    for output, kind in zip(outputs, KINDS.values(), strict=True):
        expected = numpy_helper.to_array(helper.make_tensor("t", kind, [12], X.flatten()))
        assert output.dtype == expected.dtype
        np.testing.assert_array_equal(output.flatten().astype(np.float32), expected.astype(np.float32))


KINDS = {
    "bf16": TensorProto.BFLOAT16,
    "f64": TensorProto.DOUBLE,
    "i4": TensorProto.INT4,
    "f8": TensorProto.FLOAT8E4M3FN,
}
X = X - 4  # within int4


def test_integers_that_do_not_fit_the_card_are_refused():
    node = helper.make_node("Neg", ["x"], ["y"])
    model = model_of([node], {"x": (TensorProto.INT64, [1])}, {"y": (TensorProto.INT64, [1])})
    with pytest.raises(InputError, match="input 'x' holds 4294967296, which int32 on the device cannot hold"):
        onnx_backend.run_model(model, [np.array([2**32])])


def test_the_suites_page_counts_and_groups():
    outcomes = [
        onnx_suite.Outcome("node", "a", "Add", True, "passed"),
        onnx_suite.Outcome(
            "node", "b", "Loop", True, "refused", "1 thing in this model cannot be compiled:\n  n 7: Loop: has 9 steps"
        ),
        onnx_suite.Outcome(
            "simple", "c", "If", False, "refused", "1 thing in this model cannot be compiled:\n  m: Loop: has 12 steps"
        ),
    ]
    assert onnx_suite.counts(outcomes)["tensors only"] == {
        "cases": 2, "passed": 1, "refused": 1, "wrong": 0, "crashed": 0, "hung": 0,
    }  # fmt: skip
    assert [(reason, len(cases)) for reason, cases in onnx_suite.reasons(outcomes)] == [("Loop: has N steps", 2)]
    text = onnx_suite.page(outcomes)
    assert "50.0 %" in text
    assert "| 2 | Loop: has N steps | If, Loop |" in text


def test_a_wrong_case_is_found(monkeypatch):
    case = next(case for case in onnx_suite.cases() if case.name == "test_relu")
    assert onnx_suite.outcome_of(case).verdict == "passed"
    monkeypatch.setattr(onnx_suite, "data_of", lambda case, model: [([X], [X - 1])])
    monkeypatch.setattr(onnx_suite, "model_of", lambda case: _relu())
    assert onnx_suite.outcome_of(case).verdict == "wrong"


def _relu() -> onnx.ModelProto:
    kind = (TensorProto.FLOAT, [2, 6])
    return model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": kind}, {"y": kind})


@pytest.mark.parametrize("group", range(GROUPS))
def test_suite(group: int):
    """Every case of ONNX's suite passes or is refused; at least 88 % of those with tensors alone pass."""
    outcomes = [onnx_suite.outcome_of(case) for case in onnx_suite.cases()[group::GROUPS]]
    bad = [f"{outcome.name}: {outcome.verdict}: {outcome.reason}" for outcome in outcomes if outcome.verdict in BAD]
    assert not bad, "\n".join(bad)
    assert all(outcome.reason for outcome in outcomes if outcome.verdict == "refused")
    tensors = onnx_suite.counts(outcomes)["tensors only"]
    assert tensors["passed"] >= 0.88 * tensors["cases"]


@pytest.mark.sweep
@pytest.mark.parametrize("group", range(GROUPS))
def test_the_suites_programs_are_accepted_by_ttnn(group: int):
    programs = {}
    for case in onnx_suite.cases()[group::GROUPS]:
        model = onnx_suite.model_of(case)
        try:
            prepared = onnx_backend.prepare(model)
            for inputs, _ in onnx_suite.data_of(case, model):
                prepared.run(inputs)
        except TtcError:
            continue
        programs[case.name] = str(prepared.program.graph)
    reports = check_many(list(programs.values()), target_named("n150"))
    refused = {name: report.to_dict() for name, report in zip(programs, reports, strict=True) if not report.ok}
    assert not refused


def test_refused_operators():
    """By the first case of each operator that is refused, and of some that are not."""
    found = {outcome.op for outcome in map(onnx_suite.outcome_of, _firsts()) if outcome.verdict == "refused"}
    assert found == REFUSED


def _firsts():

    wanted = {*REFUSED, "Loop", "DFT", "GridSample", "QLinearConv", "SequenceAt"}
    firsts = {}
    for case in onnx_suite.cases():
        firsts.setdefault(onnx_suite.model_of(case).graph.node[0].op_type, case)
    return [case for op, case in firsts.items() if op in wanted]


REFUSED = {
    "Bernoulli", "DeformConv", "ImageDecoder", "LabelEncoder", "NonMaxSuppression", "NonZero", "RandomUniformLike",
    "RegexFullMatch", "RoiAlign", "SequenceInsert", "SequenceLength", "SequenceMap", "StringConcat",
    "StringNormalizer", "StringSplit", "TfIdfVectorizer", "TreeEnsemble", "Unique",
}  # fmt: skip
"""Operators of which every case is refused."""


BAD = ("wrong", "crashed", "hung")


@pytest.mark.parametrize(
    "name",
    [
        "test_castlike_BFLOAT16_to_FLOAT", "test_castlike_FLOAT_to_BFLOAT16", "test_cast_INT4_to_FLOAT",
        "test_cast_UINT4_to_UINT8", "test_cast_FLOAT8E5M2FNUZ_to_FLOAT16", "test_dequantizelinear_int4",
        "test_attention_4d_causal_bf16", "test_range_bfloat16_type_positive_delta",
    ],
)  # fmt: skip
def test_run_takes_and_gives_the_types_that_numpy_lacks(name):
    case = next(case for case in onnx_suite.cases() if case.name == name)
    model = onnx_suite.model_of(case)
    inputs, expected = next(iter(onnx_suite.data_of(case, model)))
    named = dict(zip([value.name for value in model.graph.input], map(onnx_suite.array_of, inputs), strict=True))
    found = ttc.compile(model, dtype="fp32").run(named, "emulator")
    for output, wanted in zip(model.graph.output, map(onnx_suite.array_of, expected), strict=True):
        array = found[output.name]
        np.testing.assert_array_equal(array, array.astype(wanted.dtype).astype(array.dtype))  # rounded to its type
        np.testing.assert_allclose(array.astype(np.float64), wanted.astype(np.float64), rtol=2**-6, atol=case.atol)


def test_the_page_of_the_suite_is_not_written_of_a_part(capsys):
    with pytest.raises(SystemExit):
        onnx_suite.main(["--only", "abs", "--write"])
    assert "--write goes without --only" in capsys.readouterr().err
