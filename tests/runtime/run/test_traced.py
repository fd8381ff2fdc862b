"""Traced runs on a stand-in of ttnn: the order of what happens on the card, and that replays compute what runs do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.stand_in import StandIn, standing_in
from ttc.calls.target import TARGETS
from ttc.compiled.executable import Executable
from ttc.errors import InputError, TtcError
from ttc.ir import DType, TensorType, Weight, Weights
from ttc.ir.lengths import Extent, Length
from ttc.runtime.mock import MOCK_CARD
from ttc.runtime.run import devices
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.device_null import NullDevice
from ttc.runtime.run.program import Program, check_program, parse_program
from ttc.runtime.run.queues import Queues
from ttc.runtime.run.session import Session
from ttc.runtime.run.traced import why_not

TEXT = """graph {
  %n: f32[2,4] tile dram = input(name="@state.n")
  %m: f32[2,4] tile dram = input(name="@state.m")
  %c: f32[2,4] tile dram = input(name="@state.count")
  %p: f32[2,4] tile dram = input(name="@state.kept")
  %x: f32[2,4] tile dram = input(name="x")
  %w: f32[2,4] tile dram = const(ref="w")
  %v: f32[2,4] tile dram = ttnn.relu(%w)
  %a: f32[2,4] tile l1 = ttnn.add(%x, %v, memory_config=MemoryConfig(buffer=L1))
  %b: f32[2,4] tile l1 = ttnn.multiply(%a, %x, memory_config=MemoryConfig(buffer=L1))
  ttnn.deallocate(%x)
  ttnn.deallocate(%a)
  %y: f32[2,4] tile l1 = ttnn.add(%b, %n, memory_config=MemoryConfig(buffer=L1))
  ttnn.deallocate(%b)
  %k: f32[2,4] tile dram = ttnn.add(%c, 1.0)
  %z: f32[2,4] tile dram = ttnn.add(%k, %p)
  return "y"=%y, "was"=%n, "z"=%z, "again"=%y, "x"=%x, "@state.n"=%m, "@state.m"=%n, "@state.count"=%k, "@state.kept"=%p
}
"""
F32 = TensorType(DType.f32, (2, 4))
STATES = ("@state.n", "@state.m", "@state.count", "@state.kept")
SIDE = (*((name, F32) for name in STATES), ("x", F32))
NUMBERS = {"w": -1.0, **{name: 5.0 + number for number, name in enumerate(STATES)}}
OUTPUTS = ("y", "was", "z", "again", "x")
SIZE, REGION = 1000, 2500


def weights(rows: int = 2) -> Weights:
    def full(number: float, shape: tuple[int, ...]) -> np.ndarray:
        return np.linspace(number, number + 2, int(np.prod(shape)), dtype=np.float32).reshape(shape)

    kinds = {name: TensorType(DType.f32, (2, 4)) for name in NUMBERS}
    kinds["w"] = TensorType(DType.f32, (rows, 4))
    return Weights({n: Weight(kinds[n], partial(full, number, kinds[n].shape)) for n, number in NUMBERS.items()})


def bucket() -> Bucket:
    outputs = (*((name, F32) for name in OUTPUTS), *SIDE[:-1])
    return Bucket.exact(check_program(Program(parse_program(TEXT), SIDE, outputs, "n150", "fp32")))


def sized(rows: int) -> Bucket:
    """Without states, at a size of T rows."""
    text = f"""graph {{
      %x: f32[{rows},4] tile dram = input(name="x")
      %w: f32[4,4] tile dram = const(ref="w")
      %a: f32[{rows},4] tile dram = ttnn.linear(%x, %w)
      %y: f32[{rows},4] tile dram = ttnn.relu(%a)
      ttnn.deallocate(%a)
      return "y"=%y
    }}"""
    side, extent = TensorType(DType.f32, (rows, 4)), Extent((Length.named("T"), None), None)
    program = Program(parse_program(text), (("x", side),), (("y", side),), "n150", "fp32")
    return Bucket(program, {"T": rows}, {}, 1, {"T": 1}, (), {"x": extent}, {"y": extent})


def x(number: float, rows: int = 2) -> np.ndarray:
    return np.arange(4 * rows, dtype=np.float32).reshape(rows, 4) + number


@pytest.fixture
def ttnn() -> Iterator[StandIn]:
    with standing_in() as found:
        yield found


def session(buckets: list[Bucket] | None = None, sizes: tuple[int, ...] | None = None, rows: int = 2) -> Session:
    """A session on the stand-in's card, which sessions of one test share."""
    from ttc.runtime.run.device_ttnn import join_card

    buckets = buckets or [bucket()]
    return Session(buckets, weights(rows), join_card(None, REGION), (SIZE,) * len(buckets) if sizes is None else sizes)


