"""State of ONNX models: inputs bound to outputs."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import ttc
from tests.cards import CARD_AND_DTYPE
from tests.mock_cards import check
from ttc.calls.target import target_named
from ttc.cli import main
from ttc.errors import InputError, Refused
from ttc.validation.accuracy import pcc

PLACES = 32
STATE = {"past": "present", "position": "next", "mean": "new_mean"}


def stepping() -> onnx.ModelProto:
    """A cache that is written at a counted position, and a moving average."""
    cache, step = [1, 2, PLACES, 8], [1, 2, 1, 8]
    sides = {
        "past": (TensorProto.FLOAT, cache),
        "position": (TensorProto.INT64, [1]),
        "mean": (TensorProto.FLOAT, [8]),
        "x": (TensorProto.FLOAT, step),
    }
    gives = {
        "y": (TensorProto.FLOAT, [1, 2, 8]),
        "present": sides["past"],
        "next": sides["position"],
        "new_mean": sides["mean"],
    }
    known = {
        "line": np.arange(PLACES).reshape(1, 1, PLACES, 1),
        "one": np.array([1]),
        "decay": np.float32(0.9),
        "rest": np.float32(0.1),
        "but_last": np.array([0, 1, 2]),
        "places": np.array([2]),
    }
    nodes = [
        helper.make_node("Equal", ["line", "position"], ["here"]),
        helper.make_node("Where", ["here", "x", "past"], ["present"]),
        helper.make_node("Add", ["position", "one"], ["next"]),
        helper.make_node("ReduceMean", ["x", "but_last"], ["now"], keepdims=0),
        helper.make_node("Mul", ["mean", "decay"], ["old"]),
        helper.make_node("Mul", ["now", "rest"], ["part"]),
        helper.make_node("Add", ["old", "part"], ["new_mean"]),
        helper.make_node("ReduceSum", ["present", "places"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "new_mean"], ["y"]),
    ]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in known.items()]
    inputs, outputs = ([helper.make_tensor_value_info(n, *t) for n, t in side.items()] for side in (sides, gives))
    graph = helper.make_graph(nodes, "stepping", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_runs_go_on_as_onnxruntime_does(dtype, tmp_path):
    compiled = ttc.compile(stepping(), state=STATE, dtype=dtype)
    compiled.save(tmp_path / "model.ttc")
    sessions = compiled.session(), ttc.load(tmp_path / "model.ttc").session()
    theirs = onnxruntime.InferenceSession(stepping().SerializeToString())
    generator = np.random.default_rng(0)
    state = {"past": np.zeros((1, 2, PLACES, 8), "f"), "position": np.zeros(1, np.int64), "mean": np.zeros(8, "f")}
    for _ in range(50):
        x = generator.standard_normal((1, 2, 1, 8)).astype("f")
        y, *left = theirs.run(None, {**state, "x": x})
        state = dict(zip(state, left, strict=True))
        for session in sessions:
            found = session.run(x)
            assert list(found) == ["y"]
            if dtype == "fp32":
                np.testing.assert_allclose(found["y"], y, rtol=2e-5, atol=2e-6)
            assert pcc(found["y"], y) >= 0.999
    for session in sessions:
        held = session.state()
        assert held.keys() == state.keys()
        assert held["position"].dtype == np.int64
        np.testing.assert_array_equal(held["position"], state["position"])
        np.testing.assert_allclose(held["mean"], state["mean"], rtol=1e-5, atol=1e-6)  # in fp32, whatever the dtype
        assert pcc(held["past"], state["past"]) >= 0.9999
        session.reset()
        assert not any(array.any() for array in session.state().values())


@pytest.mark.parametrize(("target", "dtype"), CARD_AND_DTYPE)
def test_the_library_accepts_the_program(target, dtype):
    program = ttc.compile(stepping(), state=STATE, target=target, dtype=dtype).executable.program
    report = check(program, target_named(target))
    assert report.ok, report.faults


def test_without_binding_all_are_inputs_and_outputs():
    compiled = ttc.compile(stepping())
    assert compiled.session().state() == {}
    with pytest.raises(InputError, match="input 'past' is missing"):
        compiled.run({"x": np.ones((1, 2, 1, 8), "f")})
    bound = ttc.compile(stepping(), state={"position": "next"})
    assert list(bound.session().state()) == ["position"]
    with pytest.raises(InputError, match="there is no input 'position'; the program takes past, mean, x"):
        bound.run({"x": np.ones((1, 2, 1, 8), "f"), "position": np.zeros(1, np.int64)})


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"post": "present"}, "state binds the input 'post', which the model does not have: it has past, position"),
        ({"past": "gift"}, "state binds the output 'gift', which the model does not have: it has y, present, next"),
        ({"past": "present", "mean": "present"}, "the output 'present' is bound to two states: past and mean"),
        ({"past": 3}, 'state binds inputs to outputs by name, such as {"past": "present"}; got dict'),
        ({"": "present"}, "state binds inputs to outputs by name"),
        (["past"], "state binds inputs to outputs by name"),
    ],
)
def test_wrong_bindings_are_named(state, words):
    with pytest.raises(InputError) as caught:
        ttc.compile(stepping(), state=state)
    assert words in str(caught.value)


def test_a_state_keeps_its_type():
    with pytest.raises(Refused, match=r"the state is f32\[8\] before a run and i64\[1\] after it: a state keeps its"):
        ttc.compile(stepping(), state={"mean": "next"})


def growing() -> onnx.ModelProto:
    """A state as long as the input."""
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["T", 4]) for name in ("x", "before", "y", "after")]
    nodes = [helper.make_node("Add", ["x", "before"], ["after"]), helper.make_node("Relu", ["after"], ["y"])]
    graph = helper.make_graph(nodes, "growing", sides[:2], sides[2:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_a_state_has_one_size():
    with pytest.raises(Refused, match="state 'before': its size is a length: state is of fixed sizes"):
        ttc.compile(growing(), state={"before": "after"}, lengths={"T": [32, 64]})
    session = ttc.compile(growing(), state={"before": "after"}, lengths={"T": 5}).session()
    for turn in (1, 2):
        np.testing.assert_array_equal(session.run(np.ones((5, 4), "f"))["y"], np.full((5, 4), turn))


def summing() -> onnx.ModelProto:
    """A sum over all elements of all runs."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", 4])
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("before", "y", "after")]
    nodes = [
        helper.make_node("ReduceSum", ["x", "first"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "before"], ["after"]),
        helper.make_node("Neg", ["after"], ["y"]),
    ]
    first = numpy_helper.from_array(np.array([0]), "first")
    graph = helper.make_graph(nodes, "summing", [x, sides[0]], sides[1:], [first])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_buckets_share_a_state(tmp_path):
    compiled = ttc.compile(summing(), state={"before": "after"}, lengths={"T": [32, 64]}, dtype="fp32")
    compiled.save(tmp_path / "sum.ttc")
    for session in (compiled.session(), ttc.load(tmp_path / "sum.ttc").session()):
        total = 0
        for length in (3, 40, 32, 64, 1):
            total += length
            np.testing.assert_array_equal(session.run(np.ones((length, 4), "f"))["y"], np.full(4, -total))
        np.testing.assert_array_equal(session.state()["before"], np.full(4, total))


