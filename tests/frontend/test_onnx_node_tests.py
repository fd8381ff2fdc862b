"""ONNX's own tests of single operators: none may be wrong or end in anything but a refusal."""

import functools
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper

from ttc import ops
from ttc.errors import Refused
from ttc.frontend.onnx import load
from ttc.ir import verify
from ttc.ir.weights import NUMPY
from ttc.ops.torch_types import array_of, tensor_of

OLD_OPSET = {"test_not_2d", "test_not_3d", "test_not_4d"}  # opset 1
TOLERANCES = {"float16": 2e-3, "bfloat16": 2e-2}
ROUNDS = 5  # inputs that turn out to be needed when compiling, one after another


@functools.cache
def cases() -> dict[str, list]:
    """All cases, by operator."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = load_model_tests(kind="node")
    groups: dict[str, list] = {}
    for case in found:
        if case.data_sets and case.name not in OLD_OPSET:
            groups.setdefault(case.model.graph.node[0].op_type, []).append(case)
    return groups


def loaded(model: onnx.ModelProto, feeds: dict[str, np.ndarray]):
    """The graph; inputs that must be known when compiling become initialisers."""
    shapes = {name: array for name, array in feeds.items() if hasattr(array, "shape")}
    given = onnx.ModelProto()
    given.CopyFrom(model)
    for _ in range(ROUNDS):
        try:
            return load(given, inputs=shapes)
        except Refused as refused:
            text = str(refused)
            missing = [n for n in feeds if f"the input {n!r}" in text and "when compiling" in text]
            if not missing or any(weight.name in missing for weight in given.graph.initializer):
                raise
            given.graph.initializer.extend(numpy_helper.from_array(feeds[name], name) for name in missing)
    raise AssertionError(text)


def array(item):
    return numpy_helper.to_array(item) if isinstance(item, TensorProto) else item


def passes(case) -> bool:
    """Whether the case was compiled, and then agreed; False for a refusal."""
    inputs, expected = ([array(item) for item in items] for items in case.data_sets[0])
    feeds = dict(zip([value.name for value in case.model.graph.input], inputs, strict=False))
    try:
        graph = verify(loaded(case.model, feeds))
    except Refused:
        return False
    tensors = {}
    for value in graph.inputs:
        data = np.array(feeds[value.op.name])
        tensors[value.op.name] = tensor_of(data.view(NUMPY[value.dtype]), value.dtype)
    for tensor, wanted in zip(ops.evaluate(graph, tensors).values(), expected, strict=False):
        found = tensor.float().numpy() if tensor.dtype is torch.bfloat16 else array_of(tensor)
        tolerance = max(case.rtol, TOLERANCES.get(np.asarray(wanted).dtype.name, 1e-3))
        wanted = np.asarray(wanted, np.float32) if tensor.dtype is torch.bfloat16 else np.asarray(wanted)
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype), case.name
        np.testing.assert_allclose(
            found.astype(np.float64), wanted.astype(np.float64), tolerance, tolerance / 100, err_msg=case.name
        )
    return True


REFUSED = {
    # state, sequences, strings, and results whose size depends on data
    "Loop", "Scan", "SequenceMap", "SequenceInsert", "SplitToSequence", "ReverseSequence",
    "OptionalGetElement", "OptionalHasElement", "SequenceLength", "NonZero",
    "NonMaxSuppression", "Unique", "TfIdfVectorizer",
    "StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "ImageDecoder", "LabelEncoder",
    # random numbers, training, trees
    "RandomUniformLike", "Bernoulli", "Adagrad", "Adam", "Momentum", "TreeEnsemble",
    "ArrayFeatureExtractor", "Binarizer",
    # what ttc has no op for
    "DFT", "STFT", "MelWeightMatrix", "GridSample", "RoiAlign", "DeformConv", "Col2Im",
    "MaxUnpool", "Det", "CumProd", "BitShift", "BitCast", "TensorScatter", "MatMulInteger",
    "ConvInteger", "QLinearConv", "QLinearMatMul", "LinearAttention",
}  # fmt: skip


@functools.cache
def outcomes() -> tuple[dict[str, int], list[str]]:
    """How many cases of each operator were compiled and agreed, and what went wrong in the others."""
    counts: dict[str, int] = {}
    wrong = []
    for kind, group in cases().items():
        for case in group:
            try:
                counts[kind] = counts.get(kind, 0) + passes(case)
            except Exception as error:  # a wrong number and a crash are both findings
                wrong.append(f"{case.name}: {type(error).__name__}: {error}"[:400])
    return counts, wrong


def test_none_is_wrong():
    assert not outcomes()[1], "\n".join(outcomes()[1])


def test_which_operators_are_refused():
    assert {kind for kind, count in outcomes()[0].items() if not count} == REFUSED


def test_most_cases_are_compiled():
    assert sum(outcomes()[0].values()) >= 1371