def eager(buckets: list[Bucket] | None = None, rows: int = 2) -> Session:
    return session(buckets, (), rows)


def replaying() -> Session:
    """A session whose trace is captured, in its initial state."""
    ready = session()
    ready.run(x(0))
    ready.run(x(0))
    ready.reset()
    return ready


LASTING = ("allocate", "upload", "empty")


def test_all_that_lasts_is_allocated_before_the_capture_and_nothing_after(ttnn: StandIn):
    ready = session()
    assert ready.eager is None
    ready.run(x(0))
    assert not ttnn.words("begin", "execute"), "the first run warms up"
    made = ttnn.held
    ttnn.log.clear()
    ready.run(x(0))
    words = [word for word, _ in ttnn.log]
    begin, end = words.index("begin"), words.index("end")
    assert not set(words[:begin]) & set(LASTING)
    assert not set(words[begin:end]) & {"upload", "empty", "read", "write by 0", "write by 1"}
    assert "call" in words[begin:end]
    assert not set(words[end:]) & set(LASTING)
    assert ttnn.held == made, "what a capture allocates is free again when it ends"
    ttnn.log.clear()
    for turn in range(5):
        ready.run(x(turn))
    assert not ttnn.words(*LASTING, "free", "call", "begin"), "a run is a replay and nothing else"
    assert len(ttnn.words("execute")) == 5


def test_each_run_writes_the_same_tensors_in_the_order_of_events(ttnn: StandIn):
    ready = replaying()
    runs = []
    for turn in range(3):
        ttnn.log.clear()
        ready.run(x(turn))
        runs.append(list(ttnn.log))
    events = [[what for word, what in run if word.startswith(("event", "wait"))] for run in runs]
    assert [[word for word, _ in run] for run in runs] == [
        ["wait by 1", "write by 1", "event of 1", "wait by 0", "copy", "event of 0", "execute", *["read"] * 4]
    ] * 3
    for (taken, written, waited, next_taken), after in zip(events, [*events[1:], None], strict=True):
        assert taken < written == waited < next_taken
        assert after is None or after[0] == next_taken, "queue 1 waits until queue 0 has taken the inputs before"
    plain = [[(word, what) for word, what in run if not word.startswith(("event", "wait"))] for run in runs]
    assert plain[0] == plain[1] == plain[2], "the same addresses in each run"


@pytest.mark.parametrize("turns", [1, 2, 6])
def test_replays_give_what_eager_runs_give(ttnn: StandIn, turns: int):
    traced, plain = session(), eager()
    assert plain.eager == "no trace was asked for"
    for turn in range(turns):
        found, wanted = traced.run(x(turn)), plain.run(x(turn))
        assert list(found) == list(OUTPUTS)
        for name in wanted:
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=f"{name} of run {turn}")
        for name, array in plain.state().items():
            np.testing.assert_array_equal(traced.state()[name], array)
    traced.reset()
    plain.reset()
    np.testing.assert_array_equal(traced.state()["n"], plain.state()["n"])
    np.testing.assert_array_equal(traced.run(x(3))["y"], plain.run(x(3))["y"])


def test_states_that_change_places_are_set_aside_and_what_stays_is_not_copied(ttnn: StandIn):
    ready = session()
    ready.run(x(0))
    ttnn.log.clear()
    ready.run(x(0))
    assert [what for word, what in ttnn.log if word == "call"][-2:] == ["clone", "clone"]
    copies = [what for word, what in ttnn.log if word == "copy"]
    assert len(copies) == 1 + 4 + 3, "of the input, of the outputs but x, and of the states that change"
    assert all(source != to for source, to in copies)


