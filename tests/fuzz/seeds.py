"""What is damaged: sound models, artifacts and texts, small ones."""

from __future__ import annotations

import io
import tempfile
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper, parser

import ttc
from tests.samples import SAMPLES
from ttc import calls
from ttc.calls.target import TARGETS
from ttc.compiled.executable import Executable
from ttc.errors import Refused
from ttc.frontend.onnx import operators
from ttc.ir import DType, Op
from ttc.pipeline import Build, Options, compile_graph
from ttc.runtime.run.program import parse_program

LARGEST = 4000
"""Bytes of a model: damage to large ones mostly hits the numbers of their weights."""

HAND_WRITTEN = (
    "(float[2,3] x) => (y) <float[4,3] w, float[4] b> { y = Gemm<transB=1>(x, w, b) }",
    "(float[1,2,6,6] x) => (y) <float[3,2,3,3] w> { c = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w) y = Relu(c) }",
    "(float[1,2,6,6] x) => (y) { y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) }",
    "(float[2,8] x) => (y) <float[8] s, float[8] b> { y = LayerNormalization<axis=-1, epsilon=1e-5>(x, s, b) }",
    "(float[2,3,4] x) => (y, z) <int64[3] k = {2, 1}> { y, z = Split<axis=1>(x, k) }",
    "(float[2,3,4] x) => (y) <int64[2] s = {2, 12}> { r = Reshape(x, s) y = Softmax<axis=1>(r) }",
    "(float[5,4] x, int64[2] i) => (y) { g = Gather<axis=0>(x, i) y = Transpose<perm=[1,0]>(g) }",
    "(float[2,4] x) => (y) <int64[1] a = {0}, int64[1] b = {3}, int64[1] d = {1}> { y = Slice(x, a, b, d) }",
    "(float[N,4] x, float[N,4] z) => (y) { c = Greater(x, z) y = Where(c, x, z) }",
    "(float[3,4] x) => (y) <int64[4] p = {0, 1, 2, 0}> { y = Pad<mode=\"reflect\">(x, p) }",
    "(float[1,1,4,4] x) => (y) <float[4] s = {1.0, 1.0, 2.0, 2.0}> { y = Resize<mode=\"linear\">(x, , s) }",
    "(float[2,3] x, float[3,2] w) => (y) { y = Einsum<equation=\"ij,jk->ik\">(x, w) }",
    "(float[3,2,4] x) => (y) <float[1,12,4] w, float[1,12,3] r> { y, h, c = LSTM<hidden_size=3>(x, w, r) }",
    "(float[2,3] x, bool c) => (y) { y = If(c) <then_branch = g1 () => (float[2,3] a) { a = Relu(x) }, "
    "else_branch = g2 () => (float[2,3] b) { b = Neg(x) }> }",
    "(float[4] x) => (y) { n = Shape(x) m = Cast<to=1>(n) y = Mul(x, m) }",
    "(float[2,6] x) => (v, i) <int64[1] k = {3}> { v, i = TopK<axis=1>(x, k) }",
    "(float[2,6] x) => (y) { s = ReduceMean<keepdims=1>(x) d = Sub(x, s) e = Mul(d, d) y = Sqrt(e) }",
    "(int64[4] x) => (y) { c = Constant<value = int64[1] {5}>() d = Div(x, c) y = Mod(d, c) }",
)  # fmt: skip


def prepare(kind: str, whole: bool) -> None:
    """Make what a kind of inputs is made from."""
    match kind:
        case "onnx":
            models(whole)
        case "npz":
            layer()
            inputs()
        case "pt2":
            archives()
            words()
        case "ttc":
            artifacts(whole)
            words()
        case _:
            texts()
            words()


@cache
def models(whole: bool) -> tuple[ModelProto, ...]:
    """Models of a few nodes: those written here, and if `whole` ONNX's own test cases of single operators too."""
    found = [*map(_written, HAND_WRITTEN), _with_external_data()]
    if whole:
        from onnx.backend.test.loader import load_model_tests

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cases = load_model_tests(kind="node")
        found += [_with_values(case) for case in cases if case.model and len(case.model.SerializeToString()) < LARGEST]
    return tuple(found)


