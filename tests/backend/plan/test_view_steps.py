"""Views of steps in loops: text before and after, programs whatever the number of steps, and the library's word."""

from __future__ import annotations

import pytest

from tests.backend.rules.test_recurrent import recurrence
from tests.calls.programs import BF16, spec, values
from tests.cards import EACH_CARD, FIRST
from tests.ir.loops import LOOP
from tests.mock_cards import check_many
from ttc import ops
from ttc.analysis.script import script
from ttc.backend.plan.view_steps import view_steps
from ttc.calls.call import Call, kind_of
from ttc.calls.loop import Loop, StepCall, Take, View
from ttc.calls.target import TARGETS
from ttc.errors import TypeRuleError
from ttc.ir import FORWARD, Graph, Step, Window, backward, verify
from ttc.pipeline import Options, compile_graph
from ttc.runtime.run.program import parse_program

N150, P150 = TARGETS["n150"], TARGETS["p150"]


def scanned(count: int, columns: int = 64, batch: int = 2) -> str:
    """The loop of tests, of so many steps forward."""
    text = LOOP.replace("count=4", f"count={count}").replace(", step=Step(scale=-1, offset=3)", "")
    text = text.replace("[4,1,2,", f"[{count},1,2,").replace("[4, 1, 2,", f"[{count}, 1, 2,")
    return (
        text.replace("2,64]", f"{batch},{columns}]")
        .replace("2, 64]", f"{batch}, {columns}]")
        .replace("[1,1,64,64]", f"[1,1,{columns},{columns}]")
    )


def body(graph: Graph) -> list[str]:
    loop = next(node.op for node in graph.nodes if isinstance(node.op, Loop))
    return [line.strip() for line in str(loop.body).splitlines() if "loop." in line or "ttnn.add" in line]


def test_a_step_is_taken_from_a_view_of_the_steps_around_it():
    after = verify(view_steps(parse_program(scanned(64)), N150))
    assert body(after)[:2] == [
        "%t: bf16[10,1,2,64] tile dram = loop.view(%x, window=Window(period=6, length=10, count=64))",
        "%t_0: bf16[1,1,2,64] tile dram = loop.take(%t, window=Window(period=6, length=10, count=64))",
    ]
    assert view_steps(after, N150) is after


def test_where_each_step_begins_in_the_first_bank_the_view_is_the_step():
    after = verify(view_steps(parse_program(scanned(64, columns=256)), P150))
    assert (
        body(after)[0] == "%t: bf16[1,1,2,256] tile dram = loop.view(%x, window=Window(period=1, length=1, count=64))"
    )
    assert not any("loop.take" in line for line in body(after))


@pytest.mark.parametrize("count", [1, 6, 7, 11])
def test_few_steps_stay(count: int):
    graph = parse_program(scanned(count))
    assert view_steps(graph, N150) is graph


@pytest.mark.parametrize("step", [FORWARD, backward(65)])
def test_each_step_is_at_its_place(step: Step):
    window = Window(6, 11, 65)
    for t in range(65):
        row = step.at(t)
        start, place = window.start(row), window.place(row)
        assert isinstance(start, int)
        assert isinstance(place, int)
        assert (start % 6, start + place) == (0, row)
        assert 0 <= start <= 65 - 11
        assert 0 <= place < 11
        names = {"t": t, "min": min}
        assert eval(str(window.start(step)), names) == start
        assert eval(str(window.place(step) + 1), names) == place + 1  # type: ignore[operator]


def programs(build, target) -> int:
    """Count the different device programs of a loop."""
    loop = next(node.op for node in build.program.graph.nodes if isinstance(node.op, Loop))
    calls = [node.op for node in loop.body.nodes if isinstance(node.op, Call)]
    kinds = set()
    for call in calls:
        for t in range(loop.count) if isinstance(call, Take) else (0,):
            one = call.at(t) if isinstance(call, StepCall) else call
            kinds |= {kind_of(one)} if one.dispatch(target).programs else set()
    return len(kinds)


@pytest.mark.parametrize("card", FIRST)
def test_programs_do_not_grow_with_the_steps(card: str):
    target = TARGETS[card]
    counts = [
        programs(compile_graph(recurrence(ops.Lstm, steps, directions=1), Options(target)), target)
        for steps in (16, 64, 1024)
    ]
    assert counts == ([11, 11, 11] if card == "n150" else [7, 7, 7])


@pytest.mark.parametrize(
    "window",
    [Window(6, 10, 63), Window(6, 9, 64), Window(6, 4, 64), Window(0, 10, 64), Window(3, 67, 64), Window(-6, 10, 64)],
)
def test_windows_that_are_none_are_refused(window: Window):
    (x,) = values(spec(BF16, 64, 1, 2, 64))
    View(x, window=Window(6, 10, 64)).infer()
    with pytest.raises(TypeRuleError, match=r"views no \[64, 1, 2, 64\]"):
        View(x, window=window).infer()


@pytest.mark.parametrize("window", [Window(6, 9, 64), Window(0, 10, 64), Window(6, 10, 9)])
def test_a_take_of_another_window_is_refused(window: Window):
    (x,) = values(spec(BF16, 10, 1, 2, 64))
    assert Take(x, window=Window(6, 10, 64)).infer().shape == (1, 1, 2, 64)
    with pytest.raises(TypeRuleError, match=r"\[10, 1, 2, 64\] is no Window"):
        Take(x, window=window).infer()


@pytest.mark.parametrize("card", EACH_CARD)
def test_the_library_takes_the_views(card: str, ttnn_python: str):
    texts = [
        str(verify(view_steps(parse_program(text), TARGETS[card])))
        for text in (scanned(25), scanned(29, 32), scanned(26, 256, 40), scanned(27).replace("bf16", "f32"))
    ]
    assert all("loop.view" in text for text in texts)
    for found in check_many(texts, TARGETS[card]):
        assert found.ok, found.faults


def test_the_python_file_spells_the_windows():
    graph = compile_graph(recurrence(ops.Lstm, 64, directions=1), Options(N150)).program.graph
    source = script(graph)
    assert "ttnn.narrow(" in source
    assert "min((t) // 3 * 3, 60)" in source