CACHE = """graph {
  %c: bf16[2,1,3,32] tile dram = input(name="@state.cache")
  %x: bf16[1,2,1,32] tile dram = input(name="x")
  %p: i32[2] row_major dram = input(name="p")
  %r: bf16[1,2,1,32] tile l1 height_sharded 2x1 of 32x32 = ttnn.to_memory_config(%x, MemoryConfig(buffer=L1, sharding=HEIGHT_SHARDED, shard=ShardSpec(grid=[2, 1], shape=[32, 32])))
  %w: bf16[2,1,3,32] tile dram = ttnn.experimental.paged_update_cache(%c, %r, update_idxs_tensor=%p)
  ttnn.deallocate(%r)
  %y: bf16[2,1,3,32] tile dram = ttnn.add(%w, 1.0)
  return "y"=%y, "left"=%w, "@state.cache"=%w
}
"""  # noqa: E501


def caching() -> tuple[Bucket, Weights]:
    cache, row = TensorType(DType.f32, (2, 1, 3, 32)), TensorType(DType.f32, (1, 2, 1, 32))
    place = TensorType(DType.i64, (2,))
    inputs = (("@state.cache", cache), ("x", row), ("p", place))
    outputs = (("y", cache), ("left", cache), ("@state.cache", cache))
    program = check_program(Program(parse_program(CACHE), inputs, outputs, "n150", "bf16"))
    initial = Weight(TensorType(DType.bf16, cache.shape), lambda: np.zeros(cache.shape, np.uint16))
    return Bucket.exact(program), Weights({"@state.cache": initial})


def test_replays_write_rows_where_the_state_lies(ttnn: StandIn):
    from ttc.runtime.run.device_ttnn import join_card

    bucket, initial = caching()
    traced = Session([bucket], initial, join_card(None, REGION), (SIZE,))
    assert traced.eager is None
    cache = np.zeros((2, 1, 3, 32), np.float32)
    for turn in range(7):
        places = [turn % 3, (turn + 1) % 3]
        row = np.arange(64, dtype=np.float32).reshape(1, 2, 1, 32) + turn
        cache[[0, 1], 0, places] = row[0, :, 0]
        ttnn.log.clear()
        found = traced.run({"x": row, "p": np.array(places)})
        np.testing.assert_array_equal(found["left"], cache, err_msg=f"run {turn}")
        np.testing.assert_array_equal(found["y"], cache + 1)
        if turn in (0, 3, 5):
            np.testing.assert_array_equal(traced.state()["cache"], cache)
        assert len(ttnn.words("copy")) == 2 + 2 * (turn < 2), "of the inputs, and in calls of the outputs; of no state"
        if turn == 4:
            traced.reset()
            cache[:] = 0
            np.testing.assert_array_equal(traced.state()["cache"], cache)


