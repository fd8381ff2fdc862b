"""Which of a model's forms is shown, saved and given to sessions, and that threads may share one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import ttc
from ttc.errors import InputError


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4)).eval()


def sizes(compiled) -> list[int]:
    """The batch of everything that shows a form."""
    program, session = compiled.build.program, compiled.session().program
    return [program.inputs[0][1].shape[0], session.inputs[0][1].shape[0], saved(compiled).inputs[0][1].shape[0]]


def saved(compiled):
    path = Path(compiled.where) / "m.ttc"
    compiled.save(path)
    return ttc.load(path).program


@pytest.fixture
def at_two(tmp_path: Path):
    compiled = ttc.compile(network(), (torch.zeros(2, 8),), dtype="fp32")
    compiled.where = tmp_path
    return compiled


def test_calls_in_other_forms_change_nothing_of_what_is_shown_and_saved(at_two):
    shown = at_two.source, at_two.report.to_dict(), at_two.dump("import"), at_two.stages
    for batch in (4, 2, 1):
        at_two(torch.zeros(batch, 8))
        at_two.run(np.zeros((batch, 8), np.float32))
    assert sizes(at_two) == [2, 2, 2]
    assert (at_two.source, at_two.report.to_dict(), at_two.dump("import"), at_two.stages) == shown


def test_without_arguments_the_first_form_that_a_call_needed_is_shown(tmp_path: Path):
    compiled = ttc.compile(network(), dtype="fp32")
    compiled.where = tmp_path
    for batch in (3, 4, 3, 1):
        compiled(torch.zeros(batch, 8))
        assert sizes(compiled) == [3, 3, 3]


def test_the_largest_bucket_is_shown_whichever_ran_last():
    x = torch.zeros(1, 32, 8)
    compiled = ttc.compile(network(), (x,), dynamic_shapes={"input": {1: "T"}}, lengths={"T": [16, 32]}, dtype="fp32")
    for length in (32, 9):
        assert compiled(torch.zeros(1, length, 8)).shape == (1, length, 4)
        assert compiled.build.program.inputs[0][1].shape == (1, 32, 8)


def test_a_length_given_when_compiling_is_the_form_shown(tmp_path: Path):
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    compiled = ttc.compile(model, lengths={"N": 2})
    compiled.where = tmp_path
    assert compiled.run(np.ones((2, 3), np.float32))["y"].shape == (2, 3)
    assert sizes(compiled) == [2, 2, 2]
    free = ttc.compile(onnx.ModelProto.FromString(model.SerializeToString()))
    free.where = tmp_path
    for batch in (5, 6):
        free.run(np.ones((batch, 3), np.float32))
        assert sizes(free) == [5, 5, 5]


# ------------------------------------------------------------ threads


class Noise(nn.Module):
    """Its input with random numbers added, twice."""

    def forward(self, x):
        return x + torch.randn_like(x), x + torch.rand_like(x)


def alike(found, wanted) -> bool:
    return all(np.array_equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("lengths", [None, {"T": [8, 16]}], ids=["one program", "buckets"])
def test_runs_with_seeds_in_many_threads_are_the_same_as_one_after_the_other(lengths):
    x = torch.zeros(1, 16, 4)
    shapes = {"x": {1: "T"}} if lengths else None
    compiled = ttc.compile(Noise(), (x,), dynamic_shapes=shapes, lengths=lengths, dtype="fp32")
    work = [(seed, length) for seed in range(12) for length in ((7, 16) if lengths else (16,))]

    def run(job: tuple[int, int]) -> dict[str, np.ndarray]:
        return compiled.run(np.zeros((1, job[1], 4), np.float32), seed=job[0])

    wanted = {job: run(job) for job in work}
    assert not alike(wanted[work[0]], wanted[work[-1]])
    with ThreadPoolExecutor(8) as threads:
        for job, found in zip(work * 3, threads.map(run, work * 3), strict=True):
            assert alike(found, wanted[job])


def test_a_run_with_its_own_seed_leaves_a_session_s_random_numbers_alone():
    compiled = ttc.compile(Noise(), (torch.zeros(2, 4),), dtype="fp32")
    x = np.zeros((2, 4), np.float32)
    alone, disturbed = compiled.session(), compiled.session()
    alone.reset(3)
    disturbed.reset(3)
    first = alone.run(x), alone.run(x)
    found = disturbed.run(x)
    disturbed.run(x, seed=99)
    assert alike(found, first[0])
    assert alike(disturbed.run(x), first[1])
    assert not alike(first[0], first[1])


def test_threads_that_share_a_session_draw_each_number_once():
    compiled = ttc.compile(Noise(), (torch.zeros(2, 4),), dtype="fp32")
    x = np.zeros((2, 4), np.float32)
    alone, shared = compiled.session(), compiled.session()
    wanted = sorted(alone.run(x)["0"].tobytes() for _ in range(32))
    with ThreadPoolExecutor(8) as threads:
        found = sorted(threads.map(lambda _: shared.run(x)["0"].tobytes(), range(32)))
    assert found == wanted


def test_threads_may_compile_forms_of_one_model():
    model = network()
    compiled = ttc.compile(model, dtype="fp32")

    def agrees(batch: int) -> bool:
        x = torch.linspace(-1, 1, batch * 8).reshape(batch, 8)
        with torch.no_grad():
            return torch.allclose(compiled(x), model(x), atol=1e-5)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(agrees, [1, 2, 3, 1, 2, 3, 4, 4]))


@pytest.mark.parametrize("seed", [-1, 1.5, "one", None, True])
def test_what_is_no_seed_is_named(seed):
    compiled = ttc.compile(Noise(), (torch.zeros(2, 4),))
    with pytest.raises(InputError, match="a seed is a whole number of 0 or more"):
        compiled.session().reset(seed)
    with pytest.raises(InputError, match="a seed is a whole number of 0 or more"):
        compiled.run(np.zeros((2, 4), np.float32), seed=-1 if seed is None else seed)
