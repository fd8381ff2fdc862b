"""Caches of keys and values: a row is written where it lies in the state, and all else of the state stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ttc
from tests.cards import EACH_CARD
from ttc.analysis.cost import traffic
from ttc.calls.cache import PagedUpdateCache
from ttc.calls.call import spec_of
from ttc.calls.target import target_named
from ttc.cli import main
from ttc.compiled.compiled import Compiled
from ttc.ir import Buffer
from ttc.runtime.check import check

SHAPE, ROW = (1, 8, 64, 48), (1, 8, 1, 48)
RUNS = 50


class Writes(nn.Module):
    """Writes into a cache of random numbers by `write`, which gives the outputs; the position counts the runs."""

    cache: Tensor
    position: Tensor

    def __init__(self, write: Callable[[Writes, Tensor], object], shape: tuple[int, ...] = SHAPE):
        super().__init__()
        self.write = write
        self.register_buffer("cache", torch.randn(shape).bfloat16().float())
        self.register_buffer("position", torch.zeros(1, dtype=torch.int64))

    @property
    def line(self) -> Tensor:
        return torch.arange(self.cache.shape[-2])

    def forward(self, row: Tensor) -> object:
        found = self.write(self, row)
        self.position += 1
        return found


def copied(m: Writes, row: Tensor) -> Tensor:
    m.cache.index_copy_(-2, m.position, row)
    return m.cache.sum(-1)


def assigned(m: Writes, row: Tensor) -> Tensor:
    m.cache[:, :, m.position - 5] = row
    return m.cache.sum(-1)


def chosen(m: Writes, row: Tensor, ahead: int = 0) -> Tensor:
    m.cache.copy_(torch.where((m.line == m.position + ahead)[:, None], row, m.cache))
    return m.cache.sum(-1)


def numbered(m: Writes, row: Tensor) -> Tensor:
    m.cache.index_fill_(2, m.position, 2.5)
    return m.cache.sum(-1) + row[..., 0]


def twice(m: Writes, row: Tensor) -> Tensor:
    m.cache.index_copy_(2, m.position, row)
    m.cache.index_copy_(2, (m.position + 7) % 64, -row)
    return m.cache.sum(-1)


def given_back(m: Writes, row: Tensor) -> tuple[Tensor, Tensor]:
    m.cache.index_copy_(2, m.position, row)
    return m.cache, m.cache.flatten(0, 1)


def read_before(m: Writes, row: Tensor) -> tuple[Tensor, Tensor]:
    before = m.cache.amax(-1)
    m.cache.index_copy_(2, m.position, row)
    return before, m.cache.amax(-1)


def along_the_last(m: Writes, row: Tensor) -> Tensor:
    m.cache.copy_(torch.where(torch.arange(48) == m.position, row, m.cache))
    return m.cache.sum(-1)


def from_all(m: Writes, row: Tensor) -> Tensor:
    m.cache.copy_(torch.where((m.line == m.position)[:, None], row.expand(SHAPE) * m.cache.new_ones(64, 1), m.cache))
    return m.cache.sum(-1)


def up_to(m: Writes, row: Tensor) -> Tensor:
    m.cache.copy_(torch.where((m.line <= m.position)[:, None], row, m.cache))
    return m.cache.sum(-1)


def otherwise(m: Writes, row: Tensor) -> Tensor:
    m.cache.copy_(torch.where((m.line == m.position)[:, None], m.cache, row))
    return m.cache.sum(-1)


def from_the_second(m: Writes, row: Tensor) -> Tensor:
    m.cache.copy_(torch.where((m.line + 1 == m.position)[:, None], row, m.cache))
    return m.cache.sum(-1)


IN_PLACE = {
    "index_copy": (copied, SHAPE, ROW),
    "assigned from the end": (assigned, SHAPE, ROW),
    "where": (chosen, SHAPE, ROW),
    "where, beyond the end": (lambda m, row: chosen(m, row, 40), SHAPE, ROW),
    "where, before the start": (lambda m, row: chosen(m, row, -20), SHAPE, ROW),
    "a number": (numbered, SHAPE, ROW),
    "two rows": (twice, SHAPE, ROW),
    "an output": (given_back, SHAPE, ROW),
    "one row for all heads": (copied, (2, 3, 50, 40), (2, 3, 1, 40)),
    "rank 2": (copied, (64, 96), (1, 96)),
    "rank 5": (copied, (2, 2, 3, 64, 32), (2, 2, 3, 1, 32)),
    "more heads than cores": (copied, (4, 40, 64, 32), (4, 40, 1, 32)),
    "no rectangle of cores for the batch": (copied, (11, 8, 64, 32), (11, 8, 1, 32)),
}
ANEW = {
    "the old numbers are read": (read_before, SHAPE, ROW),
    "a column": (along_the_last, SHAPE, ROW),
    "rows from a tensor of as many": (from_all, SHAPE, ROW),
    "a line that starts at 1": (from_the_second, SHAPE, ROW),
    "several rows": (up_to, SHAPE, ROW),
    "all other rows": (otherwise, SHAPE, ROW),
    "no rectangle of cores for any share": (copied, (1, 37, 64, 32), (1, 37, 1, 32)),
}


def compiled(
    write: Callable[..., object], shape: tuple[int, ...], row: tuple[int, ...], **options: Any
) -> tuple[Writes, Compiled]:
    torch.manual_seed(0)
    model = Writes(write, shape).eval()
    return model, ttc.compile(model, torch.zeros(row), **options)


def writes(found: Compiled) -> int:
    return found.report.calls_by_kind.get(PagedUpdateCache.mnemonic, 0)


def assert_like_torch(model: Writes, found: Compiled, row: tuple[int, ...], runs: int) -> None:
    session = found.session()
    for _ in range(runs):
        x = torch.randn(row).bfloat16().float()
        wanted = model(x)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for array, want in zip(session.run(x.numpy()).values(), wanted, strict=True):
            np.testing.assert_allclose(array, want.numpy(), rtol=1e-2, atol=0.3)
    for name, array in session.state().items():
        np.testing.assert_array_equal(array, model.get_buffer(name).numpy())


@pytest.mark.parametrize("case", IN_PLACE)
def test_a_row_is_written_in_place(case: str):
    write, shape, row = IN_PLACE[case]
    model, found = compiled(write, shape, row)
    assert writes(found) == (2 if case == "two rows" else 1)
    assert_like_torch(model, found, row, RUNS if case == "where" else 8)


@pytest.mark.parametrize("case", ANEW)
def test_what_is_no_row_or_is_still_read_is_made_anew(case: str):
    write, shape, row = ANEW[case]
    model, found = compiled(write, shape, row)
    assert not writes(found)
    assert_like_torch(model, found, row, 8)


def test_states_in_fp32_are_made_anew():
    _, found = compiled(copied, SHAPE, ROW, dtype="fp32")
    assert not writes(found)


class Shares(nn.Module):
    """Leaves what was written as another state too."""

    cache: Tensor
    seen: Tensor
    position: Tensor

    def __init__(self, view: bool):
        super().__init__()
        self.view = view
        self.register_buffer("cache", torch.zeros(SHAPE))
        self.register_buffer("seen", torch.zeros(SHAPE[1:] if view else SHAPE))
        self.register_buffer("position", torch.zeros(1, dtype=torch.int64))

    def forward(self, row: Tensor) -> Tensor:
        before = self.seen.sum(-1)
        self.cache.index_copy_(2, self.position, row)
        self.seen.copy_(self.cache[0] if self.view else self.cache)
        self.position += 1
        return before


@pytest.mark.parametrize("view", [False, True])
def test_a_state_that_another_one_is_left_from_is_made_anew(view: bool):
    model = Shares(view).eval()
    found = ttc.compile(model, torch.zeros(ROW))
    assert not writes(found)
    session = found.session()
    for number in range(4):
        row = torch.full(ROW, float(number))
        np.testing.assert_array_equal(session.run(row.numpy())["output"], model(row).numpy())


# ------------------------------------------------------------ bytes


class Stores(nn.Module):
    """A cache that is written and not read."""

    cache: Tensor
    position: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(1, 8, 1024, 64))
        self.register_buffer("position", torch.zeros(1, dtype=torch.int64))

    def forward(self, row: Tensor) -> Tensor:
        self.cache.index_copy_(2, self.position, row)
        self.position += 1
        return row * 2


def test_a_run_moves_the_tiles_of_the_row_and_no_more(tmp_path, capsys):
    found = ttc.compile(Stores().eval(), torch.zeros(1, 8, 1, 64))
    program, cache_bytes = found.executable.program, 2 * 8 * 1024 * 64
    target, moved = target_named(program.target), {}
    for node in program.calls():
        for value, size in traffic(node, target):
            if spec_of(value).memory.buffer is Buffer.DRAM:
                moved[node.op.mnemonic] = moved.get(node.op.mnemonic, 0) + size
    tiles, positions = 8 * 2 * 2048, 8 * 4
    assert moved[PagedUpdateCache.mnemonic] == 2 * tiles + positions  # read and written back; the rows are in L1
    assert sum(moved.values()) < 6 * tiles < cache_bytes / 5  # a tile for each row given, doubled and given back
    assert found.report.dram_bytes == sum(moved.values())
    found.save(tmp_path / "m.ttc")
    assert main(["inspect", str(tmp_path / "m.ttc")]) == 0
    assert "DRAM moved 0.2 MB" in capsys.readouterr().out


# ------------------------------------------------------------ sessions, files, cards


def test_runs_reset_and_files_keep_the_initial_numbers(tmp_path):
    model, found = compiled(copied, SHAPE, ROW)
    initial = model.get_buffer("cache").numpy().copy()
    found.save(tmp_path / "m.ttc")
    loaded = ttc.load(tmp_path / "m.ttc")
    first = found.run(np.ones(ROW, np.float32))["output"]
    one, other = loaded.session(), loaded.session()
    for turn in range(3):
        np.testing.assert_array_equal(found.run(np.ones(ROW, np.float32))["output"], first, err_msg=f"run {turn}")
        one.run(np.ones(ROW, np.float32))
    changed = one.state()["cache"]
    np.testing.assert_array_equal(other.state()["cache"], initial)
    assert not np.array_equal(changed, initial)
    one.run(np.ones(ROW, np.float32) * 2)
    assert not np.array_equal(one.state()["cache"], changed), "an array that was given is not written in"
    one.reset()
    np.testing.assert_array_equal(one.state()["cache"], initial)
    np.testing.assert_array_equal(one.run(np.ones(ROW, np.float32))["output"], first)
    np.testing.assert_array_equal(model.get_buffer("cache").numpy(), initial)


@pytest.mark.parametrize("target", EACH_CARD)
def test_the_library_accepts_what_is_written_in_place(target: str, ttnn_python: str):
    for case in ("index_copy", "assigned from the end", "two rows", "one row for all heads", "more heads than cores"):
        program = compiled(*IN_PLACE[case], target=target)[1].executable.program
        report = check(program, target_named(target))
        assert report.ok, (case, report.faults)


def test_emitted_python_writes_in_the_tensor_that_it_keeps():
    _, found = compiled(copied, SHAPE, ROW)
    source = found.source
    assert "ttnn.experimental.paged_update_cache(" in source
    assert "update_idxs_tensor=" in source