def test_a_first_run_that_fails_is_made_up_for_without_traces_on_the_card(
    ttnn: StandIn, monkeypatch: pytest.MonkeyPatch
):
    one, two = session([sized(4)], rows=4), session()
    wanted = eager([sized(4)], rows=4).run(x(-5, 4))["y"]
    with monkeypatch.context() as patch:
        patch.setattr(Queues, "feed", lambda self, pairs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            one.run(x(-5, 4))
    for _ in range(2):
        two.run(x(0))
    ttnn.log.clear()
    np.testing.assert_array_equal(one.run(x(-5, 4))["y"], wanted)
    assert ttnn.words("release", "call")[0] == "release"


def test_a_stream_writes_the_next_inputs_while_a_run_computes(ttnn: StandIn):
    ready = replaying()
    ttnn.log.clear()
    found = [outputs["y"] for outputs in ready.stream(x(turn) for turn in range(4))]
    words = ttnn.words("write by 1", "execute", "read")
    reads = ["read"] * 4
    assert words == ["write by 1", "execute", *["write by 1", *reads, "execute"] * 3, *reads]
    plain = eager()
    for turn, array in enumerate(found):
        np.testing.assert_array_equal(array, plain.run(x(turn))["y"])


def test_a_run_in_the_middle_of_a_stream_disturbs_nothing(ttnn: StandIn):
    traced, plain = session(), eager()
    found = []
    for outputs in traced.stream(x(turn) for turn in range(3)):
        found += [outputs["y"], traced.run(x(10))["y"]]
    order = [0, 1, 10, 2, 10, 10]  # run 1 was under way when the first 10 came
    wanted = [plain.run(x(number))["y"] for number in order]
    for array, number in zip(found, [0, 2, 1, 4, 3, 5], strict=True):
        np.testing.assert_array_equal(array, wanted[number])


def test_a_stream_of_nothing_and_of_one(ttnn: StandIn):
    ready = session()
    assert list(ready.stream([])) == []
    assert len(list(ready.stream([x(0)]))) == 1


def test_a_bucket_that_comes_later_is_loaded_without_traces_on_the_card(ttnn: StandIn):
    plain = eager([sized(2), sized(4)], rows=4)
    wanted = {rows: plain.run(x(-5, rows))["y"] for rows in (1, 2, 3, 4)}
    traced = session([sized(2), sized(4)], rows=4)
    ttnn.log.clear()
    for rows in (1, 2, 4, 1, 3, 4, 2):
        np.testing.assert_array_equal(traced.run(x(-5, rows))["y"], wanted[rows])
    words = ttnn.words("begin", "release", "execute", "upload", "empty")
    tensors = ["empty"] * 3
    first, again = ["begin", "execute"], ["begin", "execute"]
    assert words == ["upload", *tensors, *first, "release", *tensors, *again, *first, "execute", "execute"], (
        "the weight is uploaded once, for both"
    )


def test_sessions_of_one_card_give_way_to_each_other(ttnn: StandIn):
    one = replaying()
    first = one.run(x(1))["y"]
    ttnn.log.clear()
    two = session([sized(4)], rows=4)
    words = [word for word, _ in ttnn.log]
    assert words.index("release") < min(words.index(word) for word in ("allocate", "upload"))
    assert "open" not in words, "a card is opened once"
    plain = eager([sized(4)], rows=4).run(x(-5, 4))["y"]
    ttnn.log.clear()
    for _ in range(4):
        np.testing.assert_array_equal(two.run(x(-5, 4))["y"], plain)
        one.reset()
        np.testing.assert_array_equal(one.run(x(1))["y"], first)
    assert ttnn.words("begin", "release") == ["begin", "begin"], "both traces stay while nothing is allocated"


def test_traces_that_do_not_fit_together_take_turns(ttnn: StandIn):
    sessions = [session([sized(4)], (SIZE,), rows=4) for _ in range(3)]
    found = [ready.run(x(-5, 4))["y"] for ready in sessions]
    ttnn.log.clear()
    found += [ready.run(x(-5, 4))["y"] for ready in sessions]
    assert ttnn.words("begin", "release") == ["begin", "begin", "release", "release", "begin"]
    for array in found:
        np.testing.assert_array_equal(array, found[0])


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((), "no trace was asked for"),
        ((0,), "the host does some of the ops"),
        ((REGION,), None),
        ((REGION + 1,), "a trace may take 2,501 B, and another session opened the card with a region of 2,500 B"),
    ],
)
def test_a_session_says_why_it_is_eager(ttnn: StandIn, sizes: tuple[int, ...], words: str | None):
    ready = session(sizes=sizes)
    assert ready.eager == words
    ready.run(x(0))
    ready.run(x(0))
    assert ("begin" in ttnn.words("begin")) is (words is None)


ONE_SIDE = {
    "input": [("tile dram = input", "tile l1 = input")],
    "output": [("ttnn.deallocate(%a)", '%h: f32[4,4] row_major host = const(ref="h")'), ('"y"=%y', '"y"=%h')],
}


@pytest.mark.parametrize("side", ["input", "output"])
def test_inputs_in_l1_and_outputs_on_the_host_are_not_traced(ttnn: StandIn, side: str):
    made = sized(4)
    text = str(made.program.graph)
    for old, new in ONE_SIDE[side]:
        text = text.replace(old, new)
    other = replace(made, program=replace(made.program, graph=parse_program(text)))
    assert why_not([other], (SIZE,), REGION) == "an input or an output is not in the card's DRAM"
    assert why_not([made], (SIZE,), REGION) is None


