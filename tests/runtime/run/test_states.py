"""States of a program written by hand: what a session keeps, gives, forgets, and never shows."""

import re

import numpy as np
import pytest

from ttc.errors import InputError
from ttc.ir import DType, TensorType, Weight, Weights, print_graph
from ttc.ir.weights import float32_to_bf16
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import Program, check_program, parse_program, weight_types
from ttc.runtime.run.session import Session

TEXT = """graph {
  %n: i32[2] tile dram = input(name="@state.n")
  %s: f32[2,4] tile dram = input(name="@state.sum")
  %before: bf16[2,4] tile dram = input(name="@state.before")
  %x: bf16[2,4] tile dram = input(name="x")
  %w: bf16[2,4] tile dram = const(ref="w")
  %n_0: i32[2] tile dram = ttnn.add(%n, 1)
  %s_0: f32[2,4] tile dram = ttnn.add(%s, 1.5)
  %y: bf16[2,4] tile dram = ttnn.add(%x, %w)
  %z: bf16[2,4] tile dram = ttnn.add(%y, %before)
  ttnn.deallocate(%y)
  return "@state.n"=%n_0, "z"=%z, "@state.sum"=%s_0, "was"=%n, "@state.before"=%x, "x"=%x
}
"""
I64, F32 = (TensorType(DType.i64, (2,)), TensorType(DType.f32, (2, 4)))
N, SUM, BEFORE, X = (("@state.n", I64), ("@state.sum", F32), ("@state.before", F32), ("x", F32))


def program(text: str = TEXT) -> Program:
    outputs = (N, ("z", F32), SUM, ("was", I64), BEFORE, X)
    return check_program(Program(parse_program(text), (N, SUM, BEFORE, X), outputs, "n150", "bf16"))


def weights() -> Weights:
    def weight(type: TensorType, array: np.ndarray) -> Weight:
        return Weight(type, lambda: array)

    bf16 = TensorType(DType.bf16, (2, 4))
    return Weights(
        {
            "w": weight(bf16, float32_to_bf16(np.ones((2, 4), np.float32))),
            "@state.n": weight(TensorType(DType.i32, (2,)), np.array([5, -7], np.int32)),
            "@state.sum": weight(F32, np.full((2, 4), 0.25, np.float32)),
            "@state.before": weight(bf16, float32_to_bf16(np.full((2, 4), -2, np.float32))),
        }
    )


class Transfers(EmulatorDevice):
    """Notes the shapes that cross the edge."""

    def __init__(self):
        super().__init__()
        self.up, self.down = [], []

    def upload(self, array, spec):
        self.up.append((spec.dtype.name, spec.shape))
        return super().upload(array, spec)

    def download(self, tensor, spec):
        self.down.append((spec.dtype.name, spec.shape))
        return super().download(tensor, spec)


def session(device: EmulatorDevice | None = None) -> Session:
    return Session([Bucket.exact(program())], weights(), device or EmulatorDevice())


def x(number: float) -> np.ndarray:
    return np.full((2, 4), number, np.float32)


def test_runs_go_on_from_what_runs_have_left():
    kept = session()
    for turn in range(50):
        found = kept.run({"x": x(turn)})
        assert list(found) == ["z", "was", "x"]
        np.testing.assert_array_equal(found["was"], [5 + turn, -7 + turn])
        np.testing.assert_array_equal(found["z"], x(turn + 1 + (turn - 1 if turn else -2)))
        np.testing.assert_array_equal(found["x"], x(turn))
    state = kept.state()
    assert list(state) == ["n", "sum", "before"]
    assert state["n"].dtype == np.int64
    assert state["n"].tolist() == [55, 43]
    np.testing.assert_array_equal(state["sum"], x(0.25 + 50 * 1.5))
    np.testing.assert_array_equal(state["before"], x(49))


def test_reset_returns_to_the_initial_numbers():
    kept = session()
    first = kept.state()
    assert first["n"].tolist() == [5, -7]
    assert first["before"][0, 0] == -2
    kept.run(x(1))
    kept.run([x(1)])
    kept.reset()
    np.testing.assert_array_equal(kept.state()["n"], first["n"])
    np.testing.assert_array_equal(kept.run(x(1))["z"], x(0))