def test_the_command_line_binds_states(tmp_path, capsys):
    path, out = tmp_path / "m.onnx", tmp_path / "m.ttc"
    onnx.save(stepping(), path)
    flags = [word for before, after in STATE.items() for word in ("--state", f"{before}={after}")]
    assert main(["compile", str(path), "-o", str(out), *flags]) == 0
    assert main(["inspect", str(out)]) == 0
    text = capsys.readouterr().out
    assert "state position: i64[1] (i32[1] row_major dram)\n" in text
    assert "state mean: f32[8] (f32[8] tile dram)\n" in text
    assert main(["run", str(out)]) == 0
    assert main(["validate", str(path), "--per-op", *flags]) == 0
    capsys.readouterr()
    assert main(["compile", str(path), "-o", str(out), "--state", "past=present", "--state", "past=next"]) == 2
    assert "the input 'past' is bound twice as state: to present and next" in capsys.readouterr().err
    assert main(["inspect", str(out), *flags]) == 2
    assert "options of compilation are for a model" in capsys.readouterr().err
    for wrong in ("past", "=present", "past="):
        with pytest.raises(SystemExit):
            main(["compile", str(path), "-o", str(out), "--state", wrong])
        assert f"'{wrong}' is no state; write INPUT=OUTPUT" in capsys.readouterr().err
