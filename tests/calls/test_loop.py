"""Loops, and the calls around them, against the real library."""

import pytest

from tests.calls.programs import BF16, F32, I32, TILED, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from tests.ir.loops import LOOP
from tests.mock_cards import check_many
from ttc.analysis.script import script
from ttc.calls.binary import Add, Multiply
from ttc.calls.call import UnaryWithParam
from ttc.calls.loop import Clone, Empty, FillCache, Put, Take
from ttc.calls.target import TARGETS
from ttc.calls.ternary import Lerp, Where
from ttc.errors import Refusal
from ttc.ir import DRAM, L1, Step, backward
from ttc.runtime.run.program import parse_program

STATE, STATES = (1, 2, 3, 40), (7, 2, 3, 40)
SIGMOID, TANH = (UnaryWithParam("SIGMOID"),), (UnaryWithParam("TANH"),)


@pytest.mark.parametrize("target", EACH_CARD)
@pytest.mark.parametrize("dtype", [BF16, F32])
def test_as_predicted(target: str, dtype, ttnn_python: str):
    state, states, valid = spec(dtype, *STATE), spec(dtype, *STATES), spec(dtype, 1, 2, 3, 1)
    assert_as_predicted(
        [
            one(lambda ys, y: FillCache(ys, y, 6), states, state),
            one(lambda x: Clone(x, memory_config=DRAM), state),
            one(lambda: Empty(STATES, dtype, TILED)),
            one(lambda x: Take(x).at(6), states),
            one(lambda x: Take(x, columns=(32, 40), step=backward(7)).at(0), states),
            one(lambda a, b, w: Lerp(a, b, w), *[state] * 3),
            one(lambda a, b, w: Lerp(a, b, w, output_tensor=b), *[state] * 3),
            one(lambda a, b, c: Add(a, b, output_tensor=c, activations=TANH), *[state] * 3),
            one(
                lambda a, b: Multiply(
                    a, b, output_tensor=a, input_tensor_a_activations=SIGMOID, input_tensor_b_activations=TANH
                ),
                *[state] * 2,
            ),
            one(lambda p, a, b: Where(p, a, b, output_tensor=b), valid, state, state),
        ],
        target,
    )


@pytest.mark.parametrize("target", EACH_CARD)
def test_a_copy_in_l1(target: str, ttnn_python: str):
    assert_as_predicted([one(lambda x: Clone(x, memory_config=L1), spec(BF16, *STATE))], target)


@pytest.mark.parametrize("target", EACH_CARD)
def test_a_loop_is_checked_in_its_first_second_and_last_step(target: str, ttnn_python: str):
    (report,) = check_many([LOOP], TARGETS[target])
    assert report.ok, report.faults
    assert (report.calls, report.device_programs) == (2 + 4 * 4, 1 + 4 * 4)
    slices = [entry for entry in report.per_call if entry["call"] == "ttnn.slice"]
    assert [entry.get("times", 1) for entry in slices] == [1, 2, 1]


def test_a_refusal_in_a_loop_names_the_step_and_the_line(ttnn_python: str):
    text = LOOP.replace("Step(scale=-1, offset=3)", "Step(offset=2)")
    (report,) = check_many([text], TARGETS["n150"])
    assert report.refusal is not None
    assert "in step 3 of the loop: %t: bf16[1,1,2,64] tile dram = loop.take(%x, step=Step(offset=2))" in report.refusal


def test_what_is_refused():
    x, states, whole = values(spec(BF16, *STATE), spec(BF16, *STATES), spec(I32, *STATES))
    with pytest.raises(Refusal, match=r"is no entry of a cache"):
        FillCache(states, states, 0).infer()
    with pytest.raises(Refusal, match="has no entry 7"):
        FillCache(states, x, 7).infer()
    with pytest.raises(Refusal, match="the cache is i32"):
        FillCache(whole, x, 0).infer()
    with pytest.raises(Refusal, match="whole tiles"):
        Take(states, columns=(8, 40)).infer()
    with pytest.raises(Refusal, match="lerp takes operands of one type"):
        Lerp(x, x, states).infer()
    with pytest.raises(Refusal, match="cannot go into a tensor"):
        Add(x, x, output_tensor=states).infer()


def test_what_is_written_in_place_is_a_view_of_it():
    x, states = values(spec(BF16, *STATE), spec(BF16, *STATES))
    assert Put(states, x).alias() is states
    assert Add(x, x, output_tensor=x).alias() is x
    assert Add(x, x).alias() is None
    assert Take(states).alias() is None
    assert Take(x).alias() is x


def test_spelling_in_terms_of_the_step():
    source = script(parse_program(LOOP))
    wanted = """\
    h0 = ttnn.clone(w["zero"], memory_config=ttnn.DRAM_MEMORY_CONFIG)  # [1, 1, 2, 64] bf16 tile dram
    y0 = ttnn.empty([4, 1, 2, 64], ttnn.bfloat16, ttnn.TILE_LAYOUT, device=device)  # [4, 1, 2, 64] bf16 tile dram
    for t in range(4):
        p = ttnn.matmul(h0, w["r"], compute_kernel_config=COMPUTE_KERNEL_CONFIG)  # [1, 1, 2, 64] bf16 tile dram
        t_2 = ttnn.slice(x, [3 - t, 0, 0, 0], [4 - t, 1, 2, 64], [1, 1, 1, 1])  # [1, 1, 2, 64] bf16 tile dram
        new = ttnn.add(
            p, t_2, output_tensor=h0, activations=[ttnn.UnaryWithParam(ttnn.UnaryOpType.TANH)],
        )  # [1, 1, 2, 64] bf16 tile dram
        put = ttnn.fill_cache(y0, new, t)  # [4, 1, 2, 64] bf16 tile dram
    h_n = h0
    y = y0
"""
    assert wanted in source, source
    assert Step(1, 2).at(3) == 5