def test_state_is_given_as_copies():
    kept = session()
    kept.run(x(1))
    kept.state()["n"][:] = 1000
    assert kept.state()["n"].tolist() == [6, -6]


def test_sessions_share_no_state():
    one, other = session(), session()
    one.run(x(1))
    assert other.state()["n"].tolist() == [5, -7]
    assert one.state()["n"].tolist() == [6, -6]


def test_state_stays_on_the_device_between_runs():
    device = Transfers()
    kept = session(device)
    kept.run(x(1))
    assert sorted(device.up) == sorted(
        [("bf16", (2, 4)), ("i32", (2,)), ("f32", (2, 4)), ("bf16", (2, 4)), ("bf16", (2, 4))]
    )
    device.up.clear()
    device.down.clear()
    kept.run(x(2))
    assert device.up == [("bf16", (2, 4))]  # x alone
    assert device.down == [("bf16", (2, 4)), ("i32", (2,))]  # z and was


def test_a_run_that_fails_changes_no_state():
    kept = session()
    kept.run(x(1))

    def stop(index, call, operands, results):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.run(x(2), stop)
    assert kept.state()["n"].tolist() == [6, -6]
    np.testing.assert_array_equal(kept.run(x(3))["z"], x(3 + 1 + 1))


def test_a_closed_session_has_no_state_to_give():
    kept = session()
    kept.run(x(1))
    kept.close()
    for use in (kept.state, kept.reset, lambda: kept.run(x(1))):
        with pytest.raises(InputError, match="the session is closed: open another one"):
            use()


@pytest.mark.parametrize("name", ["@state.n", "n", "@state."])
def test_users_give_no_state(name):
    with pytest.raises(InputError, match=re.escape(f"there is no input {name!r}; the program takes x")):
        session().run({"x": x(1), name: np.zeros(2, np.int64)})
    with pytest.raises(InputError, match="the program takes 1 inputs \\(x\\), got 2"):
        session().run([x(1), x(1)])
    with pytest.raises(InputError, match=r"input 'x' is missing; the program takes x$"):
        session().run({})


def test_states_are_weights_of_the_types_on_the_device():
    types = weight_types(program())
    assert types["@state.n"] == TensorType(DType.i32, (2,))
    assert types["@state.sum"] == F32


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"@state.n"=%n_0, ', "", "its signature says otherwise"),
        ("add(%n, 1)", "add(%n, %n)", ""),
        ('"@state.sum"=%s_0', '"@state.sum"=%z', "the program takes state 'sum' as f32[2,4] (f32[2,4] tile dram) and "
         "leaves f32[2,4] (bf16[2,4] tile dram)"),
        ('"@state.n"=%n_0, "z"=%z, "@state.sum"=%s_0', '"@state.n"=%s_0, "z"=%z, "@state.sum"=%s', "output '@state.n'"),
    ],
)  # fmt: skip
def test_a_state_is_left_as_it_is_taken(old, new, words):
    assert print_graph(program().graph) == TEXT
    if not words:
        program(TEXT.replace(old, new))
        return
    with pytest.raises(InputError, match=re.escape(words)):
        program(TEXT.replace(old, new))


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_state_has_two_sides(side):
    graph = parse_program('graph {\n  %n: i32[2] tile dram = input(name="NAME")\n  return "OUT"=%n\n}\n'
                          .replace("NAME", "@state.n" if side == "inputs" else "n")
                          .replace("OUT", "n" if side == "inputs" else "@state.n"))  # fmt: skip
    (given,), (left,) = graph.signature()
    with pytest.raises(InputError, match="the program has state 'n' on one side only"):
        check_program(Program(graph, ((given, I64),), ((left, I64),), "n150", "bf16"))


def test_the_models_own_types_agree_too():
    other = TensorType(DType.i32, (2,))
    outputs = (("@state.n", other), ("z", F32), SUM, ("was", I64), BEFORE, X)
    with pytest.raises(InputError, match=re.escape("takes state 'n' as i64[2] (i32[2] tile dram) and leaves i32[2]")):
        check_program(Program(parse_program(TEXT), (N, SUM, BEFORE, X), outputs, "n150", "bf16"))
