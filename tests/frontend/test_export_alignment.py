"""Durations to frames: what `repeat_interleave` and a VITS alignment path give, exactly, in every program."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ttc
from tests.frontend.exporting import agree
from tests.mock_cards import check
from ttc.calls.target import TARGETS
from ttc.compiled.compiled import Compiled
from ttc.errors import TtcError

SYMBOLS, FRAMES, CHANNELS = 160, 20_000, 3


class Repeat(torch.nn.Module):
    def forward(self, x, durations):
        return torch.repeat_interleave(x, durations, dim=1, output_size=FRAMES)


class Path(torch.nn.Module):
    """The alignment matrix of VITS (Kim et al. 2021) for a static number of frames: [1, frames, symbols]."""

    def forward(self, durations):
        ends = torch.cumsum(durations, -1)
        frames = torch.arange(2000, dtype=durations.dtype)
        before = (frames[None, None] < ends[..., None]).to(durations.dtype)
        return (before - torch.nn.functional.pad(before, (0, 0, 1, 0))[:, :-1]).transpose(1, 2)


def durations_of(generator: np.random.Generator, total: int = 0) -> np.ndarray:
    """Random counts, zeros among them, whose sum is at most FRAMES, or is `total`."""
    total = total or int(generator.integers(SYMBOLS, FRAMES + 1))
    kept = generator.random(SYMBOLS) < generator.choice([0.3, 0.9])
    shares = generator.random(SYMBOLS) ** 3 * kept
    shares[-1] += 1e-3
    return np.diff(np.floor(np.cumsum(shares) / shares.sum() * total), prepend=0).astype(np.int64)


def repeated(dtype: str) -> Compiled:
    example = torch.from_numpy(durations_of(np.random.default_rng(1), FRAMES))
    return ttc.compile(Repeat(), (torch.zeros(1, SYMBOLS, CHANNELS), example), dtype=dtype)


def assert_exact(compiled: Compiled, count: int, mode: str) -> None:
    generator = np.random.default_rng(2)
    session = compiled.session(device="emulator", mode=mode)
    for _ in range(count):
        x = generator.integers(-128, 128, (1, SYMBOLS, CHANNELS)).astype(np.float32)  # whole in bf16 too
        durations = durations_of(generator)
        found = session.run({"x": x, "durations": durations})["output"][:, : durations.sum()]
        wanted = torch.from_numpy(x).repeat_interleave(torch.from_numpy(durations), dim=1)
        np.testing.assert_array_equal(found, wanted.numpy())


@pytest.mark.parametrize(
    ("dtype", "mode", "count"), [("fp32", "exact", 70), ("fp32", "tensix", 15), ("bf16", "exact", 15)]
)
def test_frames_are_those_of_repeat_interleave(dtype: str, mode: str, count: int):
    assert_exact(repeated(dtype), count, mode)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_real_ttnn_accepts_an_alignment(dtype: str, ttnn_python: str):
    report = check(repeated(dtype).build.program, TARGETS["n150"])
    assert report.ok, report.faults


@pytest.mark.sweep
def test_a_thousand_alignments():
    assert_exact(repeated("fp32"), 1000, "exact")


def test_a_path_of_durations_as_floats_is_exact_in_a_bf16_program():
    durations = np.random.default_rng(0).integers(0, 13, (1, 300)).astype(np.float32)
    assert 1024 < durations.sum() <= 2000
    compiled = ttc.compile(Path(), (torch.from_numpy(durations),))
    wanted = Path()(torch.from_numpy(durations)).numpy()
    np.testing.assert_array_equal(compiled.run({"durations": durations}, "emulator", "tensix")["output"], wanted)


def test_every_form_is_read():
    class Forms(torch.nn.Module):
        def forward(self, x, counts, one):
            return (
                torch.repeat_interleave(x, counts, output_size=9),
                torch.repeat_interleave(counts, output_size=9),
                torch.repeat_interleave(x, one, output_size=8),
            )

    agree(Forms(), torch.randn(2, 2), torch.tensor([3, 0, 5, 1]), torch.tensor([2]))


def test_a_size_that_depends_on_data_is_refused():
    class Unbounded(torch.nn.Module):
        def forward(self, x, counts):
            return torch.repeat_interleave(x, counts)

    with pytest.raises(TtcError, match="depends on data"):
        ttc.compile(Unbounded(), (torch.randn(4), torch.tensor([3, 0, 5, 1])))