def test_a_run_with_an_observer_is_eager_and_later_ones_are_captured_again(ttnn: StandIn):
    traced, plain = session(), eager()
    seen: list[str] = []

    def watch(index, call, operands, results):
        seen.append(call.mnemonic)

    for turn, observer in enumerate([None, None, watch, None, None]):
        np.testing.assert_array_equal(traced.run(x(turn), observer)["y"], plain.run(x(turn))["y"])
    assert seen.count("ttnn.add") == 4
    assert len(ttnn.words("begin")) == 3, "each eager run of the other session releases the trace too"
    np.testing.assert_array_equal(traced.state()["n"], plain.state()["n"])


def test_closing_releases_the_trace_and_the_last_session_closes_the_card(ttnn: StandIn):
    two = eager()
    one = replaying()
    ttnn.log.clear()
    with one:
        pass
    one.close()
    assert ttnn.words("release", "close", "execute") == ["release"]
    with pytest.raises(InputError, match="the session is closed"):
        one.run(x(0))
    del two
    assert ttnn.words("release", "close") == ["release", "close"]
    assert not ttnn.held
    session().close()
    assert ttnn.words("open", "close") == ["close", "open", "close"], "a card that was closed is opened anew"


def test_the_card_is_opened_with_a_region_and_two_queues(ttnn: StandIn):
    session()
    assert ttnn.opened == {
        "device_id": 0, "l1_small_size": 32768, "trace_region_size": REGION, "num_command_queues": 2
    }  # fmt: skip


def test_a_region_that_is_too_small_after_all_is_said_with_both_numbers(ttnn: StandIn):
    ready = session()
    ready.run(x(0))
    ttnn.region_too_small = True
    with pytest.raises(TtcError, match=re.escape("Creating trace buffers of size 99B")) as error:
        ready.run(x(0))
    assert "ttc had estimated 1,000 B" in str(error.value)
    assert "session(trace=False)" in str(error.value)


def test_a_capture_that_fails_is_ended(ttnn: StandIn, monkeypatch: pytest.MonkeyPatch):
    ready = session()
    ready.run(x(0))
    traced = ready._traced[0]

    def stop() -> None:
        raise KeyboardInterrupt

    compute: Callable[[], None] = traced._compute
    monkeypatch.setattr(traced, "_compute", stop)
    with pytest.raises(KeyboardInterrupt):
        ready.run(x(0))
    assert ttnn.words("begin", "end", "release", "execute") == ["begin", "end", "release"]
    monkeypatch.setattr(traced, "_compute", compute)
    ready.reset()
    np.testing.assert_array_equal(ready.run(x(1))["y"], eager().run(x(1))["y"])


def test_what_is_compiled_is_traced_by_default(ttnn: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from ttc.runtime.run.device_ttnn import TtnnDevice

    monkeypatch.setattr(devices, "CARDS", tmp_path)
    monkeypatch.delenv(MOCK_CARD, raising=False)
    (tmp_path / "0").touch()
    monkeypatch.setattr(TtnnDevice, "measured", lambda self: TARGETS["n150"])
    made = Executable((bucket(),), "", weights())
    with made.session() as ready:
        assert ready.eager is None
        assert ttnn.opened["trace_region_size"] == sum(made.trace_sizes) == 1 << 20
    with made.session(trace=False) as ready:
        assert ready.eager == "no trace was asked for"
        assert "trace_region_size" not in ttnn.opened
    first = made.run([x(1)])["y"]
    for _ in range(3):
        np.testing.assert_array_equal(made.run([x(1)])["y"], first)
    assert ttnn.words("begin", "execute") == ["begin", "execute", "execute", "execute"]


def test_the_emulator_records_no_traces():
    ready = Session([sized(2)], weights(4), NullDevice(), (SIZE,))
    assert ready.eager == "the device records no traces"
    with ready:
        assert ready.run(x(0))["y"].shape == (2, 4)
    with pytest.raises(InputError, match="the session is closed: open another one"):
        ready.state()
    with pytest.raises(InputError, match="the session is closed: open another one"):
        next(ready.stream([x(0)]))