def _written(text: str) -> ModelProto:
    """The model of one of the lines above; initialisers that they give no numbers get some."""
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]> g {text}')
    for value in model.graph.value_info:
        shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        data = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        model.graph.initializer.append(numpy_helper.from_array(data, value.name))
    del model.graph.value_info[:]
    return model


def _with_external_data() -> ModelProto:
    """A model whose weight lies in the file `weights.bin` beside it, which the worker provides."""
    model = _written("(float[2,3] x) => (y) <float[4,3] w> { y = Gemm<transB=1>(x, w) }")
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "weights.bin", "offset": "0", "length": "48"}.items():
        weight.external_data.add(key=key, value=value)
    return model


def _with_values(case) -> ModelProto:
    """A test case whose small integer inputs, which may decide shapes, are constants."""
    model = ModelProto()
    model.CopyFrom(case.model)
    arrays = case.data_sets[0][0] if case.data_sets else []
    for value, array in zip(model.graph.input, arrays, strict=False):
        if isinstance(array, np.ndarray) and array.dtype == np.int64 and array.size <= 8:
            model.graph.initializer.append(numpy_helper.from_array(array, value.name))
    return model


def operator_names() -> list[str]:
    """ONNX's operators that ttc knows."""
    return operators()[""]


@cache
def texts() -> tuple[str, ...]:
    """Programs of ops, as text."""
    return tuple(str(sample.graph()[0]) for sample in SAMPLES)


@cache
def artifacts(whole: bool) -> tuple[bytes, ...]:
    """Artifacts of samples, a few or, if `whole`, a good hundred; every fourth without the data of its weights."""
    count = 120 if whole else 8
    found: list[bytes] = []
    for sample in SAMPLES[:: max(1, len(SAMPLES) // count)]:
        try:
            build = compile_graph(sample.graph()[0], Options(TARGETS["n150"], "bf16"))
        except Refused:
            continue
        found.append(_saved(build, len(found) % 4 != 0))
    return (*found, *[in_buckets()] * (1 + len(found) // 10))


def _saved(build: Build, with_data: bool) -> bytes:
    from ttc.runtime.file import artifact

    executable = Executable.of([build])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.ttc"
        weights = ((ref, build.weights.read(ref)) for ref in build.weights) if with_data else None
        artifact.save(path, executable.buckets, str(executable.derivation), weights)
        return path.read_bytes()


@cache
def layer() -> bytes:
    """An artifact that takes three inputs: floats, whole numbers, booleans."""
    text = "(float[2,4] x, int64[4] i, bool[2,4] c) => (y) { f = Cast<to=1>(i) a = Add(x, f) y = Where(c, a, x) }"
    with tempfile.TemporaryDirectory() as folder:
        ttc.compile(_written(text)).save(f"{folder}/seed.ttc")
        return Path(folder, "seed.ttc").read_bytes()


@cache
def inputs() -> bytes:
    """A .npz file that `layer` takes."""
    file = io.BytesIO()
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    np.savez(file, x=x, i=np.arange(4), c=x > 0)
    return file.getvalue()


@cache
def archives() -> tuple[bytes, ...]:
    """Exported programs, of fixed sizes and with an open one."""
    from tests.frontend.archive.archives import dynamic, static

    return static(), dynamic()


def in_buckets() -> bytes:
    """An artifact of two lengths."""
    text = "(float[N,4] x) => (y) <float[4,3] w> { s = Softmax<axis=0>(x) y = MatMul(s, w) }"
    with tempfile.TemporaryDirectory() as folder:
        ttc.compile(_written(text), lengths={"N": [2, 4]}).save(f"{folder}/seed.ttc")
        return Path(folder, "seed.ttc").read_bytes()


@cache
def words() -> list[str]:
    """The words that mean something in a program's text: ops, calls, element types, attributes."""
    parse_program("graph {\n  return\n}\n")  # brings in every call
    assert calls.__name__ == "ttc.calls"
    fields = {name for kind in Op.registry.values() for name in kind.__dataclass_fields__}  # type: ignore[attr-defined]
    marks = {"none", "true", "false", "inf", "nan", "tile", "row_major", "dram", "l1", "host", "body", "return"}
    return sorted({*Op.registry, *DType.__members__, *fields, *marks})
