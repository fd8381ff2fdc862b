"""The measure of systems of speech: what is compared, counted and written, on a tiny system and without compiling."""

from __future__ import annotations

from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bench import speech
from bench.speech_beside import Beside, BothWays, counted
from bench.speech_inputs import inputs_of
from bench.speech_programs import SYSTEMS, InSteps, Programs, short
from ttc.compiled.chain_session import StageRun
from ttc.models.systems.bark import Bark
from ttc.models.systems.speecht5 import SpeechT5


def both_ways(programs: Programs, change: float = 0.0) -> dict[str, Beside]:
    """Compare a system's modules with themselves, or with others whose steps have other weights."""
    steps = {stage.name for stage in programs.system.stages if stage.step}
    others = deepcopy(dict(programs.built))
    if change:
        with torch.no_grad():
            for weight in others["step"][0].parameters():
                weight.mul_(1 + change)
    session: Any = InSteps(others, {}, steps)
    runner = BothWays("name", programs, "fp32", session)
    given = {"tokens": [5, 6, 7]} | ({"seconds": 0.3} if programs.system.name == "bark" else {})
    programs.system.run(runner, 0, **given)
    return runner.rows


def test_a_system_beside_itself_is_equal_in_all_runs():
    rows = both_ways(Programs(Bark("tiny")))
    assert {name: row.runs for name, row in rows.items()} == {"semantic": 15, "coarse": 37, "fine": 1, "decode": 1}
    assert all(row.good and row.equal == row.whole for row in rows.values())
    assert rows["semantic"].whole == rows["semantic"].runs
    assert min(rows["semantic"].correlations) == pytest.approx(1)


def test_steps_are_given_the_package_s_own_tokens():
    """A session that chooses other tokens is still given the package's."""
    programs = Programs(Bark("tiny"))
    package = programs.package()
    seen: list[int] = []

    class Wrong:
        def run(self, stage: str, inputs: dict[str, Any], seed: int | None = None) -> dict[str, Any]:
            if stage == "semantic":
                seen.append(int(np.ravel(inputs["input_ids"])[0]))
            found = package.run(stage, inputs, seed=seed)
            return found | ({"sequence": found["sequence"] + 1} if stage == "semantic" else {})

    session: Any = Wrong()
    runner = BothWays("name", programs, "fp32", session)
    programs.system.run(runner, 0, tokens=[5, 6, 7], seconds=0.3)
    assert runner.rows["semantic"].equal == 0
    assert min(seen[2:]) >= 0  # -1 would be the token that the session itself has chosen
    assert not runner.rows["semantic"].good


def test_steps_that_differ_are_seen():
    programs = Programs(SpeechT5("tiny"))
    assert all(row.good for row in both_ways(programs).values())
    assert not both_ways(programs, 0.1)["step"].good


@pytest.mark.parametrize(
    ("dtype", "correlation", "equal", "good"),
    [("fp32", 0.9999, 3, True), ("fp32", 0.99989, 3, False), ("fp32", 1.0, 2, False),
     ("bf16", 0.99, 0, True), ("bf16", 0.98999, 3, False)],
)  # fmt: skip
def test_close_enough(dtype: str, correlation: float, equal: int, good: bool):
    assert Beside("name", dtype, "stage", 1, [1.0, correlation], equal, 3).good == good


def test_runs_of_a_bucket_are_counted():
    def run(stage: str, size: int) -> StageRun:
        bucket: Any = SimpleNamespace(sizes={"S": size})
        return StageRun(stage, bucket, 0.0, 0, 0)

    runs = [run("a", 1), run("a", 4), run("a", 1), run("b", 1)]
    assert [(each, count) for each, count in counted(runs)] == [(runs[0], 2), (runs[1], 1), (runs[3], 1)]


def test_prompts_of_steps_keep_all_their_buckets():
    assert short(Bark).lengths == {"S": (1, 256), "C": (1, 64, 256), "F": (150, 600)}


def test_inputs_are_those_of_a_seed():
    given = inputs_of(Bark("tiny"))
    assert given(3) == given(3)
    assert given(3) != given(4)
    assert set(given(3)) == {"tokens", "seconds"}


def test_a_page_keeps_the_rows_of_other_systems():
    page = speech.HEAD + speech.STEPS + "| bark | fp32 | old |\n| speecht5 | fp32 | old |\n" + speech.CARDS + "| x |\n"
    row = Beside("bark", "bf16", "fine", 1, [1.0], 2, 2)
    found = speech.with_others([row], speech.STEPS, page)
    assert found == speech.STEPS + f"{row}\n| speecht5 | fp32 | old |\n"


def test_the_page_has_every_system():
    page = speech.PAGE.read_text()
    tables = [page.partition(head)[2].partition("\n\n")[0] for head in (speech.CLOSE, speech.STEPS, speech.CARDS)]
    names = [list(dict.fromkeys(line.split()[1] for line in table.splitlines())) for table in tables]
    assert sorted(names[0] + names[1]) == names[2] == list(SYSTEMS)
    assert page.startswith(speech.HEAD)
