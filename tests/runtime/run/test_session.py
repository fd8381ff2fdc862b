import re
from dataclasses import replace

import numpy as np
import pytest

from tests.runtime import mlp
from ttc.calls.layout import Deallocate, ToLayout
from ttc.errors import InputError
from ttc.ir import Builder, Const, DType, Input, Layout, Spec, TensorType, Weight, Weights
from ttc.ir.lengths import Extent, Length
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run import loaded
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.device_null import NullDevice
from ttc.runtime.run.program import Program
from ttc.runtime.run.session import Session
from ttc.runtime.run.states import States
from ttc.runtime.run.steps import execute

X = np.random.default_rng(1).normal(size=(4, 64)).astype(np.float32)


def session(dtype: DType = DType.bf16) -> Session:
    return Session([Bucket.exact(mlp.program(dtype))], mlp.weights(dtype), EmulatorDevice())


def scaled_error(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def test_fp32_gives_the_numbers():
    assert scaled_error(session(DType.f32).run(X)["y"], mlp.reference(X)) < 1e-6


def test_bf16_rounds_and_stays_close():
    error = scaled_error(session().run(X)["y"], mlp.reference(X))
    assert 1e-5 < error < 2e-2


@pytest.mark.parametrize("inputs", [X, [X], (X,), {"x": X}])
def test_inputs_by_name_in_order_or_alone(inputs):
    np.testing.assert_array_equal(session().run(inputs)["y"], session().run(X)["y"])


def test_a_session_runs_again_and_again_without_uploading_again():
    device = Counting()
    ready = Session([Bucket.exact(mlp.program())], mlp.weights(), device)
    assert device.uploads == ["w1", "w2", "b"]
    first = ready.run(X)["y"]
    assert ready.run(X * 2)["y"].tolist() != first.tolist()
    np.testing.assert_array_equal(ready.run(X)["y"], first)
    assert device.uploads == ["w1", "w2", "b", "x", "x", "x"]
    assert device.calls.count("ttnn.to_layout") == 2  # of the weight alone: once, before the first run


def test_buckets_read_the_same_weights_but_those_that_set_up_prepares():
    """What is prepared goes when that is done: each bucket uploads it, and none holds it."""
    device = Counting()
    rows = (2, 4)
    buckets = [bucket_of(n) for n in rows]
    ready = Session(buckets, mlp.weights(), device)
    for n in rows:
        assert scaled_error(ready.run(X[:n])["y"], mlp.reference(X[:n])) < 0.02
    assert device.uploads == ["w1", "w2", "b", "x of 2", "w1", "x"]


def bucket_of(rows: int) -> Bucket:
    exact = Bucket.exact(mlp.program(rows=rows))
    extent = Extent((Length.named("n"), None))
    program = replace(exact.program, inputs=(*exact.program.inputs, ("n", TensorType(DType.i64, (1,)))))
    outputs = dict.fromkeys(exact.outputs, extent)
    return replace(exact, program=program, sizes={"n": rows}, names={"n": "n"}, inputs={"x": extent}, outputs=outputs)


class Counting(EmulatorDevice):
    """Notes what is uploaded (by shape) and run."""

    NAMES = {(64, mlp.HIDDEN): "w1", (mlp.HIDDEN, mlp.OUT): "w2", (mlp.OUT,): "b", (4, 64): "x", (2, 64): "x of 2"}

    def __init__(self):
        super().__init__()
        self.uploads, self.calls = [], []

    def upload(self, array, spec):
        self.uploads.append(self.NAMES[spec.shape])
        return super().upload(array, spec)

    def run(self, call, operands, specs):
        self.calls.append(call.mnemonic)
        return super().run(call, operands, specs)


def test_an_input_that_is_only_passed_through_comes_back_as_given():
    found = session().run(X)["x_again"]
    np.testing.assert_array_equal(found, X)  # not rounded to bf16
    found[:] = 0
    assert X.any()


def test_an_input_passed_through_comes_back_in_the_outputs_dtype():
    builder = Builder()
    x = builder(Input(Spec(DType.i32, (3,)), "x"))
    declared = {dtype: TensorType(dtype, (3,)) for dtype in (DType.i64, DType.f32)}
    program = Program(
        builder.finish({"y": x}), (("x", declared[DType.i64]),), (("y", declared[DType.f32]),), "n150", "fp32"
    )
    found = Session([Bucket.exact(program)], Weights(), EmulatorDevice()).run(np.array([-1, 0, 2**24 + 1]))["y"]
    assert found.dtype == np.float32
    assert found.tolist() == [-1.0, 0.0, 2.0**24]


def test_outputs_are_arrays_of_their_own():
    ready = session(DType.f32)
    ready.run(X)["y"][:] = 7
    assert scaled_error(ready.run(X)["y"], mlp.reference(X)) < 1e-6


def test_the_observer_sees_every_call_of_a_run():
    seen = []
    program = mlp.program()
    Session([Bucket.exact(program)], mlp.weights(), EmulatorDevice()).run(X, lambda *step: seen.append(step))
    assert [call.mnemonic for _, call, _, _ in seen] == ["ttnn.linear", "ttnn.linear", "ttnn.deallocate"]
    index, call, operands, results = seen[1]
    assert program.graph.nodes[index].op is call
    assert operands["input_tensor_a"] is seen[0][3][0]
    assert tuple(results[0].shape) == (4, mlp.OUT)


def test_values_are_freed_after_their_last_use(monkeypatch: pytest.MonkeyPatch):
    held, seen = [], []

    def watched(steps, tensors, observer=None):
        held.append(tensors)
        execute(steps, tensors, observer)

    monkeypatch.setattr(loaded, "execute", watched)
    device = EmulatorDevice()
    ready = loaded.Loaded(mlp.program(), mlp.weights(), device, {})

    def names() -> set[str]:
        return {value.name for value, number in ready.numbers.items() if held[-1][number] is not None}

    states = States(mlp.weights(), device)
    ready.run({"x": X}, states, lambda *step: seen.append(names()))
    kept = names() - {"x", "y"}
    assert kept == {"w1_1", "w2", "b"}  # w1 itself went after its detour
    assert [now - kept for now in seen] == [{"x", "hidden"}, {"hidden", "y"}, {"hidden", "y"}]


def test_weights_without_data_are_named():
    fake = Weights({ref: Weight(weight.type) for ref, weight in mlp.weights().items()})
    with pytest.raises(InputError, match="weight 'w1' has no data"):
        Session([Bucket.exact(mlp.program())], fake, NullDevice())


def test_a_weight_of_another_shape_is_named():
    wrong = mlp.weights().with_array("w2", TensorType(DType.f32, (2, 2)), np.zeros((2, 2), np.float32))
    with pytest.raises(InputError, match=re.escape("weight 'w2' has shape [2, 2]")):
        Session([Bucket.exact(mlp.program())], wrong, NullDevice())


def test_nan_runs_through():
    x = X.copy()
    x[1, 3] = np.nan
    found = session().run(x)["y"]
    assert np.isnan(found[1]).all()
    assert not np.isnan(found[0]).any()


def test_the_null_device_gives_zeros_of_the_declared_type():
    found = Session([Bucket.exact(mlp.program(declared=DType.f64))], mlp.weights(), NullDevice()).run(
        X.astype(np.float64)
    )
    assert found["y"].dtype == np.float32
    assert found["y"].shape == (4, mlp.OUT)
    assert not found["y"].any()


def test_state_is_empty_and_reset_changes_nothing():
    ready = session()
    first = ready.run(X)["y"]
    ready.reset()
    assert ready.state() == {}
    np.testing.assert_array_equal(ready.run(X)["y"], first)


def test_an_output_may_be_a_constant_or_stand_twice():
    builder = Builder()
    w = builder(Const(Spec(DType.i32, (3,), Layout.ROW_MAJOR), "w"))
    x = builder(Input(Spec(DType.bf16, (2, 2)), "x"))
    y = builder(ToLayout(x, Layout.ROW_MAJOR))
    builder(Deallocate(x))
    graph = builder.finish({"w": w, "a": y, "b": y})
    square = TensorType(DType.f16, (2, 2))
    outputs = (("w", TensorType(DType.i64, (3,))), ("a", square), ("b", square))
    weights = Weights({"w": Weight(TensorType(DType.i32, (3,)), lambda: np.array([1, -2, 3], np.int32))})
    program = Program(graph, (("x", square),), outputs, "n150", "bf16")
    found = Session([Bucket.exact(program)], weights, EmulatorDevice()).run(np.ones((2, 2), np.float16))
    assert found["w"].tolist() == [1, -2, 3]
    assert found["w"].dtype == np.int64
    assert found["a"].dtype == found["b"].dtype == np.float16
    found["a"][:] = 5
    assert found["b"].tolist() == [[1, 1], [1, 1]]


def test_one_bucket_is_set_up_at_once_and_several_when_a_run_first_needs_them():
    length = Length.named("T")
    x = Extent((length, None), None)
    several = [
        Bucket(mlp.program(rows=rows), {"T": rows}, {}, 1, {"T": 1}, (), {"x": x}, {"y": x, "x_again": x})
        for rows in (4, 8)
    ]
    one = session()  # held: a session that goes lets its programs go
    assert len(one._loaded) == 1
    ready = Session(several, mlp.weights(), EmulatorDevice())
    assert not ready._loaded
    assert ready.run(X[:3])["y"].shape == (3, mlp.OUT)
    assert list(ready._loaded) == [0]
    np.testing.assert_array_equal(ready.run(X[:3])["y"], one.run(X)["y"][:3])
    assert ready.program.inputs[0][1].shape[0] == 8, "the largest is what a session shows"


def test_an_exact_program_takes_no_other_length():
    with pytest.raises(InputError, match=re.escape("input 'x' has shape [3, 64], the program takes [4, 64]")):
        session().run(X[:3])
